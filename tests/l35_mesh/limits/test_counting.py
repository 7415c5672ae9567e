"""The ways to count, held against ways that are obviously right and slow."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l35_mesh.limits.domain import (
    SLOTS,
    Bucket,
    Counting,
    FixedWindow,
    Quota,
    SlidingWindow,
    Verdict,
)

WAYS: tuple[Callable[[Quota], Counting[Any]], ...] = (Bucket, FixedWindow, SlidingWindow)

quotas = st.builds(
    Quota,
    count=st.integers(1, 40),
    period=st.integers(1, 2000),
    burst=st.integers(1, 40),
)
calls = st.lists(st.tuples(st.integers(0, 700), st.integers(1, 8)), min_size=1, max_size=60)
"""Microseconds since the call before, and what a call costs."""
ways = st.sampled_from(WAYS)


def decided(
    way: Counting[Any], asked: list[tuple[int, int]], begin: int = 10**15
) -> list[tuple[int, int, Verdict]]:
    """Ask one call after another; return moment, cost and verdict of each."""
    state, now, found = None, begin, []
    for pause, cost in asked:
        now += pause
        verdict, state = way.ask(state, cost, now)
        found.append((now, cost, verdict))
    return found


def most_of(way: Counting[Any]) -> int:
    return way.quota.burst if isinstance(way, Bucket) else way.quota.count


@given(quotas, calls)
def test_a_bucket_decides_as_tokens_that_come_back_would(
    quota: Quota, asked: list[tuple[int, int]]
) -> None:
    tokens, before = Fraction(quota.burst), 10**15
    for now, cost, verdict in decided(Bucket(quota), asked):
        tokens = min(
            Fraction(quota.burst), tokens + Fraction((now - before) * quota.count, quota.period)
        )
        before = now
        assert verdict.admitted == (tokens >= cost)
        tokens -= cost if verdict.admitted else 0
        assert verdict.remaining == tokens // 1


@given(quotas, calls)
def test_a_fixed_window_admits_what_fits_between_two_full_periods(
    quota: Quota, asked: list[tuple[int, int]]
) -> None:
    admitted: dict[int, int] = {}
    for now, cost, verdict in decided(FixedWindow(quota), asked):
        window = now // quota.period
        used = admitted.get(window, 0)
        assert verdict.admitted == (used + cost <= quota.count)
        admitted[window] = used + (cost if verdict.admitted else 0)
        assert verdict.remaining == quota.count - admitted[window]


@given(quotas, calls)
def test_a_sliding_window_never_admits_more_in_any_period(
    quota: Quota, asked: list[tuple[int, int]]
) -> None:
    log = [
        (now, cost)
        for now, cost, verdict in decided(SlidingWindow(quota), asked)
        if verdict.admitted
    ]
    for end, _ in log:
        inside = sum(cost for now, cost in log if end - quota.period < now <= end)
        assert inside <= quota.count


@given(quotas, calls)
def test_a_sliding_window_refuses_only_what_a_period_and_one_slot_cannot_hold(
    quota: Quota, asked: list[tuple[int, int]]
) -> None:
    slot = -(-quota.period // SLOTS)
    log: list[tuple[int, int]] = []
    for now, cost, verdict in decided(SlidingWindow(quota), asked):
        if verdict.admitted:
            log.append((now, cost))
        else:
            seen = sum(past for at, past in log if at > now - (SLOTS + 1) * slot)
            assert seen + cost > quota.count


@given(ways, quotas, calls)
def test_remaining_is_what_can_follow_at_once(
    way: Callable[[Quota], Counting[Any]], quota: Quota, asked: list[tuple[int, int]]
) -> None:
    counting = way(quota)
    state, now = None, 10**15
    for pause, cost in asked:
        now += pause
        verdict, state = counting.ask(state, cost, now)
        assert 0 <= verdict.remaining <= most_of(counting)
        if verdict.remaining:
            assert counting.ask(state, verdict.remaining, now)[0].admitted
        assert not counting.ask(state, verdict.remaining + 1, now)[0].admitted


@given(ways, quotas, calls)
def test_a_call_is_admitted_when_its_retry_has_passed_and_not_before(
    way: Callable[[Quota], Counting[Any]], quota: Quota, asked: list[tuple[int, int]]
) -> None:
    counting = way(quota)
    state, now = None, 10**15
    for pause, cost in asked:
        now += pause
        verdict, state = counting.ask(state, cost, now)
        if verdict.retry is None:
            assert cost > most_of(counting)
        elif verdict.retry:
            assert not counting.ask(state, cost, now + verdict.retry - 1)[0].admitted
            assert counting.ask(state, cost, now + verdict.retry)[0].admitted
        else:
            assert verdict.admitted


@given(ways, quotas, calls)
def test_everything_is_given_back_at_its_reset_and_not_before(
    way: Callable[[Quota], Counting[Any]], quota: Quota, asked: list[tuple[int, int]]
) -> None:
    counting = way(quota)
    state, now = None, 10**15
    for pause, cost in asked:
        now += pause
        verdict, state = counting.ask(state, cost, now)
        assert counting.is_idle(state, now + verdict.reset)
        assert counting.ask(state, most_of(counting), now + verdict.reset)[0].admitted
        if verdict.reset:
            assert not counting.is_idle(state, now + verdict.reset - 1)


@given(ways, quotas, ways, quotas, calls)
def test_a_new_limit_goes_on_from_what_was_used(
    before: Callable[[Quota], Counting[Any]],
    old: Quota,
    after: Callable[[Quota], Counting[Any]],
    new: Quota,
    asked: list[tuple[int, int]],
) -> None:
    counting, changed = before(old), after(new)
    state, now = None, 10**15
    for pause, cost in asked:
        now += pause
        _, state = counting.ask(state, cost, now)
    assert state is not None
    used = counting.used(state, now)
    carried = changed.carried(used, now)
    assert changed.used(carried, now) == min(used, most_of(changed))
    left = most_of(changed) - min(used, most_of(changed))
    assert not changed.ask(carried, left + 1, now)[0].admitted
    if left:
        assert changed.ask(carried, left, now)[0].admitted


@given(ways, quotas, calls, calls)
def test_who_calls_less_is_not_refused_more(
    way: Callable[[Quota], Counting[Any]],
    quota: Quota,
    asked: list[tuple[int, int]],
    last: list[tuple[int, int]],
) -> None:
    """Of two callers, the one who made only the last calls is admitted whenever the other one is."""
    counting = way(quota)
    pause = sum(pause for pause, _ in asked)
    (_, _, alone), *_ = decided(counting, [(pause + last[0][0], last[0][1])])
    *_, (_, _, after) = decided(counting, [*asked, last[0]])
    assert alone.admitted or not after.admitted
    assert not after.admitted or alone.remaining >= after.remaining


@pytest.mark.parametrize("way", WAYS)
def test_the_largest_limit_that_can_be_written_is_still_exact(
    way: Callable[[Quota], Counting[Any]],
) -> None:
    counting = way(Quota(count=999_999_999, period=3_600_000_000, burst=999_999_999))
    verdict, state = counting.ask(None, 999_999_999, 10**18)
    assert verdict.admitted
    assert not counting.ask(state, 1, 10**18)[0].admitted
