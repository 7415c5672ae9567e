"""Makes backups of the whole platform when they are due, and lets old ones go."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups.domain import RETRY_AFTER, is_due
from drystone.l25_deployer.backups.store import DRAFT, Trouble
from drystone.l25_deployer.local.telling import Teller

if TYPE_CHECKING:
    from drystone.l00_kernel.ports import Log
    from drystone.l25_deployer.backups.copyist import Copyist
    from drystone.l25_deployer.backups.whole import WholeBackups
    from drystone.l25_deployer.backups.whole_plans import WholePlan


class WholeSchedule:
    """Follows the plan of one home.

    Args:
        whole: Makes backups of everything.
        copyist: Knows the plan.
        log: Where to report.
    """

    def __init__(self, whole: WholeBackups, copyist: Copyist, *, log: Log) -> None:
        self._whole, self._plans, self._log = whole, copyist.plans, log
        self._clock = copyist.clock

    async def look(self) -> None:
        """Make a backup if one is due, and remove those whose time is over; what fails is written down."""
        now, plan = self._clock.now(), None
        try:
            plan = self._plans.plan()
            if plan is not None and not (
                plan.trouble and not is_due(plan.trouble.at, RETRY_AFTER, now)
            ):
                await self._follow(plan, now)
        except (PlatformError, OSError) as e:
            self._log.warning("not backed up", what="platform", reason=str(e))
            if plan is not None:
                with suppress(PlatformError, OSError):  # on a full disk the next agent knows less
                    self._plans.note(plan, Trouble(now, "backup of the platform", str(e)))

    async def _follow(self, plan: WholePlan, now: datetime) -> None:
        folder = self._plans.folder(plan)
        if plan.folder is not None and not folder.is_dir():
            raise PlatformError(f"the folder {folder} is missing: is its disk there?")
        made = await asyncio.to_thread(self._plans.made, folder)
        if is_due(max((one.at for one in made), default=None), plan.every, now):
            tell = Teller(lambda _: None, self._clock)
            place, _ = await self._whole.take(tell, by="platform", folder=folder, is_planned=True)
            self._log.info("the platform is backed up", folder=str(place))
            made = await asyncio.to_thread(self._plans.made, folder)
        if plan.trouble is not None:
            self._plans.note(plan, None)
        latest = max((one.at for one in made), default=now)
        for one in made:
            if one.is_planned and one.at < min(now - plan.keep, latest):
                await asyncio.to_thread(_remove, folder / one.id)


def _remove(folder: Path) -> None:
    """Remove a backup; one that is half removed is none any more."""
    gone = folder.with_name(f"{DRAFT}{folder.name}")
    folder.rename(gone)
    shutil.rmtree(gone)
