"""When the whole platform is backed up by itself, and whether that is late.

The plan lies in the home, and so in every backup of it. What was made is read off the folder, as with other backups.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l25_deployer.backups.errors import PlanUnfit
from drystone.l25_deployer.backups.store import MANIFEST, Trouble, make_folder
from drystone.l25_deployer.backups.whole_domain import Whole

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock

FILE = "platform-backups.json"
"""In the home."""

LEAST = timedelta(minutes=10)
"""Between two backups of the platform."""

_LATE = 2
"""How many times the time between two backups may pass before the next one is called late."""


class WholePlan(msgspec.Struct, frozen=True, kw_only=True):
    """When the platform is backed up.

    Attributes:
        every: Time between two backups.
        keep: How long one is kept; the latest stays.
        folder: Where they lie; the platform's own folder when None.
        since: When it was planned.
        by: Who planned it.
        trouble: Why the last attempt failed.
    """

    every: timedelta
    keep: timedelta
    folder: str | None
    since: datetime
    by: str
    trouble: Trouble | None = None


class WholePlans:
    """The plan of one home.

    Args:
        home: The home.
        usual: Where backups lie for which no folder is named.
        clock: The time.
    """

    def __init__(self, home: Path, usual: Path, *, clock: Clock) -> None:
        self._home, self._usual, self._clock = home, usual, clock
        self._file = home / FILE

    def plan(self) -> WholePlan | None:
        """Return the plan; None where nothing is planned.

        Raises:
            PlanUnfit: What was written cannot be read.
        """
        found = read_if_exists(self._file)
        try:
            return None if found is None else msgspec.json.decode(found, type=WholePlan)
        except msgspec.MsgspecError as e:
            raise PlanUnfit(
                f"{self._file} cannot be read: {e}; plan again with `drystone backup --platform --every 1d`"
            ) from e

    def set_plan(
        self, *, every: timedelta, keep: timedelta, folder: str | None, by: str
    ) -> WholePlan:
        """Plan backups; the first is made within minutes. A folder that is named is made, and missed when it is not there later.

        Raises:
            PlanUnfit: It cannot be so.
        """
        if every < LEAST or keep < every:
            raise PlanUnfit(
                f"a backup of the platform is made every {LEAST.seconds // 60} minutes at most, and kept at least until the next"
            )
        if folder is not None:
            place = Path(folder)
            if not place.is_absolute() or place.is_relative_to(self._home / "backups" / "services"):
                raise PlanUnfit(f"{folder!r} is no folder for backups; name its whole path")
            try:
                make_folder(place)
            except OSError as e:
                raise PlanUnfit(f"{folder} cannot be made: {e.strerror}") from e
        made = WholePlan(every=every, keep=keep, folder=folder, since=self._clock.now(), by=by)
        write_atomically(self._file, msgspec.json.encode(made))
        return made

    def end_plan(self) -> None:
        """Plan no more backups; those that there are stay. Idempotent."""
        self._file.unlink(missing_ok=True)

    def folder(self, plan: WholePlan) -> Path:
        """Return where backups of a plan lie."""
        return self._usual if plan.folder is None else Path(plan.folder)

    def made(self, folder: Path) -> list[Whole]:
        """Return the backups of this home in a folder; those of others, and what cannot be read, are left alone."""
        found = []
        for manifest in folder.glob(f"[0-9]*/{MANIFEST}"):
            try:
                one = msgspec.json.decode(manifest.read_bytes(), type=Whole)
            except (msgspec.MsgspecError, OSError):
                continue
            if one.id == manifest.parent.name and one.place == str(self._home.resolve()):
                found.append(one)
        return found

    def note(self, plan: WholePlan, trouble: Trouble | None) -> None:
        """Write down what became of the last attempt, unless somebody has planned anew meanwhile."""
        if self.plan() == plan:
            changed = structs.replace(plan, trouble=trouble)
            write_atomically(self._file, msgspec.json.encode(changed))

    def troubles(self) -> list[str]:
        """Say what is wrong with the planned backups of the platform."""
        try:
            plan = self.plan()
        except PlanUnfit as e:
            return [str(e)]
        if plan is None:
            return []
        if plan.trouble is not None:
            at = f"{plan.trouble.at:%Y-%m-%d %H:%M} UTC"
            return [f"the backup of the platform failed at {at}: {plan.trouble.text}"]
        last = max((one.at for one in self.made(self.folder(plan))), default=plan.since)
        if self._clock.now() - max(last, plan.since) > _LATE * plan.every:
            return [
                f"the backup of the platform is late: the last one is of {last:%Y-%m-%d %H:%M} UTC, and one is due every"
                f" {plan.every}"
            ]
        return []
