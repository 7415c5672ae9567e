"""Proves backups of single resources, and brings them back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups import places
from drystone.l25_deployer.backups.domain import Manifest, Trial
from drystone.l25_deployer.backups.errors import BackupWrong
from drystone.l25_deployer.backups.returning import Return, pending, pending_file
from drystone.l25_deployer.backups.store import make_folder, read_manifest
from drystone.l25_deployer.backups.taking import Taking, owner_of
from drystone.l25_deployer.local.copying import Copying
from drystone.l25_deployer.local.resources.copies import LaidOut, differences
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import ServiceRecord

_SHOWN = 5


class Copyist(Taking, Copying):
    """Copies resources and brings them back; of one resource, one thing at a time."""

    async def lay_out(
        self, record: ServiceRecord, owner: Owner, folder: Path
    ) -> tuple[Manifest, LaidOut]:
        """Read a backup, make data of it beside what is in use, and compare that with what was backed up.

        Raises:
            BackupDamaged: A file of it is not what was written.
            BackupUnknown: Another version of the platform wrote it.
            BackupSealed: The key that opens it is not here.
            BackupWrong: It is of something else, or what came of it is not what it was made of.
            PlatformError: The engine does not work.
        """
        manifest = read_manifest(folder)
        wanted = record.eternal[owner.resource]
        self._require_type(manifest, wanted)
        _require_owner(manifest, owner)
        holds = await asyncio.to_thread(self.seals.holds, manifest, folder)
        driver = self._provisioner.driver(record, owner)
        self._require_room(self._home, 2 * manifest.size, owner)
        async with self.seals.opened(folder, manifest) as plain:
            laid_out = await driver.lay_out(owner, wanted, plain)
        try:
            _require_equal(folder, differences(holds, await laid_out.holds()))
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
            holds = await asyncio.to_thread(self.seals.holds, manifest, folder)
            try:
                _, laid_out = await self.lay_out(record, owner, folder)
                await laid_out.discard()
            except PlatformError as e:
                found = (str(e),)
            trial = Trial(
                backup=manifest.id,
                at=at,
                seconds=round((self.clock.monotonic() - began).total_seconds(), 3),
                compared=len(holds),
                counted=sum(one.count for one in holds.values()),
                differences=found,
            )
            self.store.add_trial(owner, trial)
            self.note(owner, "restore test", found[0] if found else None)
            return trial

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
    def platform_troubles(self) -> list[str]:
        history = [self.history_trouble] if self.history_trouble else []
        return history + self.plans.troubles()

    @override
    def troubles(self, record: ServiceRecord) -> list[str]:
        owners = [Owner(*record.key, name) for name in record.eternal]
        found = [(one.resource, self.trouble(one)) for one in owners]
        return [
            f"the {trouble.what} of '{name}' failed at {trouble.at:%Y-%m-%d %H:%M} UTC: {trouble.text}"
            for name, trouble in found
            if trouble is not None
        ]


def _require_owner(manifest: Manifest, owner: Owner) -> None:
    """Raises BackupWrong where a backup is of something else, which somebody has put there."""
    found = Owner(manifest.environment, manifest.service, manifest.resource)
    if found != owner:
        raise BackupWrong(
            f"the backup {manifest.id} is of {found.name}, and would replace {owner.name}; nothing was changed"
        )


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
