"""Makes backups of single resources: as they are now, and as they were at a moment."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import LEAST_BYTES, DiskFull, full_disks, needs_room, room_at
from drystone.l25_deployer.backups import places
from drystone.l25_deployer.backups.domain import Manifest, Reason, new_id
from drystone.l25_deployer.backups.errors import NothingToBackUp
from drystone.l25_deployer.backups.further import FurtherPlaces
from drystone.l25_deployer.backups.seals import Seals
from drystone.l25_deployer.backups.store import BackupStore, Trouble, drafted, publish
from drystone.l25_deployer.backups.whole_plans import WholePlans
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, NoBackup
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.ports import Log
    from drystone.l25_deployer.local.provisioning import Provisioner
    from drystone.l25_deployer.local.records import ServiceRecord
    from drystone.l25_deployer.stacks.backup_plan import BackupPlan

T = TypeVar("T")

_LOOK_EVERY_S = 0.2


class Taking:
    """Copies resources; of one resource, one thing at a time.

    Args:
        store: Where the copies lie.
        home: The home.
        provisioner: The resources.
        clock: The time.
        log: Where to report.
        places: Folders of further places, by the names that descriptors use.

    Attributes:
        further: Keeps copies of backups in further places.
        plans: When the platform as a whole is backed up.
        history_trouble: Why the history that some resources want is not kept; empty when it is.
    """

    def __init__(
        self,
        store: BackupStore,
        *,
        home: Path,
        provisioner: Provisioner,
        clock: Clock,
        log: Log,
        places: Mapping[str, Path] | None = None,
    ) -> None:
        self.store = store
        self.further = FurtherPlaces(store, places or {})
        self.plans = WholePlans(home, store.root / "platform", clock=clock)
        self.history_trouble = ""
        self.clock = clock
        self.seals = Seals(home)
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
            self.note(owner, "backup", str(e))
            raise
        self.note(owner, "backup", None)
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
        id_ = new_id(self.clock.now())
        draft = Manifest(
            id=id_,
            type=str(wanted.__struct_config__.tag),
            environment=record.environment,
            service=record.service,
            resource=owner.resource,
            release=record.active,
            version=version,
            reason=reason,
            by=by,
            at=self.clock.now(),
        )
        return await self._made(
            draft,
            place or self.store.folder(owner) / id_,
            await driver.room_for_copy(owner, wanted),
            lambda folder: driver.back_up(owner, wanted, folder),
        )

    async def _made(
        self,
        draft: Manifest,
        place: Path,
        needed: int,
        copy: Callable[[Path], Awaitable[Copied]],
    ) -> Manifest:
        """Make a backup of what is copied into a folder of the home.

        Args:
            draft: What the backup is, as far as that is known before.
            place: Folder that it becomes.
            needed: Bytes that it may take.
            copy: Copies into an empty folder.

        Raises:
            PlatformError: As :meth:`take`.
        """
        began = self.clock.monotonic()
        for folder in (place, self._home):
            self._require_room(folder, needed, draft)
        async with drafted(place) as folder:
            with self.seals.staged() as plain:
                places.COPYING.reach()
                with needs_room(plain):
                    copied = await self._while_there_is_room(place, copy(plain))
                draft = structs.replace(draft, at=copied.at)
                with needs_room(place.parent):
                    sealing = asyncio.to_thread(
                        self.seals.seal, plain, folder, draft, copied.holds, self.clock.now()
                    )
                    sealed = await finished(sealing)
            took = (self.clock.monotonic() - began).total_seconds()
            manifest = structs.replace(sealed, seconds=round(took, 3))
            await asyncio.to_thread(publish, folder, place, manifest)
        return structs.replace(manifest, holds=copied.holds)

    async def rewind(
        self, record: ServiceRecord, owner: Owner, at: datetime, *, by: str
    ) -> Manifest:
        """Make a backup of what a resource was at a moment; its :meth:`lock` is held.

        Raises:
            NoBackup: It cannot go back to any moment.
            PlatformError: The moment is out of reach, or the engine does not work.
        """
        wanted, driver = record.eternal[owner.resource], self._provisioner.driver(record, owner)
        id_ = new_id(self.clock.now())
        draft = Manifest(
            id=id_,
            type=str(wanted.__struct_config__.tag),
            environment=record.environment,
            service=record.service,
            resource=owner.resource,
            reason="rewound",
            by=by,
            at=at,
        )
        return await self._made(
            draft,
            self.store.folder(owner) / id_,
            await driver.room_for_copy(owner, wanted),
            lambda folder: driver.rewind(owner, wanted, at, folder),
        )

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

    def _require_room(self, place: Path, needed: int, of: Owner | Manifest) -> None:
        """Begin nothing that would fill the disk, on which services write, too.

        Raises:
            DiskFull: The message says how much is needed.
        """
        room = room_at(place)
        if room.bytes < needed + 2 * LEAST_BYTES:
            raise DiskFull(
                f"a backup of '{of.resource}' of {of.service} in {of.environment} may take"
                f" {needed / 1e6:.0f} MB, and the disk of {place} has {room.bytes / 1e6:.0f} MB: free space there, or, where"
                " the backups fill it, let the setting backups.folder name another disk"
            )

    async def _while_there_is_room(self, place: Path, work: Awaitable[T]) -> T:
        """Give a copy up when the disk gets full, so that those who work there are not the ones who find out."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_LOOK_EVERY_S)
                full = full_disks((place, self._home))
                if full and not task.done():
                    raise DiskFull(f"{full[0].sentence()}; the backup was given up")
        finally:
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await asyncio.shield(asyncio.wait((task,)))
        return task.result()

    def has_backup(self, record: ServiceRecord, name: str) -> bool:
        """Tell whether resources of this type have backups."""
        driver = self._provisioner.driver(record, owner_of(record, name))
        return driver.backs_up(record.eternal[name])

    def is_copied_otherwise(
        self, record: ServiceRecord, name: str, engines: Collection[str]
    ) -> bool:
        """Tell whether a resource comes along with the home, or with the whole of an engine, when a platform is backed up."""
        owner = owner_of(record, name)
        driver = self._provisioner.driver(record, owner)
        return driver.lies_in_home or driver.engine_of(owner) in engines

    def lock(self, owner: Owner) -> asyncio.Lock:
        """Return what is held while something is done with copies of a resource."""
        return self._locks[owner]

    def note(self, owner: Owner, what: str, text: str | None) -> None:
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
