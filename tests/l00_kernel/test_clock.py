from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from drystone.l00_kernel.clock import ManualClock, SystemClock

SECOND = timedelta(seconds=1)


async def test_the_system_clock_is_in_utc_and_never_runs_backwards() -> None:
    clock = SystemClock()
    before, earlier = datetime.now(UTC), clock.monotonic()
    await clock.sleep(timedelta(milliseconds=1))
    await clock.sleep(-SECOND)
    assert clock.now().utcoffset() == timedelta()
    assert clock.now() >= before
    assert clock.monotonic() - earlier >= timedelta(milliseconds=1)


async def test_sleepers_wake_in_the_order_of_their_moments_each_at_its_own() -> None:
    clock = ManualClock()
    woken: list[tuple[str, timedelta]] = []

    async def sleep(name: str, seconds: int) -> None:
        await clock.sleep(seconds * SECOND)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 3), ("first", 1), ("second", 1), ("never in this test", 9)):
            tasks.create_task(sleep(name, seconds))
        await asyncio.sleep(0)
        assert clock.sleepers == 4
        await clock.advance(5 * SECOND)
        assert woken == [("first", SECOND), ("second", SECOND), ("late", 3 * SECOND)]
        assert clock.sleepers == 1
        await clock.advance(4 * SECOND)


async def test_who_sleeps_again_wakes_again_in_the_same_advance() -> None:
    clock = ManualClock()
    turns: list[datetime] = []

    async def tick() -> None:
        while True:
            await clock.sleep(SECOND)
            turns.append(clock.now())

    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    start = clock.now()
    await clock.advance(3 * SECOND)
    assert turns == [start + n * SECOND for n in (1, 2, 3)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    await clock.advance(SECOND)


async def test_no_time_passes_by_itself_or_backwards() -> None:
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
    await clock.sleep(timedelta())
    assert clock.now() == datetime(2026, 5, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="backwards"):
        await clock.advance(-SECOND)


def test_a_clock_cannot_start_at_a_naive_moment() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 5, 1))  # noqa: DTZ001 - that is what is refused
