"""Makes backups, proves them and lets old ones go, at the times that descriptors set.

One thing at a time for the whole home, so that the hour in which many are due is no worse for the services than any other. The times are read
off what lies on the disk: an agent that was away makes up for it, and none is made twice.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups.domain import RETRY_AFTER, is_due, latest, outlived
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l25_deployer.backups.copyist import Copyist
    from drystone.l25_deployer.backups.whole_schedule import WholeSchedule
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.stacks.backup_plan import BackupPlan

FIRST_LOOK = timedelta(minutes=5)
"""After the start of an agent, which has other things to do."""

LOOK_EVERY = timedelta(minutes=1)


class Schedule:
    """Looks every minute for what is due.

    Args:
        services: What is deployed.
        copyist: Makes backups and proves them.
        log: Where to report.
        whole: Backs the platform up; None where nobody does.
    """

    def __init__(
        self,
        *,
        services: Services,
        copyist: Copyist,
        log: Log,
        whole: WholeSchedule | None = None,
    ) -> None:
        self._whole = whole
        self._services = services
        self._copyist = copyist
        self._log = log
        self._clock = copyist.clock

    async def run(self) -> None:
        """Look for what is due, for ever."""
        await self._clock.sleep(FIRST_LOOK)
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Do everything that is due now; what fails is written down and tried again later."""
        await self._keep_history()
        for kept in self._services.all():
            for name, resource in sorted(kept.record.eternal.items()):
                plan = getattr(resource, "backup", None)
                if plan is not None:
                    owner = Owner(*kept.record.key, name)
                    try:
                        await self._look_at(kept, owner, plan)
                    except (PlatformError, OSError) as e:  # the copyist has written it down
                        self._log.warning("not backed up", resource=owner.name, reason=str(e))
        if self._whole is not None:
            await self._whole.look()

    async def _keep_history(self) -> None:
        plans: dict[type, list[BackupPlan]] = {}
        for kept in self._services.all():
            for resource in kept.record.eternal.values():
                plan = getattr(resource, "backup", None)
                if plan is not None and plan.point_in_time:
                    plans.setdefault(type(resource), []).append(plan)
        self._copyist.history_trouble = ""
        try:
            await self._copyist.keep_history(plans)
        except (PlatformError, OSError) as e:
            self._copyist.history_trouble = f"not every moment can be gone back to: {e}"
            self._log.warning("no history is kept", reason=str(e))

    async def _look_at(self, kept: KeptService, owner: Owner, plan: BackupPlan) -> None:
        if kept.lock.locked() or not kept.recovered.is_set():
            return  # a migration may hold tables, and a deploy wants the disk for itself
        store, now = self._copyist.store, self._clock.now()
        trouble = self._copyist.trouble(owner)
        if trouble is not None and not is_due(trouble.at, min(RETRY_AFTER, plan.every), now):
            return
        every = await asyncio.to_thread(store.all, owner)
        last = latest(every)
        if is_due(last.at if last is not None else None, plan.every, now):
            release = kept.active_release()
            version = release.version if release is not None else ""
            last = await self._copyist.take(
                kept.record, owner.resource, reason="scheduled", by="platform", version=version
            )
            every = [last, *every]
        trials = await asyncio.to_thread(store.trials, owner)
        since = trials[0].at if trials else min(one.at for one in every)
        if last is not None and is_due(since, plan.restore_test, now):
            folder = store.place(owner, last.id)
            await self._copyist.try_to_restore(kept.record, owner.resource, folder)
        if plan.copy_to:
            failed = await asyncio.to_thread(
                self._copyist.further.keep, owner, plan, every, self._clock.now()
            )
            self._copyist.note(owner, "copy to another place", "; ".join(failed) or None)
        for one in outlived(every, keep=plan.keep, now=now):
            async with self._copyist.lock(owner):
                await asyncio.to_thread(store.remove, owner, one.id)
