"""Keep artefacts under the home, each complete or absent.

``artifacts/<digest>/`` holds ``source/`` (the copied folder) or ``runtime/`` (a virtual environment) and, once all
of it is there and on the disk, the file ``complete``. A virtual environment names its own path, so nothing is built
elsewhere and renamed; what lacks the mark is thrown away and built again.

An installation by pip or uv changes nothing but the environment: it is kept apart, named by what it depends on, so that a
new version of the code with the same requirements starts at once. Any other set-up may write into the folder, so
it is part of the artefact.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import uv

from drystone.l00_kernel.atomic import read_if_exists, sync_file_system, write_atomically
from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.removal import remove_tree
from drystone.l00_kernel.shortage import needs_room, room_at
from drystone.l10_engines.processes.identity import wait
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.hosted import kill_all
from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l25_deployer.builds.folder import copy_folder, digest, read_folder
from drystone.l25_deployer.builds.manifests import manifests
from drystone.l25_deployer.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from drystone.l25_deployer.builds.folder import Entry

SETUP_LIMIT = timedelta(minutes=15)
PASSED_ON = ("PIP_", "UV_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_")
"""Variables of the platform's own environment that an installation needs to reach its registry."""

LOG_LINES = 20
MAX_LINE = 500
_WRITES_ELSEWHERE = re.compile(r"--(target|prefix|root|src)(=|$)|-t")
"""Options by which pip and uv install into another place than the environment."""


PLACE_MADE = FaultPoint("build.place.made", "an artefact has an empty place", writes=True)
COPIED = FaultPoint("build.folder.copied", "the service's folder is copied", writes=True)
SET_UP = FaultPoint(
    "build.set-up.done", "the set-up has run; the artefact has no mark", writes=True
)
MARKED = FaultPoint("build.mark.written", "the artefact is marked as complete")


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
        self._mark = {"DRYSTONE_BUILDS_OF": str(root)}
        self._building: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def end_left(self) -> None:
        """End the set-ups of an earlier agent that died: they would write into what is built anew.

        Raises:
            PlatformError: One is still there after being killed again and again.
        """
        await kill_all(partial(_carrying, self._mark), f"the set-ups of {self._root}")

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

        async def copy(place: Path) -> None:
            await asyncio.to_thread(copy_folder, folder, entries, place / "source")
            COPIED.reach()

        async def make_environment(place: Path) -> None:
            command = _new_environment(place / "runtime", setup)
            await self._run(command, place, None, place)

        async def copy_and_install(place: Path) -> None:
            await copy(place)
            if runtime == "python":
                await make_environment(place)
            if setup:
                environment = place / "runtime" if runtime == "python" else None
                await self._run(setup, place / "source", environment, place)

        name = _name(entries, runtime, setup)
        if runtime != "python" or not _only_installs(setup):
            place = await self._make(name, copy_and_install)
            environment = place / "runtime" if runtime == "python" else None
            return Artifact(name, place / "source", environment)
        place = await self._make(name, copy)
        relevant = await asyncio.to_thread(manifests, folder, entries, setup) if setup else ()
        shared = await self._make(digest(relevant, runtime, setup, sys.version), copy_and_install)
        return Artifact(name, place / "source", shared / "runtime")

    async def name_of(
        self, folder: Path, *, runtime: str | None = None, setup: tuple[str, ...] = ()
    ) -> str:
        """Return the digest that :meth:`build` would give the artefact; builds nothing.

        Raises:
            ArtefactRefused: The folder cannot be taken as it is.
        """
        return _name(await asyncio.to_thread(read_folder, folder), runtime, setup)

    async def _make(self, name: str, work: Callable[[Path], Awaitable[None]]) -> Path:
        """Fill the place of a name unless it is complete; whoever wants the same meanwhile waits for it."""
        place = self._root / name
        async with self._building[name]:
            if not _is_complete(place):
                async with _leaving_nothing(place):
                    await asyncio.to_thread(_start_over, place)
                    PLACE_MADE.reach()
                    await work(place)
                    SET_UP.reach()
                    await asyncio.to_thread(_mark_complete, place)
                    MARKED.reach()
        return place

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return those of some stored folders that are not there, or not whole."""
        return [name for name in sorted(names) if not _is_complete(self._root / name)]

    async def _run(
        self, command: tuple[str, ...], where: Path, environment: Path | None, place: Path
    ) -> None:
        """Run one command of a build and wait for its end; nothing that it started outlives it.

        Raises:
            BuildFailed: It failed or took longer than ``SETUP_LIMIT``.
        """
        log = place / "build.log"
        variables = self._variables(environment, place)
        program = _program(command[0], variables["PATH"], where)
        if program is None:
            raise BuildFailed(
                f"set-up: there is no program '{command[0]}'; uv is there and, with 'runtime: python', pip;"
                " others must be installed on this machine",
                program=command[0],
            )
        mark = {"DRYSTONE_BUILD": secrets.token_hex(16)} | self._mark
        try:
            process = spawn(
                (program, *command[1:]), output=log, env=variables | mark, directory=where
            )
        except Unavailable as e:
            raise BuildFailed(f"set-up: {e}", program=command[0]) from e
        try:
            async with asyncio.timeout(SETUP_LIMIT.total_seconds()):
                code = await wait(process)
        except TimeoutError as e:
            raise BuildFailed(_failure(command, f"took more than {SETUP_LIMIT}", log)) from e
        finally:
            await kill_all(partial(_carrying, mark), f"the set-up of {place.name}")
            await wait(process)
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
        """Remove what no release needs; return the names removed.

        What a release needs and is not whole stays, for whoever wants to find out what became of it.

        Args:
            keep: Names from :meth:`Artifact.parts` of every kept release.
        """
        removed = []
        for place in self._root.iterdir():
            lock = self._building.get(place.name)
            if place.name in keep or (lock is not None and lock.locked()):
                continue
            with suppress(OSError):
                remove_tree(place)
            removed.append(place.name)
        return removed


@asynccontextmanager
async def _leaving_nothing(place: Path) -> AsyncIterator[None]:
    """Remove a place that does not become whole: the disk may be full because of it.

    Raises:
        DiskFull: The disk was full.
        BuildFailed: The set-up failed; if the disk was full then, the message says so.
    """
    try:
        with needs_room(place):
            yield
    except BaseException as e:
        room = room_at(place)
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        if isinstance(e, BuildFailed) and room.is_full:
            raise BuildFailed(f"{e}\n{room.sentence()}", **e.details) from e
        raise


def _name(entries: tuple[Entry, ...], runtime: str | None, setup: tuple[str, ...]) -> str:
    """Name an artefact; one that holds an environment depends on Python as well."""
    if runtime != "python":
        return digest(entries, runtime, setup)
    installs = _only_installs(setup)
    return digest(entries, runtime, () if installs else setup, "" if installs else sys.version)


def _carrying(mark: dict[str, str]) -> set[int]:
    """Look for whatever carries a mark, daemons included."""
    rows = proc_table.table()
    return proc_table.with_relatives(rows, proc_table.carrying(rows, mark))


def _only_installs(setup: tuple[str, ...]) -> bool:
    """Tell whether a set-up fills the environment by pip or uv and does nothing else; none does nothing at all."""
    if any(_WRITES_ELSEWHERE.match(word) for word in setup):
        return False
    without_python = setup[2:] if setup[1:2] == ("-m",) else setup
    without_uv = without_python[1:] if without_python[:1] == ("uv",) else without_python
    return not setup or without_uv[:2] == ("pip", "install")


def _new_environment(environment: Path, setup: tuple[str, ...]) -> tuple[str, ...]:
    """Make an environment by the tool that fills it; without pip in it, which uv does not need, it takes no time."""
    if setup[:1] in {(), ("uv",)}:
        return ("uv", "venv", "--quiet", "--python", sys.executable, str(environment))
    return (sys.executable, "-m", "venv", str(environment))


def _program(name: str, path: str, where: Path) -> str | None:
    """Find a program on the path, or in the folder; uv is the platform's own unless the path has one."""
    found = shutil.which(str(where / name) if "/" in name else name, path=path)
    return uv.find_uv_bin() if found is None and name == "uv" else found


def _is_complete(place: Path) -> bool:
    """Tell whether a folder has its mark; an empty one is what a lost power supply leaves of it."""
    return bool(read_if_exists(place / "complete"))


def _mark_complete(place: Path) -> None:
    """Mark a folder as whole, once all that is in it has reached the disk."""
    with suppress(OSError):
        remove_tree(place / "home")
    sync_file_system(place)
    write_atomically(place / "complete", b"complete\n")


def _start_over(place: Path) -> None:
    remove_tree(place)
    place.mkdir(mode=0o755, parents=True)


def _failure(command: tuple[str, ...], how: str, log: Path) -> str:
    lines = [line.text[:MAX_LINE] for line in LogFile(log).tail(LOG_LINES)]
    return f"set-up '{' '.join(command)}' {how}; its last lines:\n  " + "\n  ".join(lines)
