from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import loopback
from drystone.l00_kernel.ports import NullLog
from drystone.l25_deployer.backups.api import BackupsApi
from drystone.l25_deployer.backups.copyist import Copyist
from drystone.l25_deployer.backups.domain import RETRY_AFTER, Manifest
from drystone.l25_deployer.backups.errors import PlanUnfit
from drystone.l25_deployer.backups.further import FurtherPlaces
from drystone.l25_deployer.backups.service import Backups
from drystone.l25_deployer.backups.store import BackupStore, drafted, publish
from drystone.l25_deployer.backups.whole import NoTables, WholeBackups
from drystone.l25_deployer.backups.whole_schedule import WholeSchedule
from drystone.l25_deployer.local.provisioning import Provisioner
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.stacks.backup_plan import BackupPlan
from l25_deployer.backups.conftest import Whole
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

NOW = datetime(2026, 5, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY_S = 86400.0
OWNER = Owner("dev", "shop", "state")


class _None:
    """No services: what is backed up is the records alone."""

    unreadable: ClassVar[dict[str, str]] = {}

    def all(self) -> list[object]:
        return []


class Stage(msgspec.Struct, frozen=True):
    """A home without services, whose platform is backed up by a clock that tests turn."""

    clock: ManualClock
    schedule: WholeSchedule
    copyist: Copyist
    api: BackupsApi
    folder: Path

    def made(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*") if path.is_dir())

    async def after(self, time: timedelta) -> None:
        await self.clock.advance(time)
        await self.schedule.look()


@pytest_asyncio.fixture(loop_scope="package", params=["embedded", "loopback"])
async def stage(
    request: pytest.FixtureRequest, whole: Whole, tmp_path: Path
) -> AsyncIterator[Stage]:
    home = tmp_path / "h"
    home.mkdir()
    (home / "record").write_text("what is known")
    clock = ManualClock(NOW)
    copyist = Copyist(
        BackupStore(home / "backups"),
        home=home,
        provisioner=Provisioner({}),
        clock=clock,
        log=NullLog(),
    )
    makes = WholeBackups(
        home=home,
        services=_None(),  # type: ignore[arg-type]
        copyist=copyist,
        tables=NoTables(),
        elsewhere={},
    )
    operating = whole.platform.deployer.operating
    backups = Backups(
        services=whole.platform.services, copyist=copyist, operating=operating, whole=makes
    )
    api = backups if request.param == "embedded" else loopback(BackupsApi, backups)
    schedule = WholeSchedule(makes, copyist, log=NullLog())
    yield Stage(clock, schedule, copyist, api, tmp_path / "elsewhere")


async def test_the_platform_is_backed_up_when_it_is_due_and_old_ones_go(stage: Stage) -> None:
    await stage.after(timedelta())
    assert not stage.folder.exists()
    planned = await stage.api.plan_whole(
        ASKING, every=3600, keep=3 * 3600, folder=str(stage.folder)
    )
    assert (planned.every, planned.count, planned.latest) == (3600, 0, None)

    for _ in range(13):
        await stage.after(HOUR / 2)

    found = await stage.api.planned_whole(ASKING)
    assert (found.count, found.troubles) == (4, [])
    assert len(stage.made()) == 4
    assert found.latest is not None
    assert stage.clock.now() - found.latest < HOUR


async def test_one_that_somebody_asked_for_stays_and_what_is_no_backup_is_left_alone(
    stage: Stage,
) -> None:
    async for _ in stage.api.take_whole(ASKING, folder=str(stage.folder)):
        pass
    (asked,) = stage.made()
    (stage.folder / "20200101t000000z-0000").mkdir()
    (stage.folder / "20200101t000000z-0000/manifest.json").write_text("{}")
    (stage.folder / "notes").mkdir()
    await stage.api.plan_whole(ASKING, every=3600, keep=3600, folder=str(stage.folder))

    for _ in range(5):
        await stage.after(HOUR)

    assert {asked.name, "20200101t000000z-0000", "notes"} <= {one.name for one in stage.made()}
    assert len(stage.made()) <= 5


async def test_a_folder_that_is_missing_is_loud_and_made_up_for(stage: Stage) -> None:
    await stage.api.plan_whole(ASKING, every=3600, keep=DAY_S, folder=str(stage.folder))
    away = stage.folder.with_name("away")
    stage.folder.rename(away)
    await stage.after(HOUR)
    assert not stage.folder.exists()
    (said,) = stage.copyist.platform_troubles()
    assert "is missing" in said
    away.rename(stage.folder)
    await stage.after(RETRY_AFTER / 2)
    assert stage.made() == []

    await stage.after(RETRY_AFTER / 2)

    assert len(stage.made()) == 1
    assert stage.copyist.platform_troubles() == []


async def test_one_that_is_late_is_told(stage: Stage) -> None:
    await stage.api.plan_whole(ASKING, every=3600, keep=DAY_S, folder=str(stage.folder))
    await stage.after(timedelta())
    assert stage.copyist.platform_troubles() == []
    await stage.clock.advance(3 * HOUR)

    (said,) = stage.copyist.platform_troubles()

    assert "is late: the last one is of 2026-05-04 00:00 UTC" in said
    await stage.api.end_whole_plan(ASKING)
    await stage.api.end_whole_plan(ASKING)
    assert stage.copyist.platform_troubles() == []
    assert len(stage.made()) == 1


async def test_a_plan_that_cannot_be_is_refused_and_one_that_is_torn_is_told(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for every, keep, folder in (
        (1.0, DAY_S, None),
        (DAY_S, 3600.0, None),
        (DAY_S, DAY_S, "relative"),
        (DAY_S, DAY_S, str(tmp_path / "file" / "below")),
        (DAY_S, DAY_S, str(tmp_path / "h/backups/services/dev")),
    ):
        with pytest.raises(PlanUnfit):
            await stage.api.plan_whole(ASKING, every=every, keep=keep, folder=folder)
    assert (await stage.api.planned_whole(ASKING)).every is None
    (tmp_path / "h/platform-backups.json").write_text("{")
    (said,) = stage.copyist.platform_troubles()
    assert "plan again" in said
    await stage.after(HOUR)
    await stage.api.plan_whole(ASKING, every=DAY_S, keep=DAY_S)
    assert stage.copyist.platform_troubles() == []


# Further places of single backups


async def made(store: BackupStore, id_: str, at: datetime = NOW, content: bytes = b"x") -> Manifest:
    from drystone.l25_deployer.backups.store import part_of  # noqa: PLC0415

    place = store.folder(OWNER) / id_
    async with drafted(place) as draft:
        (draft / "below").mkdir()
        (draft / "below/part").write_bytes(content)
        manifest = Manifest(
            id=id_,
            type="volume",
            environment="dev",
            service="shop",
            resource="state",
            reason="scheduled",
            by="platform",
            at=at,
            parts=(part_of(draft, "below/part"),),
        )
        publish(draft, place, manifest)
    return manifest


def plan(*places: str) -> BackupPlan:
    return BackupPlan(every=HOUR, keep=timedelta(days=1), restore_test=HOUR, copy_to=places)


async def test_every_place_gets_a_copy_of_every_backup_and_old_ones_go_there_too(
    tmp_path: Path,
) -> None:
    store = BackupStore(tmp_path / "first")
    places = {name: tmp_path / name for name in ("disk", "share")}
    for folder in places.values():
        folder.mkdir()
    further = FurtherPlaces(store, places)
    old = await made(store, "20260502t000000z-0000", NOW - timedelta(days=2))
    new = await made(store, "20260504t000000z-0000")

    assert further.keep(OWNER, plan("disk"), [new, old], NOW - timedelta(days=1)) == []
    there = BackupStore(places["disk"])
    assert [one.id for one in there.all(OWNER)] == [new.id, old.id]
    assert (there.place(OWNER, new.id) / "below/part").read_bytes() == b"x"
    assert list(places["share"].iterdir()) == []
    assert further.keep(OWNER, plan("disk", "share"), [new], NOW) == []
    assert [one.id for one in there.all(OWNER)] == [new.id]

    # a first place that has lost everything takes nothing with it
    assert further.keep(OWNER, plan("disk"), [], NOW + timedelta(days=9)) == []
    assert [one.id for one in there.all(OWNER)] == [new.id]


async def test_a_place_that_fails_is_named_and_the_others_have_theirs(tmp_path: Path) -> None:
    store = BackupStore(tmp_path / "first")
    one = await made(store, "20260504t000000z-0000")
    (tmp_path / "disk").mkdir()
    further = FurtherPlaces(store, {"disk": tmp_path / "disk", "gone": tmp_path / "gone"})

    failed = further.keep(OWNER, plan("unknown", "gone", "disk"), [one], NOW)

    assert len(failed) == 2
    assert "[backups.places]" in failed[0]
    assert "is missing" in failed[1]
    assert BackupStore(tmp_path / "disk").has(OWNER, one.id)
    assert not (tmp_path / "gone").exists()


async def test_a_damaged_backup_is_not_copied_as_though_it_were_whole(tmp_path: Path) -> None:
    store = BackupStore(tmp_path / "first")
    one = await made(store, "20260504t000000z-0000")
    (store.place(OWNER, one.id) / "below/part").write_bytes(b"y")
    (tmp_path / "disk").mkdir()

    (said,) = FurtherPlaces(store, {"disk": tmp_path / "disk"}).keep(
        OWNER, plan("disk"), [one], NOW
    )

    assert "is not what was written" in said
    assert list((tmp_path / "disk/services/dev/shop/state").iterdir()) == []
