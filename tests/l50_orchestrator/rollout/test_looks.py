"""What is seen: what cannot be is refused, who had an error counts once, and slow is what stable was not lately."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import cohorts, firsts, slow
from drystone.l50_orchestrator.rollout.errors import ObservationUnfit
from drystone.l50_orchestrator.rollout.firsts import Firsts, Request
from drystone.l50_orchestrator.rollout.looks import (
    MOST,
    Arm,
    Counted,
    Event,
    Look,
    Timings,
    check,
    since,
)
from l50_orchestrator.rollout.samples import BOUNDS

ZERO = timedelta()
WATCHED = frozenset({"errors"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"counts": {"errors": Counted(Arm(-1, 0))}}, "errors of canary: -1 is no count"),
        ({"counts": {"errors": Counted(Arm(1.5, 0))}}, "1.5 is no count"),  # type: ignore[arg-type]
        ({"counts": {"errors": Counted(Arm(math.nan, 0))}}, "nan is no count"),  # type: ignore[arg-type]
        ({"counts": {"errors": Counted(stable=Arm(MOST + 1))}}, "is no count"),
        ({"counts": {"errors": Counted(Arm(1, 2))}}, "2 bad of 1; count each request"),
        ({"requests": Counted(Arm(0, 1))}, "requests of canary: 1 bad of 0"),
        ({"counts": {"slow": Counted()}}, "'slow' is not watched: count one of errors"),
        ({"timings": Timings((), (1,), (1,))}, "bounds of timings must rise"),
        ({"timings": Timings(BOUNDS[::-1], (1,) * 4, (1,) * 4)}, "bounds of timings must rise"),
        ({"timings": Timings(BOUNDS, (1,) * 3, (1,) * 4)}, "3 classes for 3 bounds"),
        ({"timings": Timings(BOUNDS, (1,) * 4, (1, 1, 1, -1))}, "timings of stable: -1"),
        ({"events": (Event(ZERO, "errors", "x"),) * 101}, "101 events in one look"),
        ({"events": (Event(ZERO, "errors", "x" * 501),)}, "longer than 500 signs"),
    ],
)
def test_what_cannot_have_been_seen_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ObservationUnfit) as refused:
        check(Look(at=ZERO, **given), WATCHED)
    assert message in refused.value.message


def test_counters_that_fell_began_anew() -> None:
    assert since(Arm(100, 5), Arm(130, 6)) == Arm(30, 1)
    assert since(Arm(100, 5), Arm(7, 0)) == Arm(7, 0)
    assert since(Arm(100, 5), Arm(200, 1)) == Arm(200, 1)


def test_a_users_second_error_is_none() -> None:
    first, counted = Firsts("r1").after(
        [
            Request("ann", is_canary=True, is_bad=False),
            Request("ann", is_canary=True, is_bad=True),
            Request("ann", is_canary=True, is_bad=True),
            Request("bob", is_canary=False, is_bad=False),
        ]
    )
    assert counted == Counted(Arm(1, 1), Arm(1, 0))
    again = [Request(who, is_canary=True, is_bad=True) for who in ("ann", "bob", "ann")]
    second, counted = first.after(again)
    assert counted == Counted(Arm(1, 1), Arm(0, 0))
    assert len(second.had) == 2


@settings(max_examples=30)
@given(st.lists(st.builds(Request, st.sampled_from("abcdef"), st.booleans(), st.booleans())))
def test_nobody_counts_after_their_first_error(requests: list[Request]) -> None:
    firsts_, bad = Firsts("r1"), 0
    for request in requests:
        firsts_, counted = firsts_.after([request])
        bad += counted.canary.bad + counted.stable.bad
    whole, counted = Firsts("r1").after(requests)
    assert whole == firsts_
    assert bad == counted.canary.bad + counted.stable.bad == len(whole.had)
    assert bad == len({request.who for request in requests if request.is_bad})


def test_users_beyond_the_room_are_told_and_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(firsts, "MOST_REMEMBERED", 2)
    bad = [Request(who, is_canary=True, is_bad=True) for who in "abca"]
    full, counted = Firsts("r1").after(bad)
    assert (counted.canary, full.skipped) == (Arm(2, 2), 1)


def test_users_are_not_recognised_from_one_rollout_to_the_next() -> None:
    one, other = (
        Firsts(salt).after([Request("ann", is_canary=True, is_bad=True)])[0] for salt in "ab"
    )
    assert one.had.isdisjoint(other.had)


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_on_the_canary_stays_while_the_share_rises(
    salt: str, who: str, one: float, other: float
) -> None:
    where = cohorts.place(salt, who)
    assert 0 <= where < 1
    small, large = sorted((one, other))
    if cohorts.side(small, where) == "canary":
        assert cohorts.side(large, where) == "canary"
    assert (cohorts.side(0, where), cohorts.side(1, where)) == ("stable", "canary")


def test_a_tenth_of_the_users_is_a_tenth_and_another_one_for_each_rollout() -> None:
    tenths = [
        {who for who in range(5000) if cohorts.place(salt, str(who)) < 0.1} for salt in ("a", "b")
    ]
    assert all(abs(len(one) - 500) < 100 for one in tenths)
    assert len(tenths[0] & tenths[1]) < 100


@pytest.mark.parametrize(
    ("share", "asked", "side"),
    [
        (0.1, "canary", "canary"),
        (0.9, "stable", "stable"),
        (0.9, "other", "canary"),
        (0.0, "canary", "stable"),
        (1.0, "stable", "canary"),
    ],
)
def test_a_header_chooses_while_there_are_two(share: float, asked: str, side: str) -> None:
    assert cohorts.side(share, 0.5, asked) == side


def timings(canary: tuple[int, ...], stable: tuple[int, ...]) -> Timings:
    return Timings(BOUNDS, canary, stable)


def test_a_canary_that_is_slower_than_stable_was_is_found() -> None:
    state = slow.begin(1.0, 2.0)
    for _ in range(10):
        state = state.after(timings((5, 60, 30, 5), (450, 450, 90, 10)))
    assert state.log_e > math.log(100)
    assert state.log_good < 0


def test_both_slower_at_once_is_nothing() -> None:
    state = slow.begin(1.0, 2.0).after(timings((50, 45, 4, 1), (500, 450, 45, 5)))
    for _ in range(10):
        state = state.after(timings((0, 50, 40, 10), (0, 500, 400, 100)))
        assert state.log_e < math.log(5)


def test_nothing_is_slow_before_stable_was_seen_or_by_other_bounds() -> None:
    begun = slow.begin(1.0, 2.0)
    first = begun.after(timings((0, 0, 0, 100), (1000, 0, 0, 0)))
    assert first.races == begun.races
    other = Timings(BOUNDS[:2], (0, 0, 100), (1000, 0, 0))
    assert first.after(other).races == begun.races
    assert first.after(timings((0, 0, 0, 100), (1000, 0, 0, 0))).log_e > math.log(100)
