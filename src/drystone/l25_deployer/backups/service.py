"""Answers whoever asks for backups; what makes them is beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups import places
from drystone.l25_deployer.backups.api import BackupsApi, PlannedBackups, ResourceBackups
from drystone.l25_deployer.backups.copyist import Copyist
from drystone.l25_deployer.backups.domain import latest
from drystone.l25_deployer.backups.errors import (
    BackupWrong,
    NoSuchBackup,
    NothingToBackUp,
    RestoreNotConfirmed,
)
from drystone.l25_deployer.backups.store import read_manifest
from drystone.l25_deployer.backups.taking import owner_of
from drystone.l25_deployer.backups.views import planned_view, view
from drystone.l25_deployer.local.recovery import recover
from drystone.l25_deployer.local.resources.copies import NoBackup
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from drystone.l25_deployer.api import Progress
    from drystone.l25_deployer.backups.whole import WholeBackups
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.local.telling import Teller
    from drystone.l25_deployer.operating import Operating


class Backups(BackupsApi):
    """Makes backups of what services of this machine keep.

    Args:
        services: What is deployed.
        copyist: Makes backups and brings them back.
        operating: Runs what changes a service, one thing at a time.
        whole: Makes backups of everything.
    """

    def __init__(
        self, *, services: Services, copyist: Copyist, operating: Operating, whole: WholeBackups
    ) -> None:
        self._whole = whole
        self._services = services
        self._copyist = copyist
        self._operating = operating
        self._store = copyist.store

    @override
    async def backups(
        self, ctx: Context, *, environment: str, service: str
    ) -> list[ResourceBackups]:
        kept = self._services.find(environment, service)
        record = kept.record if kept is not None else None
        named = set(record.eternal) if record is not None else set[str]()
        named |= {one.resource for one in self._store.owners(environment, service)}
        if record is None and not named:
            raise NothingToBackUp(
                f"no service '{service}' in environment '{environment}', and no backup of one;"
                " `drystone services` lists all"
            )
        return await asyncio.to_thread(
            lambda: [
                view(self._copyist, record, Owner(environment, service, n)) for n in sorted(named)
            ]
        )

    @override
    async def take(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        kept = self._services.existing(environment, service)
        by = ctx.caller.name
        if resource is not None:
            owner_of(kept.record, resource)
        if not kept.record.eternal:
            raise NothingToBackUp(f"{kept.name} keeps no data")

        async def work(tell: Teller) -> None:
            made = []
            for name in sorted(kept.record.eternal) if resource is None else [resource]:
                if resource is None and not self._copyist.has_backup(kept.record, name):
                    tell.info(
                        "backup", f"'{name}' of {kept.name} has no backup, as its type has none"
                    )
                    continue
                with tell.step("backup", name):
                    manifest = await self._copyist.take(
                        kept.record, name, reason="asked", by=by, version=_version(kept)
                    )
                kept.write_history("backup made", f"{name} {manifest.id}", by=by)
                made.append(f"{name} {manifest.id}")
            if not made:
                raise NoBackup(f"nothing that {kept.name} keeps has a backup")
            tell.info("done", f"{kept.name} is backed up: {', '.join(made)}")

        async with aclosing(self._operating.run(f"back up {kept.name}", work)) as stream:
            async for progress in stream:
                yield progress

    @override
    async def take_whole(
        self, ctx: Context, *, folder: str | None = None
    ) -> AsyncIterator[Progress]:
        if folder is not None and not Path(folder).is_absolute():
            raise NoSuchBackup(f"{folder!r} is no absolute path; name the whole path of a folder")

        async def work(tell: Teller) -> None:
            place = None if folder is None else Path(folder)
            await self._whole.take(tell, by=ctx.caller.name, folder=place)

        async with aclosing(self._operating.run("back up the platform", work)) as stream:
            async for progress in stream:
                yield progress

    @override
    async def plan_whole(
        self, ctx: Context, *, every: float, keep: float, folder: str | None = None
    ) -> PlannedBackups:
        await asyncio.to_thread(
            self._copyist.plans.set_plan,
            every=timedelta(seconds=every),
            keep=timedelta(seconds=keep),
            folder=folder,
            by=ctx.caller.name,
        )
        return await self.planned_whole(ctx)

    @override
    async def end_whole_plan(self, ctx: Context) -> None:
        await asyncio.to_thread(self._copyist.plans.end_plan)

    @override
    async def planned_whole(self, ctx: Context) -> PlannedBackups:
        return await asyncio.to_thread(planned_view, self._copyist.plans)

    @override
    async def prove(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
    ) -> AsyncIterator[Progress]:
        kept = self._services.existing(environment, service)
        folder = self._chosen(owner_of(kept.record, resource), backup)

        async def work(tell: Teller) -> None:
            with tell.step("restore", f"{resource} of {folder.name} into a scratch place"):
                trial = await self._copyist.try_to_restore(kept.record, resource, folder)
                if not trial.is_good:
                    raise BackupWrong("\n".join(trial.differences))
            tell.info(
                "done",
                f"{folder.name} gives everything back: {trial.counted} in {trial.compared} parts compared",
            )

        async with aclosing(self._operating.run(f"prove a backup of {kept.name}", work)) as stream:
            async for progress in stream:
                yield progress

    @override
    async def restore(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
        at: datetime | None = None,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> AsyncIterator[Progress]:
        kept = self._services.existing(environment, service)
        owner = owner_of(kept.record, resource)
        if at is not None and (backup is not None or at.tzinfo is None):
            raise NoSuchBackup("name a backup, or a moment with its offset from UTC, not both")
        folder = self._chosen(owner, backup) if at is None else None
        what = folder.name if folder is not None else f"{at}"
        by = ctx.caller.name
        if confirm != resource:
            raise RestoreNotConfirmed(
                f"restoring {what} replaces what '{resource}' of {kept.name} holds now: confirm it with the"
                f" resource's name, --yes {resource}; nothing was changed"
            )

        async def work(tell: Teller) -> None:
            try:
                async with self._copyist.lock(owner):
                    found = folder or await self._rewound(kept, owner, at, tell, by)
                    await self._restore(kept, owner, found, tell, by, keeps_before=keeps_before)
            except BaseException:
                if self._copyist.is_intended(owner):  # it died in between, as an agent may
                    await self._bring_back(kept, owner, tell)
                raise
            await self._go_on(kept, tell)
            text = f"'{resource}' of {kept.name} is as of the backup {found.name}"
            tell.info("done", f"{text}, {read_manifest(found).at:%Y-%m-%d %H:%M:%S} UTC")

        async for progress in self._operating.operate(kept, work):
            yield progress

    async def _rewound(
        self, kept: KeptService, owner: Owner, at: datetime | None, tell: Teller, by: str
    ) -> Path:
        """Make a backup of what a resource was at a moment, and return its folder."""
        assert at is not None  # noqa: S101 - there is a backup otherwise
        with tell.step("rewind", f"{owner.resource} to {at.isoformat(sep=' ')}"):
            manifest = await self._copyist.rewind(kept.record, owner, at, by=by)
        return self._store.place(owner, manifest.id)

    async def _restore(
        self,
        kept: KeptService,
        owner: Owner,
        folder: Path,
        tell: Teller,
        by: str,
        *,
        keeps_before: bool,
    ) -> None:
        """Put a backup in the place of what is in use; the service stands still afterwards."""
        name, before = owner.resource, "none"
        with tell.step("lay out", f"{folder.name} beside what is in use, and compare"):
            manifest, laid_out = await self._copyist.lay_out(kept.record, owner, folder)
        if manifest.seal is None:
            tell.info("lay out", f"{folder.name} is not encrypted: an older platform made it")
        try:
            with tell.step("stop", "instances, for the data to change"):
                await kept.halt()
                places.STOPPED.reach()
            if keeps_before:
                with tell.step("backup", f"{name} as it is now"):
                    made = await self._copyist.take_held(
                        kept.record, owner, reason="before-restore", by=by, version=_version(kept)
                    )
                    before = made.id
            self._copyist.intend(owner, folder, by)
        except BaseException:
            with suppress(PlatformError):
                await laid_out.discard()
            await self._go_on(kept, tell)
            raise
        with tell.step("restore", f"{name} as of {manifest.at:%Y-%m-%d %H:%M:%S} UTC"):
            await laid_out.put_in_place()
            places.IN_PLACE.reach()
            self._copyist.settle(owner)
        text = f"{name} from {manifest.id}; a backup of what was there before: {before}"
        kept.write_history("restored", text, by=by)

    async def _bring_back(self, kept: KeptService, owner: Owner, tell: Teller) -> None:
        """Finish what was begun, once more; what keeps it from that is told for as long as it does."""
        try:
            await self._go_on(kept, tell)
        except (PlatformError, OSError) as e:
            kept.problems = [
                f"the restore of '{owner.resource}' was cut short, and the service does not start with half of its data:"
                f" {e}; restore it again, or `drystone down` and `drystone up`"
            ]

    async def _go_on(self, kept: KeptService, tell: Teller) -> None:
        """Start again what stood still."""
        with tell.step("start", kept.name):
            await recover(kept, tell)
            await kept.publish()
            if kept.active is not None:
                await kept.active.until_healthy(None)

    def _chosen(self, owner: Owner, backup: str | None) -> Path:
        """Return the folder of a backup, the latest where none is named.

        Raises:
            NoSuchBackup: There is none.
        """
        if backup is not None:
            return self._store.place(owner, backup)
        found = latest(self._store.all(owner))
        if found is None:
            raise NoSuchBackup(
                f"there is no backup of '{owner.resource}' of {owner.service} in {owner.environment};"
                f" make one with `drystone backup {owner.service} --env {owner.environment}`"
            )
        return self._store.place(owner, found.id)


def _version(kept: KeptService) -> str:
    active = kept.active_release()
    return active.version if active is not None else ""
