"""Run the commands of builds: in a sandbox where one works, and so that nothing they start outlives them.

A set-up is as foreign as the service that it prepares, and runs programs of whatever it installs. In its sandbox
it sees the system, what installs packages, the copy of the service's folder and the environment under construction,
and nothing else of the home. The network is the machine's: packages come from there.

What a set-up leaves behind for the next one lies in a folder of its service: what is shared by all could be changed
by one to be installed by another.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uv

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.processes.identity import wait
from drystone.l10_engines.processes.sacrifice import INSTANCE
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.command_check import find_program
from drystone.l10_engines.runtimes.errors import CommandNotFound, InstanceFailed, SpecInvalid
from drystone.l10_engines.runtimes.hosted import kill_all
from drystone.l10_engines.runtimes.interpreters import needed_paths
from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l10_engines.runtimes.port import Exit
from drystone.l10_engines.runtimes.sandbox import View
from drystone.l25_deployer.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drystone.l10_engines.processes.identity import ProcessId
    from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap

SETUP_LIMIT = timedelta(minutes=15)
PASSED_ON = ("PIP_", "UV_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_")
"""Variables of the platform's own environment that an installation needs to reach its registry."""

INSTALLERS = tuple(Path("/etc", name) for name in ("pip.conf", "uv", "xdg/pip", "xdg/uv", "npmrc"))
"""What the machine's administrator decided about installations."""

_SEEN_ANYWAY = (*INSTALLERS, Path("/usr"), Path("/etc/ssl"), Path("/etc/pki"))

LOG_LINES = 20
MAX_LINE = 500
HOME, TEMPORARY = "home", "tmp"
"""Folders of an artefact's place that are removed when the set-up is done."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One command of a build.

    Attributes:
        command: Program and arguments.
        place: The artefact's place, which holds ``source/`` and, in the making, ``runtime/``.
        owner: Environment and service for which it is built.
        directory: Where the command begins.
        environment: The virtual environment that it fills, if any.
    """

    command: tuple[str, ...]
    place: Path
    owner: tuple[str, str]
    directory: Path
    environment: Path | None = None


class SetUps:
    """Runs the commands of the builds of one home.

    Args:
        root: The folder of the artefacts; set-ups see nothing else of the one that holds it.
        downloads: Folder that holds, for each service, what uv keeps for its next set-up.
        environ: The platform's own environment; set-ups get an excerpt (see ``PASSED_ON``).
        sandbox: Encloses set-ups; None where it does not work.
    """

    def __init__(
        self, root: Path, downloads: Path, environ: Mapping[str, str], sandbox: Bubblewrap | None
    ) -> None:
        self.sandbox = sandbox
        self._root = root
        self._downloads = downloads
        self._environ = environ
        self._mark = {"DRYSTONE_BUILDS_OF": str(root)}

    async def end_left(self) -> None:
        """End the set-ups of an earlier agent that died: they would write into what is built anew.

        Raises:
            PlatformError: One is still there after being killed again and again.
        """
        await kill_all(partial(_carrying, self._mark), f"the set-ups of {self._root}")

    async def run(self, step: Step) -> None:
        """Run one command of a build and wait for its end; nothing that it started outlives it.

        Raises:
            BuildFailed: It failed or took longer than ``SETUP_LIMIT``.
        """
        mark = {"DRYSTONE_BUILD": secrets.token_hex(16)} | self._mark
        log = step.place / "build.log"
        try:
            process = self._begin(step, log, mark)
        except (CommandNotFound, InstanceFailed, SpecInvalid, Unavailable) as e:
            raise BuildFailed(f"set-up: {e}", program=step.command[0]) from e
        try:
            async with asyncio.timeout(SETUP_LIMIT.total_seconds()):
                code = await wait(process)
        except TimeoutError as e:
            raise BuildFailed(_failure(step, f"took more than {SETUP_LIMIT}", log)) from e
        finally:
            await kill_all(partial(_carrying, mark), f"the set-up of {step.place.name}")
            await wait(process)
        if code != 0:
            status = code if code is None or code > 0 else 128 - code
            raise BuildFailed(_failure(step, Exit.from_status(status, at=None).sentence(), log))

    def _begin(self, step: Step, log: Path, mark: dict[str, str]) -> ProcessId:
        downloads = self._downloads.joinpath(*step.owner)
        for folder in (step.place / HOME, step.place / TEMPORARY, downloads):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        variables = self._variables(step, downloads)
        program = _program(step.command[0], variables["PATH"], step.directory)
        words = (str(program), *step.command[1:])
        if self.sandbox is not None:
            parts = (step.place / "source", step.place / "runtime", step.place / HOME, downloads)
            view = View(
                directory=step.directory,
                temporary=step.place / TEMPORARY,
                writable=tuple(part for part in parts if part.exists()),
                readable=tuple(self._readable()),
                hidden=self._root.parent,
            )
            words = self.sandbox.enclose(words, view, scratch=step.place)
        return spawn(
            words, output=log, env=variables | mark, directory=step.directory, sacrifice=INSTANCE
        )

    def _readable(self) -> Iterator[Path]:
        """Name what installs packages, and what the variables about it name."""
        yield from needed_paths(Path(sys.executable))
        yield from needed_paths(Path(uv.find_uv_bin()))
        yield from (path for path in INSTALLERS if path.exists())
        for value in self._passed_on().values():
            for word in value.split():
                path = Path(os.path.normpath(word.removeprefix("file://")))
                if path.is_absolute() and path.exists() and self._may_be_shown(path):
                    yield path

    def _may_be_shown(self, path: Path) -> bool:
        home = self._root.parent.resolve()
        there = path.resolve()
        is_apart = not home.is_relative_to(there) and not there.is_relative_to(home)
        return is_apart and not any(path.is_relative_to(p) for p in _SEEN_ANYWAY)

    def _passed_on(self) -> dict[str, str]:
        return {k: v for k, v in self._environ.items() if k.upper().startswith(PASSED_ON)}

    def _variables(self, step: Step, downloads: Path) -> dict[str, str]:
        path, environment = "/usr/local/bin:/usr/bin:/bin", step.environment
        return (
            self._passed_on()
            | {
                "PATH": path if environment is None else f"{environment}/bin:{path}",
                "HOME": str(step.place / HOME),
                "LANG": "C.UTF-8",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_NO_INPUT": "1",
                "UV_CACHE_DIR": str(downloads),
                "UV_LINK_MODE": "copy",  # what a service does to its files must not reach its next release
                "UV_COMPILE_BYTECODE": "1",
                **({} if environment is None else {"VIRTUAL_ENV": str(environment)}),
            }
        )

    def sweep(self, owners: frozenset[tuple[str, str]]) -> None:
        """Remove what was kept for the set-ups of services that are gone.

        Args:
            owners: Environment and name of every service that is there.
        """
        environments = {environment for environment, _ in owners}
        for folder in self._downloads.iterdir():
            inside = folder.iterdir() if folder.name in environments else ()
            gone = [path for path in inside if (folder.name, path.name) not in owners]
            for path in gone if folder.name in environments else [folder]:
                with suppress(OSError):
                    remove_tree(path)


def _carrying(mark: dict[str, str]) -> set[int]:
    """Look for whatever carries a mark, daemons included."""
    rows = proc_table.table()
    return proc_table.with_relatives(rows, proc_table.carrying(rows, mark))


def _program(name: str, path: str, where: Path) -> Path:
    """Find a program on the path, or in the folder; uv is the platform's own unless the path has one.

    Raises:
        CommandNotFound: It is not there, or the kernel cannot execute it.
    """
    try:
        return find_program(name, path=path, directory=where)
    except CommandNotFound as e:
        if name == "uv":
            return Path(uv.find_uv_bin())
        advice = (
            "uv is there and, with 'runtime: python', pip; others must be installed on this machine"
        )
        raise BuildFailed(f"set-up: {e}; {advice}", program=name) from e


def _failure(step: Step, how: str, log: Path) -> str:
    lines = [line.text[:MAX_LINE] for line in LogFile(log).tail(LOG_LINES)]
    return f"set-up '{' '.join(step.command)}' {how}; its last lines:\n  " + "\n  ".join(lines)
