"""A PostgreSQL server that runs here."""

from __future__ import annotations

import abc
import asyncio
import secrets
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from drystone.l00_kernel.atomic import sync_folder, write_atomically
from drystone.l10_engines.postgres import binaries, configuration
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.account import Account, barrier, server_account
from drystone.l10_engines.postgres.probe import Answer, ask
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.brief import run_briefly
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.supervision import files
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import Engine

SUPERUSER = "postgres"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_BOUND = 'ulimit -d "$0" 2>/dev/null; exec "$@"'
_PATIENCE = Patience(stop=timedelta(minutes=1))  # it writes all that is dirty before it ends
_INITDB = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",  # needed where LANG is unset
    "--locale-provider=builtin",  # independent of the machine's glibc: the data may move
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--data-checksums",
)


class PostgresEngine(Engine):
    """A PostgreSQL server, here or elsewhere."""

    @abc.abstractmethod
    def admin(self) -> DatabaseAccess:
        """Return the access of a role that may make databases and roles.

        Raises:
            EngineFailed: The engine was never started.
        """


class Postgres(LocalEngine, PostgresEngine):
    """PostgreSQL 18 from the wheel, on a loopback port and a unix socket.

    As root the server runs as a system user of its own (see
    :func:`~drystone.l10_engines.postgres.account.server_account`), which must be able to pass every
    parent of ``directory``.

    Args:
        name: The engine's name among all engines of one home.
        directory: The engine's own directory.
        memory: Bound in bytes; see :func:`~drystone.l10_engines.postgres.configuration.memory_settings`.
        patience: How long it is waited for.
        installation: Where the wheel lies; found by itself when None.
    """

    program: ClassVar[str] = "postgres"
    reserve: ClassVar[tuple[int, int]] = (2, configuration.WAL_SEGMENT)
    """A recovery needs a new segment of the log before it can let old ones go; the other one is for small files."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        memory: int = 256 * configuration.MEBIBYTE,
        patience: Patience | None = None,
        installation: Path | None = None,
    ) -> None:
        super().__init__(name, directory, memory=memory, patience=patience or _PATIENCE)
        self._installation = installation
        self._sockets = directory / "run"
        self._password = directory / "password"
        self.quit_grace = timedelta(seconds=5)

    @override
    def admin(self) -> DatabaseAccess:
        return DatabaseAccess(
            host="127.0.0.1",
            port=self.port,
            database="postgres",
            user=SUPERUSER,
            password=self._password.read_text(),
        )

    @property
    def socket_directory(self) -> Path | None:
        """The folder of the unix socket; None where its path would be too long for one."""
        return self._sockets if configuration.fits_socket(self._sockets, self.port) else None

    @override
    async def probe(self) -> bool:
        return await self._ask() is Answer.READY

    @override
    async def is_responsive(self) -> bool:
        return self.is_running() and await self._ask() is not Answer.NONE

    async def _ask(self) -> Answer:
        folder = self.socket_directory
        return await ask(folder / f".s.PGSQL.{self.port}" if folder else ("127.0.0.1", self.port))

    @override
    def check_place(self) -> None:
        account = server_account()
        if account is not None:
            self._refuse_barrier(account, self.directory.parent)

    @override
    async def prepare(self) -> None:
        account = server_account()
        if account is not None:
            self.directory.chmod(0o711)
            self._refuse_barrier(account, self.directory)
        root = await asyncio.to_thread(self._reachable_installation, account)
        self._make_folder(self._sockets, 0o700, account)
        if not self._has_data():
            await self._initialise(root, account)
        self._drop_locks()

    def _refuse_barrier(self, account: Account, place: Path) -> None:
        folder = barrier(account, place)
        if folder is not None:
            raise EngineFailed(
                f"{self.name} runs as the user {account.name}, because PostgreSQL refuses to run as "
                f"root, and that user may not pass the directory {folder}. Choose a home elsewhere, "
                f"for example /var/lib/drystone, or allow it: chmod o+x {folder}",
                engine=self.name,
            )

    def _reachable_installation(self, account: Account | None) -> Path:
        """Return an installation that the server's user can read, copying the wheel's if it cannot."""
        root = self._installation or binaries.installed_root()
        folder = binaries.program(root, "postgres").parent
        if account is None or barrier(account, folder) is None:
            return root
        copy = self.directory / f"program-{binaries.wheel_version()}"
        if not copy.exists():
            for older in self.directory.glob("program-*"):
                shutil.rmtree(older)
            binaries.copy_for_others(root, copy)
        return copy

    def _has_data(self) -> bool:
        """Tell whether a data directory of the right version is there.

        Raises:
            EngineFailed: It is of another major version.
        """
        marker = self.data / "PG_VERSION"
        if not marker.exists():
            return False
        found = marker.read_text().strip()
        if found != str(binaries.MAJOR):
            raise EngineFailed(
                f"the data in {self.data} is of PostgreSQL {found} and the server is "
                f"{binaries.MAJOR}; move it with pg_upgrade or pg_dump, see "
                "https://www.postgresql.org/docs/18/upgrading.html",
                engine=self.name,
            )
        return True

    async def _initialise(self, root: Path, account: Account | None) -> None:
        """Make the data directory under another name, and rename it when it is whole and synced.

        The name is new each time: an initdb whose starter died may still be at work on its own.
        """
        for left in self.directory.glob("data.draft*"):
            await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
        draft = self.directory / f"data.draft-{secrets.token_hex(4)}"
        self._make_folder(draft, 0o700, account)
        owner = (account.user, account.group) if account else None
        write_atomically(self._password, secrets.token_urlsafe(32).encode(), owner=owner)
        offset = self.log.stat().st_size if self.log.exists() else 0
        process = spawn(
            (
                str(binaries.program(root, "initdb")),
                *_INITDB,
                f"--pwfile={self._password}",
                str(draft),
            ),
            output=self.log,
            env=_ENVIRONMENT,
            directory=self.directory,
            user=account.user if account else None,
            group=account.group if account else None,
        )
        try:
            code = await identity.wait(process)
        finally:
            identity.send(process, signal.SIGKILL)
        if code != 0:
            last_lines = files.tail(self.log, since=offset)
            raise EngineFailed(
                f"{self.name}: no database could be made in {draft}. initdb said:\n{last_lines}",
                engine=self.name,
            )
        with (draft / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'drystone.conf'\n")
        draft.rename(self.data)
        sync_folder(self.directory)

    def _make_folder(self, folder: Path, mode: int, account: Account | None) -> None:
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        if account is not None:
            shutil.chown(folder, account.user, account.group)

    def _drop_locks(self) -> None:
        """Remove the lock files of the server that was there before.

        PostgreSQL takes any living process of its own user for the one that wrote them, also one that got the number
        since, and one that is dead and of which its parent has not taken notice yet. None of our server's processes
        works in the data directory when this is called, so that nobody holds them.
        """
        for lock in (self.data / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)

    def _lock_holder(self) -> int | None:
        try:
            first = (self.data / "postmaster.pid").read_text().partition("\n")[0]
        except FileNotFoundError:
            return None
        return int(first) if first.strip().isdigit() else None

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        account = server_account()
        owner = (account.user, account.group) if account else None
        port = ports["clients"]
        sockets = self._sockets if configuration.fits_socket(self._sockets, port) else None
        settings = configuration.server_settings(port=port, sockets=sockets, memory=self.memory)
        settings |= configuration.archiving((self.directory / configuration.ARCHIVE).resolve())
        for name, text in (
            ("drystone.conf", configuration.render(settings)),
            ("pg_hba.conf", configuration.HOST_BASED_ACCESS),
        ):
            write_atomically(self.data / name, text.encode(), owner=owner)
        postgres = binaries.program(self._reachable_installation(account), "postgres")
        return Launch(
            command=(*self._bounded(), str(postgres), "-D", str(self.data.resolve())),
            env=_ENVIRONMENT,
            user=account.user if account else None,
            group=account.group if account else None,
        )

    def _bounded(self) -> tuple[str, ...]:
        """Return words before a command that bound the private memory of each of its processes (setrlimit(2)).

        A statement that wants more fails with "out of memory" and its session goes on. Without a bound it would take
        the machine's last memory, and the kernel would end others for it, or a backend, and with that the server
        ends every session to be sure of the memory that they share.
        """
        return ("/bin/sh", "-c", _BOUND, str(self.memory // 1024))

    @override
    async def ask_version(self) -> str:
        postgres = binaries.program(self._installation or binaries.installed_root(), "postgres")
        asked = await run_briefly([str(postgres), "--version"], env=_ENVIRONMENT)
        return asked.output.decode().split()[-1]

    @override
    def mains(self, found: tuple[ProcessId, ...]) -> tuple[ProcessId, ...]:
        holder = self._lock_holder()
        return tuple(process for process in found if process.pid == holder)

    @override
    async def end(self, process: ProcessId) -> None:
        """End with a fast shutdown, then an immediate one, then by force (documentation, 18.5)."""
        if identity.send(process, signal.SIGINT):
            try:
                async with asyncio.timeout(self.patience.stop.total_seconds()):
                    await identity.wait(process)
            except TimeoutError:
                await identity.stop(process, number=signal.SIGQUIT, grace=self.quit_grace)
        await identity.wait(process)

    @override
    def is_passing(self, last_lines: str) -> bool:
        return "pre-existing shared memory block" in last_lines
