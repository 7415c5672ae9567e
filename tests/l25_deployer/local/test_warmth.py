"""How long a release is kept warm."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l25_deployer.local.records import Warmth

SPANS = st.timedeltas(timedelta(), timedelta(days=30))
STEPS = st.timedeltas(timedelta(days=-3000), timedelta(days=3000))
TICK = timedelta(milliseconds=1)


class SetClock(ManualClock):
    """A clock that is set while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.step = timedelta()

    @override
    def now(self) -> datetime:
        return super().now() + self.step


@given(lasts=SPANS, passes=SPANS, step=STEPS)
def test_what_is_left_is_what_has_not_passed_whatever_the_clock_was_set_to(
    lasts: timedelta, passes: timedelta, step: timedelta
) -> None:
    clock = SetClock()
    warmth = Warmth.lasting(lasts, clock)
    clock.step = step
    asyncio.run(clock.advance(passes))

    assert abs(warmth.left(clock) - (lasts - passes)) < TICK


@given(lasts=SPANS, step=STEPS)
def test_of_another_boot_or_platform_only_the_time_of_day_is_known(
    lasts: timedelta, step: timedelta
) -> None:
    clock = SetClock()
    warmth = Warmth.lasting(lasts, clock)
    clock.step = step
    for other in (
        msgspec.structs.replace(warmth, boot="another"),
        Warmth(warmth.until),
    ):
        assert other.left(clock) == lasts - step
