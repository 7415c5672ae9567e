"""A clock that is set while somebody waits changes nothing of the wait."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Unavailable
from drystone.l50_orchestrator.releases import reminding
from drystone.l50_orchestrator.releases.admission import Facts, Interval, weigh
from drystone.l50_orchestrator.releases.counted import Counted
from drystone.l50_orchestrator.releases.reminding import Reminders

BEGAN = datetime(2026, 5, 4, 10, tzinfo=UTC)
SOAK = timedelta(minutes=30)


class Machine:
    """Its monotonic clock, and that of its database, which somebody sets."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.ahead = timedelta()

    def __call__(self) -> float:
        return self.seconds

    @property
    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds - 100) + self.ahead


@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.integers(-200_000, 200_000)), min_size=1, max_size=12
    )
)
def test_a_soak_lasts_as_long_as_it_takes_however_the_clock_is_set(
    steps: list[tuple[int, int]],
) -> None:
    machine = Machine()
    counted = Counted(machine)
    served = (Interval(machine.now, None),)
    counted.present("r-1", machine.now)
    for seconds, ahead in steps:
        machine.seconds += seconds
        machine.ahead = timedelta(seconds=ahead)
        facts = Facts(
            now=machine.now,
            asked_at=BEGAN,
            after="staging",
            soak=SOAK,
            served_there=served,
            counted=counted.present("r-1", machine.now),
        )
        is_over = machine.seconds - 100 >= SOAK.total_seconds()
        assert weigh(facts).what == ("go" if is_over else "wait")


@pytest.mark.asyncio
async def test_what_has_not_woken_in_time_is_woken_once_and_what_has_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reminding, "LATER", timedelta())
    woken, is_told = list[str](), asyncio.Event()

    async def wake(id_: str) -> None:
        woken.append(id_)
        is_told.set()
        raise Unavailable

    reminders = Reminders(wake)
    reminders.set("woke by itself", timedelta(milliseconds=1))
    reminders.forget("woke by itself")
    reminders.set("sleeps", timedelta(hours=1))
    reminders.set("sleeps", timedelta(milliseconds=5))
    await asyncio.wait_for(is_told.wait(), 5)
    assert woken == ["sleeps"]


def test_a_process_that_begins_anew_believes_the_database() -> None:
    machine = Machine()
    counted = Counted(machine)
    counted.present("r-1", machine.now)
    machine.ahead = timedelta(hours=1)
    assert counted.present("r-1", machine.now) == BEGAN
    counted.forget("r-1")
    assert counted.present("r-1", machine.now) == BEGAN + timedelta(hours=1)
