"""Makes backups of single resources, proves them, and brings them back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import LEAST_BYTES, DiskFull, needs_room, room_at
from drystone.l25_deployer.backups import places
from drystone.l25_deployer.backups.domain import Manifest, Reason, Trial, new_id
from drystone.l25_deployer.backups.errors import BackupWrong, NothingToBackUp
from drystone.l25_deployer.backups.store import (
    BackupStore,
    Trouble,
    drafted,
    make_folder,
    parts_of,
    publish,
    read_manifest,
    require_whole,
)
from drystone.l25_deployer.local.copying import Copying
from drystone.l25_deployer.local.resources.copies import LaidOut, NoBackup, differences
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.ports import Log
    from drystone.l25_deployer.local.provisioning import Provisioner
    from drystone.l25_deployer.local.records import ServiceRecord
    from drystone.l25_deployer.stacks.backup_plan import BackupPlan

T = TypeVar("T")

_LOOK_EVERY_S = 0.2
_SHOWN = 5


class Return(msgspec.Struct, frozen=True):
    """A backup that is to come back before its service starts.

    Attributes:
        backup: Its folder; relative to the home where it lies there.
        since: When it was decided.
        by: Who asked.
    """

    backup: str
    since: datetime
    by: str


class Copyist(Copying):
    """Copies resources and brings them back; of one resource, one thing at a time.

    Args:
        store: Where the copies lie.
        home: The home.
        provisioner: The resources.
        clock: The time.
        log: Where to report.
    """

    def __init__(
        self, store: BackupStore, *, home: Path, provisioner: Provisioner, clock: Clock, log: Log
    ) -> None:
        self.store = store
        self.clock = clock
        self._home = home
        self._provisioner = provisioner
        self._log = log
        self._locks: dict[Owner, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._troubles: dict[Owner, Trouble | None] = {}

    async def take(
        self,
        record: ServiceRecord,
        name: str,
        *,
        reason: Reason,
        by: str,
        version: str = "",
        place: Path | None = None,
    ) -> Manifest:
        """Make a backup of one resource.

        Args:
            record: Whose.
            name: The resource.
            reason: Why.
            by: Who asked.
            version: What the release that serves is called.
            place: Folder that the backup becomes; one of the store when None.

        Raises:
            NothingToBackUp: There is no such resource.
            NoBackup: Resources of its type have none.
            DiskFull: There is too little room; nothing is left of the attempt.
            PlatformError: The engine does not work; nothing is left of the attempt.
        """
        owner = owner_of(record, name)
        async with self._locks[owner]:
            return await self.take_held(
                record, owner, reason=reason, by=by, version=version, place=place
            )

    async def take_held(
        self,
        record: ServiceRecord,
        owner: Owner,
        *,
        reason: Reason,
        by: str,
        version: str = "",
        place: Path | None = None,
    ) -> Manifest:
        """Make a backup, as :meth:`take` does, of a resource whose :meth:`lock` is held."""
        try:
            made = await self._take(
                record, owner, reason=reason, by=by, version=version, place=place
            )
        except NoBackup:
            raise
        except (PlatformError, OSError) as e:
            self._note(owner, "backup", str(e))
            raise
        self._note(owner, "backup", None)
        return made

    async def _take(
        self,
        record: ServiceRecord,
        owner: Owner,
        *,
        reason: Reason,
        by: str,
        version: str,
        place: Path | None,
    ) -> Manifest:
        wanted, driver = record.eternal[owner.resource], self._provisioner.driver(record, owner)
        began = self.clock.monotonic()
        await driver.apply(owner, wanted)  # its engine runs, and it exists
        needed = await driver.room_for_copy(owner, wanted)
        id_ = new_id(self.clock.now())
        place = place or self.store.folder(owner) / id_
        self._require_room(place, needed, owner)
        async with drafted(place) as draft:
            places.COPYING.reach()
            with needs_room(place.parent):
                copied = await self._while_there_is_room(
                    place, driver.back_up(owner, wanted, draft)
                )
            parts = await asyncio.to_thread(parts_of, draft)
            manifest = Manifest(
                id=id_,
                type=str(wanted.__struct_config__.tag),
                environment=record.environment,
                service=record.service,
                resource=owner.resource,
                release=record.active,
                version=version,
                reason=reason,
                by=by,
                at=copied.at,
                seconds=round((self.clock.monotonic() - began).total_seconds(), 3),
                parts=parts,
                holds=copied.holds,
            )
            await asyncio.to_thread(publish, draft, place, manifest)
        return manifest

    async def rewind(
        self, record: ServiceRecord, owner: Owner, at: datetime, *, by: str
    ) -> Manifest:
        """Make a backup of what a resource was at a moment; its :meth:`lock` is held.

        Raises:
            NoBackup: It cannot go back to any moment.
            PlatformError: The moment is out of reach, or the engine does not work.
        """
        wanted, driver = record.eternal[owner.resource], self._provisioner.driver(record, owner)
        began, id_ = self.clock.monotonic(), new_id(self.clock.now())
        place = self.store.folder(owner) / id_
        needed = await driver.room_for_copy(owner, wanted)
        self._require_room(place, needed, owner)
        async with drafted(place) as draft:
            rewinding = driver.rewind(owner, wanted, at, draft)
            copied = await self._while_there_is_room(place, rewinding)
            manifest = Manifest(
                id=id_,
                type=str(wanted.__struct_config__.tag),
                environment=record.environment,
                service=record.service,
                resource=owner.resource,
                reason="rewound",
                by=by,
                at=copied.at,
                seconds=round((self.clock.monotonic() - began).total_seconds(), 3),
                parts=await asyncio.to_thread(parts_of, draft),
                holds=copied.holds,
            )
            await asyncio.to_thread(publish, draft, place, manifest)
        return manifest

    async def keep_history(self, plans: Mapping[type, list[BackupPlan]]) -> None:
        """Keep what is needed to go back to any moment, for the types whose plans say so.

        Args:
            plans: Those of the resources that can go back, by their type.

        Raises:
            PlatformError: An engine does not work.
        """
        for kind, driver in self._provisioner.drivers().items():
            wanted = plans.get(kind, [])
            if wanted:
                await driver.keep_history(
                    every=min(plan.every for plan in wanted),
                    keep=max(plan.keep for plan in wanted),
                    now=self.clock.now(),
                )
            else:
                await driver.end_history()

    def _require_room(self, place: Path, needed: int, owner: Owner) -> None:
        """Begin nothing that would fill the disk, on which services write, too.

        Raises:
            DiskFull: The message says how much is needed.
        """
        room = room_at(place)
        if room.bytes < needed + 2 * LEAST_BYTES:
            raise DiskFull(
                f"a backup of '{owner.resource}' of {owner.service} in {owner.environment} may take"
                f" {needed / 1e6:.0f} MB, and the disk of {self.store.root} has {room.bytes / 1e6:.0f} MB: free space"
                " there, or let the setting backups.folder name another disk"
            )

    async def _while_there_is_room(self, place: Path, work: Awaitable[T]) -> T:
        """Give a copy up when the disk gets full, so that those who work there are not the ones who find out."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_LOOK_EVERY_S)
                room = room_at(place)
                if room.is_full and not task.done():
                    raise DiskFull(f"{room.sentence()}; the backup was given up")
        finally:
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await asyncio.shield(asyncio.wait((task,)))
        return task.result()

    async def lay_out(
        self, record: ServiceRecord, owner: Owner, folder: Path
    ) -> tuple[Manifest, LaidOut]:
        """Read a backup, make data of it beside what is in use, and compare that with what was backed up.

        Raises:
            BackupDamaged: A file of it is not what was written.
            BackupUnknown: Another version of the platform wrote it.
            BackupWrong: What came of it is not what it was made of.
            PlatformError: The engine does not work.
        """
        manifest = read_manifest(folder)
        wanted = record.eternal[owner.resource]
        self._require_type(manifest, wanted)
        await asyncio.to_thread(require_whole, folder, manifest.parts)
        driver = self._provisioner.driver(record, owner)
        self._require_room(self._home, manifest.size, owner)
        laid_out = await driver.lay_out(owner, wanted, folder)
        try:
            _require_equal(folder, differences(manifest.holds, await laid_out.holds()))
        except BaseException:
            with suppress(PlatformError):
                await laid_out.discard()
            raise
        places.LAID_OUT.reach()
        return manifest, laid_out

    @staticmethod
    def _require_type(manifest: Manifest, wanted: msgspec.Struct) -> None:
        """Raises BackupWrong where a backup is of a resource of another type."""
        if manifest.type != wanted.__struct_config__.tag:
            raise BackupWrong(
                f"the backup {manifest.id} is of a {manifest.type}, and '{manifest.resource}' is a"
                f" {wanted.__struct_config__.tag}; nothing was changed"
            )

    async def try_to_restore(self, record: ServiceRecord, name: str, folder: Path) -> Trial:
        """Restore a backup into a scratch place, compare all of it, throw it away, and keep what was found.

        Raises:
            PlatformError: The engine does not work; that says nothing about the backup.
        """
        owner = owner_of(record, name)
        async with self._locks[owner]:
            began, at = self.clock.monotonic(), self.clock.now()
            manifest = read_manifest(folder)
            found: tuple[str, ...] = ()
            try:
                _, laid_out = await self.lay_out(record, owner, folder)
                await laid_out.discard()
            except PlatformError as e:
                found = (str(e),)
            trial = Trial(
                backup=manifest.id,
                at=at,
                seconds=round((self.clock.monotonic() - began).total_seconds(), 3),
                compared=len(manifest.holds),
                counted=sum(one.count for one in manifest.holds.values()),
                differences=found,
            )
            self.store.add_trial(owner, trial)
            self._note(owner, "restore test", found[0] if found else None)
            return trial

    def has_backup(self, record: ServiceRecord, name: str) -> bool:
        """Tell whether resources of this type have backups."""
        return self._provisioner.driver(record, owner_of(record, name)).has_backup

    def is_copied_otherwise(
        self, record: ServiceRecord, name: str, engines: Collection[str]
    ) -> bool:
        """Tell whether a resource without backups comes along with the home, or with the whole of an engine."""
        owner = owner_of(record, name)
        driver = self._provisioner.driver(record, owner)
        return driver.lies_in_home or driver.engine_of(owner) in engines

    def lock(self, owner: Owner) -> asyncio.Lock:
        """Return what is held while something is done with copies of a resource."""
        return self._locks[owner]

    # What comes back before a service starts

    def intend(self, owner: Owner, folder: Path, by: str) -> None:
        """Write down that a backup comes back, so that whoever follows finishes what was begun."""
        path = self._pending(owner)
        make_folder(path.parent)
        write_atomically(
            path, msgspec.json.encode(pending(self._home, folder, self.clock.now(), by))
        )
        places.INTENDED.reach()

    def is_intended(self, owner: Owner) -> bool:
        """Tell whether a backup is to come back."""
        return self._pending(owner).exists()

    def settle(self, owner: Owner) -> None:
        """Forget that a backup was to come back."""
        self._pending(owner).unlink(missing_ok=True)
        places.RETURNED.reach()

    def _pending(self, owner: Owner) -> Path:
        return pending_file(self._home, owner)

    @override
    async def bring_back(self, record: ServiceRecord, name: str) -> bool:
        owner = owner_of(record, name)
        written = read_if_exists(self._pending(owner))
        if written is None:
            return False
        folder = self._home / msgspec.json.decode(written, type=Return).backup
        async with self._locks[owner]:
            self._log.info("a backup comes back", resource=owner.name, backup=str(folder))
            _, laid_out = await self.lay_out(record, owner, folder)
            await laid_out.put_in_place()
            places.IN_PLACE.reach()
            self.settle(owner)
        return True

    @override
    async def keep_last(self, record: ServiceRecord, name: str, by: str) -> str | None:
        if not self.has_backup(record, name):
            return None
        return (await self.take(record, name, reason="final", by=by)).id

    @override
    def troubles(self, record: ServiceRecord) -> list[str]:
        owners = [Owner(*record.key, name) for name in record.eternal]
        found = [(one.resource, self.trouble(one)) for one in owners]
        return [
            f"the {trouble.what} of '{name}' failed at {trouble.at:%Y-%m-%d %H:%M} UTC: {trouble.text}"
            for name, trouble in found
            if trouble is not None
        ]

    def _note(self, owner: Owner, what: str, text: str | None) -> None:
        """Remember what went wrong, for whoever looks at the platform's state."""
        known = self.trouble(owner)
        if text is None and (known is None or known.what != what):
            return
        trouble = None if text is None else Trouble(self.clock.now(), what, text)
        self._troubles[owner] = trouble
        if text is not None:
            self._log.warning(f"{what} failed", resource=owner.name, reason=text)
        with suppress(OSError):  # on a full disk the next agent knows less
            self.store.note_trouble(owner, trouble)

    def trouble(self, owner: Owner) -> Trouble | None:
        """Return why the last attempt failed; None when it did not."""
        if owner not in self._troubles:
            self._troubles[owner] = self.store.trouble(owner)
        return self._troubles[owner]


def _require_equal(folder: Path, found: list[str]) -> None:
    """Refuse a backup that gives something else back.

    Raises:
        BackupWrong: The message says what differs.
    """
    if found:
        raise BackupWrong(
            f"{folder} does not give back what it was made of: {'; '.join(found[:_SHOWN])}"
            f"{' …' if len(found) > _SHOWN else ''}; nothing was changed, take another backup"
        )


def owner_of(record: ServiceRecord, name: str) -> Owner:
    """Return whose a resource is.

    Raises:
        NothingToBackUp: The service has no such resource; the message names those that it has.
    """
    if name not in record.eternal:
        raise NothingToBackUp(
            f"{record.service} in {record.environment} has no resource '{name}'; it has:"
            f" {', '.join(sorted(record.eternal)) or 'none'}"
        )
    return Owner(record.environment, record.service, name)


def pending_file(home: Path, owner: Owner) -> Path:
    """Return the file that says which backup of a resource comes back."""
    return home / "returning" / f"{owner.path}.json"


def pending(home: Path, folder: Path, now: datetime, by: str) -> Return:
    """Say which backup comes back, so that the home may be moved."""
    inside = folder.relative_to(home) if folder.is_relative_to(home) else folder
    return Return(str(inside), now, by)
