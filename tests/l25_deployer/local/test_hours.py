"""For how long something was there: nothing twice, nothing lost but what nobody can know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.clock import ManualClock
from drystone.l25_deployer.local.hours import Hours, Month, Seen, after
from drystone.l25_deployer.stacks.sizes import INSTANCE, PartSize, ServiceSize

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORDERS = ServiceSize("prod", "orders", "shop", 1, "4102", "retail", {}, ())
WEB = PartSize(INSTANCE, "web", cpu=0.5, memory=2**29)
DATABASE = PartSize("postgres", "db", storage=2**30, size="small")


def seconds(month: Month) -> dict[str, float]:
    return {
        f"{use.owner.team} {one.part.name}": one.milliseconds / 1000
        for use in month.uses.values()
        for one in use.parts
    }


def test_what_is_there_all_the_time_is_counted_by_the_time() -> None:
    one = Seen("1/web-1", ORDERS, WEB, NOON - MINUTE)
    month = Month(NOON, frozenset({"1/web-1"}))
    for n in range(1, 61):
        month = after(month, [one], NOON + n * MINUTE, MINUTE, is_new_life=False)
    assert seconds(month) == {"shop web": 3600.0}


def test_what_came_is_counted_from_its_beginning_and_what_went_no_more() -> None:
    came = Seen("1/web-2", ORDERS, WEB, NOON + timedelta(seconds=45))
    month = Month(NOON, frozenset({"1/web-1"}))
    month = after(month, [came], NOON + MINUTE, MINUTE, is_new_life=False)
    assert seconds(month) == {"shop web": 15.0}


def test_instances_outlive_the_agent_and_the_next_one_knows() -> None:
    stayed = Seen("1/web-1", ORDERS, WEB, NOON - MINUTE)
    anew = Seen("1/web-2", ORDERS, WEB, NOON + timedelta(minutes=50))
    data = Seen("postgres db", ORDERS, DATABASE)
    month = Month(NOON, frozenset({"1/web-1", "1/web-2", "postgres db"}))
    hour = timedelta(hours=1)
    month = after(month, [stayed, anew, data], NOON + hour, hour, is_new_life=True)
    assert seconds(month) == {"shop web": 3600.0 + 600.0, "shop db": 3600.0}


def test_who_pays_from_now_on_does_not_pay_for_what_was() -> None:
    mine = Seen("1/web-1", ORDERS, WEB, NOON)
    month = after(
        Month(NOON, frozenset({mine.id})), [mine], NOON + MINUTE, MINUTE, is_new_life=False
    )
    theirs = msgspec.structs.replace(mine, owner=msgspec.structs.replace(ORDERS, team="mail"))
    month = after(month, [theirs], NOON + 2 * MINUTE, MINUTE, is_new_life=False)
    assert seconds(month) == {"shop web": 60.0, "mail web": 60.0}


WEB_1 = Seen("1/web-1", ORDERS, WEB, NOON - MINUTE)


async def test_months_end_when_they_end_also_while_nobody_looks(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    Hours(tmp_path / "usage", clock).note([WEB_1])
    await clock.advance(timedelta(days=32))  # to the second of May, at noon
    later = Hours(tmp_path / "usage", clock)
    later.note([WEB_1])
    hours = {
        name: sum(one.milliseconds for use in later.of(name) for one in use.parts) / 3_600_000
        for name in ("2026-03", "2026-04", "2026-05", "2026-06", "../x")
    }
    assert hours == {"2026-03": 12, "2026-04": 720, "2026-05": 36, "2026-06": 0, "../x": 0}


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12), st.integers(0, 11))
async def test_however_often_somebody_looks_the_time_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[int], dies: int
) -> None:
    folder = tmp_path_factory.mktemp("usage")
    clock = ManualClock(NOON)
    hours = Hours(folder, clock)
    hours.note([WEB_1])
    for place, minutes in enumerate(pauses):
        if place == dies:
            hours = Hours(folder, clock)
        await clock.advance(timedelta(minutes=minutes))
        hours.note([WEB_1])
    told = [hours.of(path.stem) for path in folder.glob("*.json")]
    counted = sum(one.milliseconds for month in told for use in month for one in use.parts)
    assert counted == sum(pauses) * 60_000


async def test_a_clock_that_is_set_back_or_a_damaged_month_takes_nothing_else_along(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOON)
    hours = Hours(tmp_path, clock)
    hours.note([WEB_1])
    (tmp_path / "2026-03.json").write_bytes(b'{"until"')
    await clock.advance(MINUTE)
    hours.note([WEB_1])
    assert [one.milliseconds for use in hours.of("2026-03") for one in use.parts] == [60_000]
    earlier = Hours(tmp_path, ManualClock(NOON - timedelta(days=90)))
    earlier.note([WEB_1])
    assert [one.milliseconds for use in hours.of("2026-03") for one in use.parts] == [60_000]
