"""Going back to any moment: copies of the whole server, and its write-ahead log from then on.

The server hands every segment of its log to a folder of the engine (PostgreSQL documentation, 25.3), a minute after something was written at
the latest; from there the segments are taken to where backups lie. To go back, a server is started beside the one in use, on the latest copy
before the moment; it replays the log until then, and the one database is copied from it as from any other. The server in use is
never touched.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import structs

from drystone.l00_kernel.atomic import sync_file
from drystone.l00_kernel.errors import Invalid, Unavailable
from drystone.l10_engines.postgres import configuration, dumps
from drystone.l10_engines.postgres.account import server_account
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.programs import run_program
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.postgres.statements import connected

_BASE, _NOTE = "base.tar.gz", "base.json"
_LEVEL = 1
_ARCHIVE_LIMIT_S = 60.0
_GLANCE_S = 0.1


class MomentOutOfReach(Invalid):
    """Nothing leads back to this moment."""


class Base(msgspec.Struct, frozen=True):
    """A copy of the whole server.

    Attributes:
        segment: First segment of the log that it needs.
        ended: From when on any moment can be gone back to.
    """

    segment: str
    ended: datetime


class Rewinder:
    """Keeps what is needed to go back to any moment, and goes back.

    Args:
        server: The server in use.
        root: Folder for the copies and the log; closed to others.
    """

    def __init__(self, server: Postgres, root: Path) -> None:
        self._server = server
        self._root = root
        self._lock = asyncio.Lock()

    async def keep(self, *, every: timedelta, keep: timedelta, now: datetime) -> None:
        """Take over what the server has written since, copy it when that is due, and let go what is too old.

        Args:
            every: Time between two copies; going back takes longer, the more log there is to replay.
            keep: How far back a moment may lie.
            now: The time.

        Raises:
            Unavailable: The server does not answer, or does not hand its log over yet.
            OSError: There is no room.
        """
        async with self._lock:
            self._mark().parent.mkdir(mode=0o700, exist_ok=True)
            account = server_account()
            if account is not None:
                shutil.chown(self._mark().parent, account.user, account.group)
            self._mark().touch()
            folder = await self._folder()
            await asyncio.to_thread(self._collect, folder)
            bases = _bases(folder)
            if not bases or now - bases[-1][1].ended >= every:
                await self._copy(folder, now)
                bases = _bases(folder)
            await asyncio.to_thread(_let_go, folder, bases, now - keep)

    async def rewind(self, name: str, at: datetime, file: Path) -> dumps.Dumped:
        """Copy a database as it was at a moment: what was committed until then is in it, and nothing that was later.

        Args:
            name: As it was given to :meth:`~drystone.l10_engines.postgres.databases.Databases.provision`.
            at: The moment, to the microsecond.
            file: Where to, as for :func:`~drystone.l10_engines.postgres.dumps.dump`.

        Raises:
            MomentOutOfReach: No copy is that old, or the moment is yet to come.
            Unavailable: A server does not answer, or the database was not there then.
        """
        async with self._lock:
            folder = await self._folder()
            base = await self._reached(folder, at)
            await self._hand_over(folder)
            scratch = Postgres(
                f"{self._server.name}-rewound",
                self._server.directory.with_name(f"{self._server.directory.name}-rewound"),
                memory=self._server.memory,
            )
            await asyncio.to_thread(shutil.rmtree, scratch.directory, ignore_errors=True)
            try:
                await asyncio.to_thread(self._lay_back, folder, base, at, scratch)
                await scratch.start()
                access = structs.replace(scratch.admin(), database=identifier(name))
                dumped = await dumps.dump(access, file)
            finally:
                await scratch.stop()
                await asyncio.to_thread(shutil.rmtree, scratch.directory, ignore_errors=True)
            return dumps.Dumped(at, dumped.tables)

    async def _reached(self, folder: Path, at: datetime) -> Path:
        """Return the folder of the latest copy before a moment.

        Raises:
            MomentOutOfReach: The message says how far back one can go.
        """
        bases = _bases(folder)
        before = [path for path, base in bases if base.ended <= at]
        if not before:
            since = f"{bases[0][1].ended:%Y-%m-%d %H:%M:%S} UTC" if bases else "no moment yet"
            raise MomentOutOfReach(
                f"{at:%Y-%m-%d %H:%M:%S} UTC is out of reach: one can go back to {since} at the earliest, and to any"
                " moment since"
            )
        async with connected(self._server.admin()) as connection:
            found = await connection.execute("SELECT clock_timestamp() < %s", (at,))
            row = await found.fetchone()
        if row is None or row[0]:
            raise MomentOutOfReach(f"{at:%Y-%m-%d %H:%M:%S} UTC is yet to come")
        return before[-1]

    async def _hand_over(self, folder: Path) -> None:
        """Let the server hand over all of its log until now, with the end of a transaction after any moment before.

        Raises:
            Unavailable: It does not do so within a minute.
        """
        async with connected(self._server.admin()) as connection:
            await connection.execute("SELECT pg_logical_emit_message(true, 'drystone', 'rewind')")
            found = await connection.execute("SELECT pg_walfile_name(pg_switch_wal())")
            row = await found.fetchone()
        last = str(row[0]) if row else ""
        async with asyncio.timeout(_ARCHIVE_LIMIT_S):
            while not (folder / "wal" / f"{last}.gz").exists():
                await asyncio.sleep(_GLANCE_S)
                await asyncio.to_thread(self._collect, folder)

    async def _folder(self) -> Path:
        """Return the folder of what was kept of this server; a server that was made anew begins anew.

        Raises:
            Unavailable: The server does not answer, or does not hand its log over.
        """
        async with connected(self._server.admin()) as connection:
            found = await connection.execute(
                "SELECT system_identifier::text, current_setting('archive_mode') FROM pg_control_system()"
            )
            row = await found.fetchone()
        if row is None or row[1] != "on":
            raise Unavailable(
                "PostgreSQL was started by an earlier version of the platform and does not hand its log over yet;"
                " `drystone down` and `drystone up` change that"
            )
        folder = self._root / str(row[0])
        for each in (self._root, folder, folder / "wal", folder / "base"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    async def _copy(self, folder: Path, now: datetime) -> None:
        """Copy the whole server."""
        place = folder / "base" / now.strftime("%Y%m%dt%H%M%Sz")
        draft = place.with_name(f".draft-{place.name}")
        shutil.rmtree(draft, ignore_errors=True)
        admin = self._server.admin()
        async with connected(admin) as connection:
            found = await connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
            row = await found.fetchone()
        words = (
            f"--pgdata={draft}",
            "--format=tar",
            "--compress=gzip:1",
            "--wal-method=none",
            "--checkpoint=fast",
            "--no-manifest",
            "--no-password",
        )
        try:
            await run_program("pg_basebackup", words, admin)
            async with connected(admin) as connection:
                done = await connection.execute("SELECT clock_timestamp()")
                ended = await done.fetchone()
            base = Base(str(row[0]) if row else "", ended[0] if ended else now)
            (draft / _NOTE).write_bytes(msgspec.json.encode(base))
            draft.chmod(0o700)
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _mark(self) -> Path:
        """Return the file whose presence lets the server hand its log over."""
        return self._server.directory / configuration.ARCHIVE / configuration.WANTED

    def _collect(self, folder: Path) -> None:
        """Take segments that the server has handed over to where backups lie."""
        for path in sorted(self._mark().parent.iterdir()):
            if path.name == configuration.WANTED or path.name.endswith(".part"):
                continue
            target = folder / "wal" / f"{path.name}.gz"
            partial = target.with_suffix(".part")
            with path.open("rb") as source, gzip.open(partial, "wb", _LEVEL) as out:
                shutil.copyfileobj(source, out, 1 << 20)
            sync_file(partial)
            partial.rename(target)
            path.unlink()

    def _lay_back(self, folder: Path, base: Path, at: datetime, scratch: Postgres) -> None:
        """Lay a copy of the server and its log out, so that a server started there goes on until a moment."""
        scratch.directory.mkdir(mode=0o711)
        wal = scratch.directory / "log-until-then"
        wal.mkdir(mode=0o700)
        note = msgspec.json.decode((base / _NOTE).read_bytes(), type=Base)
        for path in sorted((folder / "wal").glob("*.gz")):
            if path.stem >= note.segment or path.stem.endswith(".history"):
                with gzip.open(path) as source, (wal / path.stem).open("wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
        scratch.data.mkdir(mode=0o700)
        import tarfile  # noqa: PLC0415 - hardly ever done

        with tarfile.open(base / _BASE) as tar:
            tar.extractall(scratch.data, filter="tar")
        settings = {
            "restore_command": f'cp "{wal}/%f" "%p"',
            "recovery_target_time": at.isoformat(),
            "recovery_target_action": "promote",
            "hot_standby": "off",
            "archive_mode": "off",
        }
        with (scratch.data / "postgresql.auto.conf").open("a") as file:
            file.write(configuration.render(settings))
        (scratch.data / "recovery.signal").touch()
        shutil.copy2(self._server.directory / "password", scratch.directory / "password")
        account = server_account()
        if account is not None:
            for each in (scratch.directory, *scratch.directory.rglob("*")):
                os.chown(each, account.user, account.group, follow_symlinks=False)


def _bases(folder: Path) -> list[tuple[Path, Base]]:
    """Return the copies of the server, the oldest first."""
    found = [
        (path.parent, msgspec.json.decode(path.read_bytes(), type=Base))
        for path in (folder / "base").glob(f"*/{_NOTE}")
    ]
    return sorted(found, key=lambda one: one[1].ended)


def _let_go(folder: Path, bases: list[tuple[Path, Base]], oldest: datetime) -> None:
    """Remove copies that no moment within reach needs, and the log before those that stay."""
    needed = [n for n, (_, base) in enumerate(bases) if base.ended <= oldest]
    first = needed[-1] if needed else 0
    for path, _ in bases[:first]:
        shutil.rmtree(path, ignore_errors=True)
    if bases:
        for path in (folder / "wal").glob("*.gz"):
            if not path.stem.endswith(".history") and path.stem < bases[first][1].segment:
                path.unlink()
