"""Keep artefacts under the home, each complete or absent.

``artifacts/<digest>/`` holds ``source/`` (the copied folder) or ``runtime/`` (a virtual environment) and, once all
of it is there, the file ``complete``. A virtual environment cannot be moved after it was made, so nothing is built
elsewhere and renamed; what lacks the mark is thrown away and built again.

An installation by pip or uv changes nothing but the environment: it is kept apart, named by what it depends on, so that a
new version of the code with the same requirements starts at once. Any other set-up may write into the folder, so
it is part of the artefact.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import uv

from drystone.l10_engines.processes.identity import stop, wait
from drystone.l10_engines.processes.spawn import spawn
from drystone.l25_deployer.builds.folder import copy_folder, digest, manifests, read_folder
from drystone.l25_deployer.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drystone.l25_deployer.builds.folder import Entry

SETUP_LIMIT = timedelta(minutes=15)
PASSED_ON = ("PIP_", "UV_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_")
"""Variables of the platform's own environment that an installation needs to reach its registry."""


class Artifact(msgspec.Struct, frozen=True):
    """A built folder.

    Attributes:
        digest: Names the source and how it was set up.
        source: The folder to run in.
        runtime: Virtual environment whose ``bin`` comes first on the path, if any.
    """

    digest: str
    source: Path
    runtime: Path | None

    def parts(self) -> frozenset[str]:
        """Return the names of the stored folders that this artefact needs."""
        return frozenset(p.parent.name for p in (self.source, self.runtime) if p is not None)


class Artifacts:
    """The store of artefacts of one home.

    Args:
        root: The folder that holds them.
        downloads: Folder in which uv keeps what it downloaded, for the next set-up.
        environ: The platform's own environment; set-ups get an excerpt (see ``PASSED_ON``).
    """

    def __init__(self, root: Path, downloads: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._downloads = downloads
        self._environ = environ
        self._building: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def build(
        self, folder: Path, *, runtime: str | None = None, setup: tuple[str, ...] = ()
    ) -> Artifact:
        """Turn a folder into an artefact; at once when the same content was built before.

        Args:
            folder: The service's folder; it is read, never written.
            runtime: ``python`` to give it a virtual environment.
            setup: Program and arguments, run once in the copied folder.

        Raises:
            ArtefactRefused: The folder cannot be taken as it is.
            BuildFailed: The set-up failed; the message ends with its last lines.
        """
        entries = await asyncio.to_thread(read_folder, folder)
        installs = runtime == "python" and _only_installs(setup)
        name = _name(entries, runtime, setup)
        environment = None
        if runtime == "python":
            relevant = manifests(folder, entries, setup) if installs else entries
            made_from = digest(relevant, runtime, setup, sys.version)
            environment = self._root / made_from / "runtime"
        source = self._root / name / "source"
        async with self._building[name]:
            if not _is_complete(source.parent):
                await asyncio.to_thread(_start_over, source.parent)
                await asyncio.to_thread(copy_folder, folder, entries, source)
                if not installs and environment is None:
                    await self._set_up(setup, source, None, source.parent)
                _mark_complete(source.parent)
        if environment is not None:
            await self._environment(
                environment, setup, folder, entries, None if installs else source
            )
        return Artifact(name, source, environment)

    async def name_of(
        self, folder: Path, *, runtime: str | None = None, setup: tuple[str, ...] = ()
    ) -> str:
        """Return the digest that :meth:`build` would give the artefact; builds nothing.

        Raises:
            ArtefactRefused: The folder cannot be taken as it is.
        """
        return _name(await asyncio.to_thread(read_folder, folder), runtime, setup)

    async def _environment(
        self,
        environment: Path,
        setup: tuple[str, ...],
        folder: Path,
        entries: tuple[Entry, ...],
        source: Path | None,
    ) -> None:
        """Make the virtual environment and run the set-up in it, in a copy of the folder of its own or in ``source``."""
        place = environment.parent
        async with self._building[place.name]:
            if _is_complete(place):
                return
            await asyncio.to_thread(_start_over, place)
            await self._run(_new_environment(environment, setup), place, None, place)
            where = source
            if where is None:
                where = place / "source"
                await asyncio.to_thread(copy_folder, folder, entries, where)
            await self._set_up(setup, where, environment, place)
            _mark_complete(place)

    async def _set_up(
        self, setup: tuple[str, ...], where: Path, environment: Path | None, place: Path
    ) -> None:
        if setup:
            await self._run(setup, where, environment, place)

    async def _run(
        self, command: tuple[str, ...], where: Path, environment: Path | None, place: Path
    ) -> None:
        """Run one command of a build in a session of its own and wait for its end.

        Raises:
            BuildFailed: It failed or took longer than ``SETUP_LIMIT``.
        """
        log = place / "build.log"
        variables = self._variables(environment, place)
        program = _program(command[0], variables["PATH"])
        if program is None:
            raise BuildFailed(
                f"set-up: there is no program '{command[0]}'; uv is there and, with 'runtime: python', pip;"
                " others must be installed on this machine",
                program=command[0],
            )
        process = spawn((program, *command[1:]), output=log, env=variables, directory=where)
        try:
            async with asyncio.timeout(SETUP_LIMIT.total_seconds()):
                code = await wait(process)
        except TimeoutError as e:
            raise BuildFailed(_failure(command, f"took more than {SETUP_LIMIT}", log)) from e
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await stop(process, grace=timedelta(0))
        if code != 0:
            raise BuildFailed(_failure(command, f"ended with {code}", log))

    def _variables(self, environment: Path | None, place: Path) -> dict[str, str]:
        path = "/usr/local/bin:/usr/bin:/bin"
        home = place / "home"
        home.mkdir(exist_ok=True)
        kept = {k: v for k, v in self._environ.items() if k.upper().startswith(PASSED_ON)}
        return kept | {
            "PATH": path if environment is None else f"{environment}/bin:{path}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "UV_CACHE_DIR": str(self._downloads),
            "UV_LINK_MODE": "copy",  # what a service does to its files must not reach the next one's
            "UV_COMPILE_BYTECODE": "1",
            **({} if environment is None else {"VIRTUAL_ENV": str(environment)}),
        }

    def sweep(self, keep: frozenset[str]) -> list[str]:
        """Remove what no release needs and what was left unfinished; return the names removed.

        Args:
            keep: Names from :meth:`Artifact.parts` of every kept release.
        """
        removed = []
        for place in self._root.iterdir():
            lock = self._building.get(place.name)
            if (place.name in keep and _is_complete(place)) or (lock is not None and lock.locked()):
                continue
            shutil.rmtree(place, ignore_errors=True)
            removed.append(place.name)
        return removed


def _name(entries: tuple[Entry, ...], runtime: str | None, setup: tuple[str, ...]) -> str:
    installs = runtime == "python" and _only_installs(setup)
    return digest(entries, runtime, () if installs else setup)


def _only_installs(setup: tuple[str, ...]) -> bool:
    """Tell whether a set-up installs packages by pip or uv and does nothing else; none does nothing at all."""
    without_python = setup[2:] if setup[1:2] == ("-m",) else setup
    without_uv = without_python[1:] if without_python[:1] == ("uv",) else without_python
    return not setup or without_uv[:2] == ("pip", "install")


def _new_environment(environment: Path, setup: tuple[str, ...]) -> tuple[str, ...]:
    """Make an environment by the tool that fills it; uv needs no pip in it, and makes one in no time."""
    if setup[:1] == ("uv",):
        return ("uv", "venv", "--quiet", "--python", sys.executable, str(environment))
    return (sys.executable, "-m", "venv", str(environment))


def _program(name: str, path: str) -> str | None:
    """Find a program on the path; uv is the platform's own unless the environment has one."""
    found = shutil.which(name, path=path)
    return uv.find_uv_bin() if found is None and name == "uv" else found


def _is_complete(place: Path) -> bool:
    return (place / "complete").exists()


def _mark_complete(place: Path) -> None:
    shutil.rmtree(place / "home", ignore_errors=True)
    (place / "complete").touch()


def _start_over(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755, parents=True)


def _failure(command: tuple[str, ...], how: str, log: Path) -> str:
    tail = log.read_text(errors="replace").splitlines()[-20:]
    return f"set-up '{' '.join(command)}' {how}; its last lines:\n  " + "\n  ".join(tail)
