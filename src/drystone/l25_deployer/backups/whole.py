"""Makes backups of a whole platform: what it knows, and what its services keep.

The records are copied first, while no operation is under way, and then each resource. So the data may be newer than the release that
comes back with it, never older: a release has to bear that from every deploy, in which the old one runs beside the new one's tables.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec
from typing_extensions import override

import drystone
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import LEAST_BYTES, DiskFull, room_at
from drystone.l25_deployer.backups import places
from drystone.l25_deployer.backups.domain import Manifest, Part, new_id
from drystone.l25_deployer.backups.store import (
    MANIFEST,
    SUMS,
    drafted,
    part_of,
    publish_as,
)
from drystone.l25_deployer.backups.whole_domain import HOME, LEFT_OUT, Kept, Whole, kept_of, total
from drystone.l25_deployer.local.ending import finished

if TYPE_CHECKING:
    from drystone.l25_deployer.backups.copyist import Copyist
    from drystone.l25_deployer.backups.sealing import BackupCipher
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.local.telling import Teller


_BUSY_S = 10.0


class OwnTables(abc.ABC):
    """The tables of the platform's own services, where there are any."""

    @abc.abstractmethod
    async def back_up(self, place: Path) -> Manifest | None:
        """Make a backup of them, which becomes this folder; None where there are none.

        Raises:
            PlatformError: They cannot be copied.
        """


class NoTables(OwnTables):
    """There are none."""

    @override
    async def back_up(self, place: Path) -> Manifest | None:
        return None


class WholeBackups:
    """Makes backups of everything in a home.

    Args:
        home: The home.
        services: What is deployed.
        copyist: Makes backups of single resources.
        tables: Those of the platform's own services.
        elsewhere: Names of engines that run elsewhere, by the type of resource that they hold.
        states: Files of SQLite in which engines keep all that they have, by the engine.
    """

    def __init__(
        self,
        *,
        home: Path,
        services: Services,
        copyist: Copyist,
        tables: OwnTables,
        elsewhere: Mapping[type, str],
        states: Mapping[str, Path] | None = None,
    ) -> None:
        self._states = states or {}
        self._home = home
        self._services = services
        self._copyist = copyist
        self._tables = tables
        self._elsewhere = elsewhere
        self._lock = asyncio.Lock()

    async def take(
        self, tell: Teller, *, by: str, folder: Path | None = None, is_planned: bool = False
    ) -> tuple[Path, Whole]:
        """Make one; whoever asks while one is made waits.

        Args:
            tell: Hears how it goes.
            by: Who asked.
            folder: Folder in which it is to lie; the platform's own when None.
            is_planned: Whether it may be removed when its time is over.

        Returns:
            Its folder, and what it says of itself.

        Raises:
            DiskFull: There is too little room; nothing is left of the attempt.
            PlatformError: Something cannot be copied; nothing is left of the attempt.
        """
        async with self._lock:
            return await self._take(tell, by=by, folder=folder, is_planned=is_planned)

    async def _take(
        self, tell: Teller, *, by: str, folder: Path | None, is_planned: bool
    ) -> tuple[Path, Whole]:
        clock = self._copyist.clock
        began, id_ = clock.monotonic(), new_id(clock.now())
        place = (folder or self._copyist.store.root / "platform") / id_
        about = Whole(id=id_, platform="", place="", at=clock.now(), by=by).about
        cipher, seal = await asyncio.to_thread(self._copyist.seals.begin, about, clock.now())
        async with drafted(place) as draft:
            with tell.step("records", "records, artefacts, secrets and keys"):
                at = clock.now()
                every, home = await self._copy_home(draft, cipher)
            made, left_out = await self._copy_resources(draft, every, tell, by)
            inside = "resources/tables"
            manifest_of_tables = await self._tables.back_up(draft / inside)
            if manifest_of_tables is not None:
                made.append(kept_of(manifest_of_tables, inside))
            states = await self._copy_states(draft, cipher)
            names = [f"{one.folder}/{name}" for one in made for name in (MANIFEST, SUMS)]
            listed = await asyncio.to_thread(lambda: [part_of(draft, name) for name in names])
            parts = (home, *states, *listed)
            whole = Whole(
                id=id_,
                platform=drystone.__version__,
                place=str(self._home.resolve()),
                at=at,
                by=by,
                seconds=round((clock.monotonic() - began).total_seconds(), 3),
                parts=parts,
                resources=tuple(made),
                states={
                    part.name: str(self._states[Path(part.name).stem].relative_to(self._home))
                    for part in states
                },
                is_planned=is_planned,
                seal=seal,
                left_out=tuple(left_out),
                elsewhere=tuple(sorted(set(self._elsewhere.values()))),
            )
            written = msgspec.json.format(msgspec.json.encode(whole), indent=1)
            await asyncio.to_thread(publish_as, draft, place, written, parts)
        tell.info("done", f"the platform is backed up: {place}, {total(whole, made) / 1e6:.1f} MB")
        return place, whole

    async def _copy_resources(
        self, draft: Path, every: Sequence[KeptService], tell: Teller, by: str
    ) -> tuple[list[Kept], list[str]]:
        """Copy what services keep; return what was copied, and what was not and why."""
        made, left_out = [], []
        for kept in every:
            for name, resource in sorted(kept.record.eternal.items()):
                if type(resource) in self._elsewhere:
                    engine = self._elsewhere[type(resource)]
                    left_out.append(f"{name} of {kept.name}: {engine} runs elsewhere")
                elif self._copyist.is_copied_otherwise(kept.record, name, self._states):
                    continue  # with the records, or with its engine, all of which is of one moment
                elif self._copyist.has_backup(kept.record, name):
                    inside = f"resources/{'/'.join(kept.record.key)}/{name}"
                    with tell.step("backup", f"{name} of {kept.name}"):
                        manifest = await self._copyist.take(
                            kept.record, name, reason="platform", by=by, place=draft / inside
                        )
                    made.append(kept_of(manifest, inside))
                else:
                    left_out.append(f"{name} of {kept.name}: its type has no backup")
        return made, left_out

    async def _copy_states(self, draft: Path, cipher: BackupCipher) -> list[Part]:
        """Copy the engines that keep all they have in one file, each as of one moment, while they work."""
        copied = []
        for engine, file in self._states.items():
            if file.exists():
                (draft / "states").mkdir(mode=0o700, exist_ok=True)
                with self._copyist.seals.staged() as plain:
                    await finished(asyncio.to_thread(_copy_state, file, plain / engine))
                    sealing = asyncio.to_thread(
                        cipher.seal_file, plain / engine, draft, f"states/{engine}"
                    )
                    copied.append(await finished(sealing))
        return copied

    async def _copy_home(self, draft: Path, cipher: BackupCipher) -> tuple[list[KeptService], Part]:
        """Copy what the platform knows, while nothing of it changes; return the services that there are then, and the copy.

        Raises:
            DiskFull: There is too little room.
            PlatformError: A record cannot be read.
        """
        from drystone.l25_deployer.local.resources import folders  # noqa: PLC0415 - with tarfile

        if self._services.unreadable:
            raise PlatformError(
                "a record cannot be read, so that a backup would miss its service: "
                + "; ".join(self._services.unreadable.values())
            )
        needed = await asyncio.to_thread(folders.size_of, self._home, without=LEFT_OUT)
        room = room_at(draft)
        if room.bytes < needed + 2 * LEAST_BYTES:
            raise DiskFull(
                f"a backup of the records may take {needed / 1e6:.0f} MB, and {room.bytes / 1e6:.0f} MB are free;"
                " free space, or name another folder by --to"
            )
        async with AsyncExitStack() as stack:
            every = self._services.all()
            for kept in every:
                await stack.enter_async_context(kept.lock)
            places.COPYING.reach()

            def pack() -> Part:
                with cipher.writer(draft, HOME) as out:
                    folders.pack_into(self._home, cast("IO[bytes]", out), without=LEFT_OUT)
                return out.part()

            return every, await finished(asyncio.to_thread(pack))


def _copy_state(source: Path, target: Path) -> None:
    """Copy a file of SQLite that somebody writes to, as of one moment (SQLite documentation, VACUUM INTO)."""
    import sqlite3  # noqa: PLC0415 - an agent hardly ever does this

    with closing(sqlite3.connect(source, timeout=_BUSY_S)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
