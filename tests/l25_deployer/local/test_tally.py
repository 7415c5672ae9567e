"""Sums of counters that only rise, or begin anew."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local.counting import is_error
from drystone.l25_deployer.local.tally import BOUNDS, MOST_EVENTS, Reading, Tally

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
RISES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=12)


def begun(reading: Reading | None = None) -> Tally:
    first = reading or Reading()
    return Tally("k", SINCE).after(first, first, is_first=True)


@given(st.integers(1, 1000), RISES)
def test_what_was_there_before_counts_nothing_and_what_rises_counts_once(
    before: int, rises: list[tuple[int, int, bool]]
) -> None:
    answered = failed = before
    tally = begun(Reading(answered={"p": answered}, failed={"p": failed}))
    requests = errors = 0
    for more_answered, more_failed, is_kept in rises:
        answered, failed = answered + more_answered, failed + more_failed
        requests, errors = requests + more_answered + more_failed, errors + more_failed
        now = Reading(answered={"p": answered}, failed={"p": failed})
        tally = tally.after(Reading(), now, is_first=False)
        if is_kept:  # the next agent reads what this one wrote
            tally = msgspec.json.decode(msgspec.json.encode(tally), type=Tally)
        again = tally.after(Reading(), now, is_first=False)
        assert again.canary == tally.canary
    assert (tally.canary.requests, tally.canary.errors) == (requests, errors)
    assert tally.stable.requests == 0


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_counter_that_begins_anew_never_counts_down(before: int, after: int) -> None:
    tally = begun(Reading(answered={"p": before}))
    now = tally.after(Reading(), Reading(answered={"p": after}), is_first=False)
    assert now.canary.requests == (after - before if after >= before else after)


def test_an_instance_that_is_new_counts_with_all_it_has() -> None:
    tally = begun(Reading(answered={"one": 7}))
    both = Reading(answered={"one": 7, "two": 3})
    assert tally.after(Reading(), both, is_first=False).canary.requests == 3


@given(st.lists(st.integers(0, 20), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1))
def test_times_are_parted_into_classes(classes: list[int]) -> None:
    shown = tuple(sum(classes[: i + 1]) for i in range(len(classes)))
    none = (0,) * len(shown)
    tally = begun(Reading(times={"p": none}))
    now = tally.after(Reading(times={"p": none}), Reading(times={"p": shown}), is_first=False)
    assert now.canary.times == tuple(classes)
    assert sum(now.stable.times) == 0


def test_only_the_latest_events_are_kept() -> None:
    tally = begun().told(*(f"event {i}" for i in range(MOST_EVENTS + 5)))
    assert (len(tally.events), tally.events[0]) == (MOST_EVENTS, "event 5")


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ('{"level": "error", "text": "x"}', True),
        ('{"severity":"CRITICAL"}', True),
        ("2026-01-01 ERROR it broke", True),
        ("no errors at all", False),
        ('{"level": "info", "text": "an error of somebody"}', False),
        ("", False),
    ],
)
def test_a_line_at_the_level_error_says_so(line: str, is_one: bool) -> None:
    assert is_error(line) is is_one
