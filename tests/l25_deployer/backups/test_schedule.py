from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ports import NullLog
from drystone.l25_deployer.backups.copyist import Copyist
from drystone.l25_deployer.backups.domain import RETRY_AFTER
from drystone.l25_deployer.backups.schedule import Schedule
from drystone.l25_deployer.backups.service import Backups
from drystone.l25_deployer.backups.store import BackupStore
from drystone.l25_deployer.backups.whole import NoTables, WholeBackups
from drystone.l25_deployer.local.provisioning import Provisioner
from drystone.l25_deployer.local.resources.copies import Copied
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.stacks.backup_plan import BackupPlan
from drystone.l25_deployer.stacks.model import Volume
from l25_deployer.backups.conftest import Whole
from l25_deployer.backups.small_copies import Kept, deployed
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOUR = timedelta(hours=1)
PLAN = BackupPlan(every=HOUR, keep=3 * HOUR, restore_test=2 * HOUR)
OWNER = Owner("dev", "clockwork", "state")


class Timed(Volumes):
    """Volumes whose copies are of the clock's time, and which can be told to fail."""

    def __init__(self, root: Path, clock: ManualClock) -> None:
        super().__init__(root)
        self.clock = clock
        self.fails = False

    @override
    async def back_up(self, owner: Owner, wanted: Volume, folder: Path) -> Copied:
        if self.fails:
            raise PlatformError("the disk has a scratch")
        copied = await super().back_up(owner, wanted, folder)
        return msgspec.structs.replace(copied, at=self.clock.now())


class Stage(msgspec.Struct, frozen=True):
    """A service whose volume is backed up by a clock that tests turn."""

    clock: ManualClock
    schedule: Schedule
    store: BackupStore
    volumes: Timed
    kept: Kept

    async def after(self, time: timedelta) -> None:
        await self.clock.advance(time)
        await self.schedule.look()


@pytest_asyncio.fixture(loop_scope="package")
async def stage(whole: Whole, tmp_path: Path) -> Stage:
    platform = whole.platform
    if platform.services.find("dev", "clockwork") is None:
        more = "resources: {state: {type: volume}}"
        await deployed(platform, whole.folder / "clockwork", "clockwork", more)
    kept = platform.services.existing("dev", "clockwork")
    planned = Volume(backup=PLAN)
    kept.record = msgspec.structs.replace(kept.record, eternal={"state": planned})
    clock = ManualClock(datetime(2026, 5, 4, tzinfo=UTC))
    volumes = Timed(whole.folder / "h" / "volumes", clock)
    store = BackupStore(tmp_path)
    copyist = Copyist(
        store,
        home=whole.folder / "h",
        provisioner=Provisioner({Volume: volumes}),
        clock=clock,
        log=NullLog(),
    )
    one = platform.services
    schedule = Schedule(services=_Only(one, kept), copyist=copyist, log=NullLog())  # type: ignore[arg-type]
    operating = platform.deployer.operating
    whole_backups = WholeBackups(
        home=whole.folder / "h", services=one, copyist=copyist, tables=NoTables(), elsewhere={}
    )
    backups = Backups(services=one, copyist=copyist, operating=operating, whole=whole_backups)
    return Stage(clock, schedule, store, volumes, Kept(platform, backups, "clockwork"))


class _Only:
    """Services of which one is looked at."""

    def __init__(self, services: object, kept: object) -> None:
        self.machine, self._kept = services, kept

    def all(self) -> Iterator[object]:
        yield self._kept


async def test_a_backup_is_made_when_it_is_due_and_kept_as_long_as_it_is_said(
    stage: Stage,
) -> None:
    await stage.after(timedelta())
    await stage.after(HOUR / 2)
    assert len(stage.store.all(OWNER)) == 1

    for _ in range(12):
        await stage.after(HOUR / 2)

    kept = stage.store.all(OWNER)
    ages = [(stage.clock.now() - one.at) / HOUR for one in kept]
    assert ages == [0.5, 1.5, 2.5]
    assert {one.reason for one in kept} == {"scheduled"}


async def test_the_latest_is_restored_as_often_as_it_is_said_and_the_report_kept(
    stage: Stage,
) -> None:
    for _ in range(9):
        await stage.after(HOUR / 2)

    trials = stage.store.trials(OWNER)
    assert [one.is_good for one in trials] == [True, True]
    assert trials[0].at - trials[1].at == 2 * HOUR


async def test_a_failure_is_loud_tried_again_later_and_forgotten_when_it_is_over(
    stage: Stage,
) -> None:
    stage.volumes.fails = True
    await stage.after(timedelta())
    found = await stage.kept.backups("state")
    assert "the disk has a scratch" in found.trouble
    assert found.backups == []
    stage.volumes.fails = False

    await stage.after(RETRY_AFTER / 2)
    assert (await stage.kept.backups("state")).backups == []
    await stage.after(RETRY_AFTER / 2)

    found = await stage.kept.backups("state")
    assert (len(found.backups), found.trouble) == (1, "")


async def test_a_failure_of_the_platforms_own_schedule_stands_in_its_status(whole: Whole) -> None:
    kept = Kept(whole.platform, whole.platform.backups, "shop-embedded")
    await deployed(whole.platform, whole.folder / "shop-embedded", "shop-embedded")
    place = whole.folder / "h" / "backups" / "services" / "dev" / "shop-embedded"
    place.mkdir(parents=True, exist_ok=True)
    hindrance = place / "db"
    aside = place / "aside"
    if hindrance.exists():
        hindrance.rename(aside)
    hindrance.write_text("a file where the folder of the backups should be")
    try:
        with pytest.raises((PlatformError, OSError)):
            await kept.take("db")
    finally:
        hindrance.unlink()
        if aside.exists():
            aside.rename(hindrance)
    status = await whole.platform.deployer.status(ASKING)
    assert any("the backup of 'db' failed" in text for text in status.problems)
    await kept.take("db")
    status = await whole.platform.deployer.status(ASKING)
    assert not any("the backup of 'db' failed" in text for text in status.problems)
