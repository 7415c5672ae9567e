"""The ways to count: pure, in whole microseconds of a clock that never runs backwards, which is handed in.

========================  ==============================================================================
:class:`Bucket`           a bucket of tokens that fills evenly; the generic cell rate algorithm (ITU-T I.371,
                          "virtual scheduling"), which decides as a token bucket does and keeps one number
:class:`FixedWindow`      so many from one full period to the next; up to twice as many around the change
:class:`SlidingWindow`    never more than so many in any period, wherever it begins
========================  ==============================================================================

What was used up is a plain number of calls (:meth:`Counting.used`), from which any other way to count can go on
(:meth:`Counting.carried`): whoever changes a limit does not fill its buckets again.
"""

from __future__ import annotations

import abc
from typing import Generic, NamedTuple, TypeVar

import msgspec
from typing_extensions import override

SLOTS = 16
"""Pieces of a sliding window: what left the window by less than one of them still counts."""

State = TypeVar("State")


class Quota(msgspec.Struct, frozen=True):
    """How much is allowed.

    Attributes:
        count: Calls in one period; at least 1.
        period: Microseconds; at least 1.
        burst: Calls at once, for a bucket; at least 1.
    """

    count: int
    period: int
    burst: int


class Verdict(NamedTuple):
    """What was decided about one call.

    Attributes:
        admitted: Whether it may go on.
        remaining: How many more could follow at once.
        reset: Microseconds until everything that was used is given back, if nobody calls meanwhile.
        retry: Microseconds after which this call would be admitted; 0 when it is, None when it never would be.
    """

    admitted: bool
    remaining: int
    reset: int
    retry: int | None


class Counting(abc.ABC, Generic[State]):
    """One way to count by one quota. States are values: deciding changes none.

    Args:
        quota: How much is allowed.
    """

    def __init__(self, quota: Quota) -> None:
        self.quota = quota

    @abc.abstractmethod
    def ask(self, state: State | None, cost: int, now: int) -> tuple[Verdict, State]:
        """Decide about a call.

        Args:
            state: What is known of the caller; None when nothing is.
            cost: What the call counts for; at least 1.
            now: Microseconds; never less than at the last call with this state.

        Returns:
            The verdict, and the state if it is carried out; one that refuses uses nothing up.
        """

    @abc.abstractmethod
    def used(self, state: State, now: int) -> int:
        """Return how much is used up, rounded up."""

    @abc.abstractmethod
    def carried(self, used: int, now: int) -> State:
        """Return the state in which so much is used up; more than all counts as all."""

    def is_idle(self, state: State, now: int) -> bool:
        """Tell whether a state says no more than none would."""
        return self.used(state, now) == 0


class Bucket(Counting[int]):
    """Tokens that come back evenly, ``count`` in a period, up to ``burst``.

    The state is the moment at which the bucket is full again, in microseconds times ``count``: so every number is
    whole, and nothing is ever rounded.
    """

    @override
    def ask(self, state: int | None, cost: int, now: int) -> tuple[Verdict, int]:
        count, period, burst = self.quota.count, self.quota.period, self.quota.burst
        scaled = now * count
        full_at = scaled if state is None or state < scaled else state
        after = full_at + cost * period
        left = scaled + burst * period - after
        if left >= 0:
            return Verdict(True, left // period, -((scaled - after) // count), 0), after
        retry = -(left // count) if cost <= burst else None
        remaining = (left + cost * period) // period
        return Verdict(False, remaining, -((scaled - full_at) // count), retry), full_at

    @override
    def used(self, state: int, now: int) -> int:
        debt = state - now * self.quota.count
        return -(-debt // self.quota.period) if debt > 0 else 0

    @override
    def carried(self, used: int, now: int) -> int:
        return now * self.quota.count + min(used, self.quota.burst) * self.quota.period


class FixedWindow(Counting[tuple[int, int]]):
    """``count`` calls from one full period to the next. The state is the number of the period, and what it saw."""

    @override
    def ask(
        self, state: tuple[int, int] | None, cost: int, now: int
    ) -> tuple[Verdict, tuple[int, int]]:
        count, period = self.quota.count, self.quota.period
        window = now // period
        used = state[1] if state is not None and state[0] == window else 0
        ends = (window + 1) * period - now
        if used + cost <= count:
            after = used + cost
            return Verdict(True, count - after, ends, 0), (window, after)
        retry = ends if cost <= count else None
        return Verdict(False, count - used, ends if used else 0, retry), (window, used)

    @override
    def used(self, state: tuple[int, int], now: int) -> int:
        return state[1] if state[0] == now // self.quota.period else 0

    @override
    def carried(self, used: int, now: int) -> tuple[int, int]:
        return now // self.quota.period, min(used, self.quota.count)


class SlidingWindow(Counting[tuple[int, tuple[int, ...]]]):
    """Never more than ``count`` calls in any period.

    Time is cut into slots, of which :data:`SLOTS` cover a period. Calls are counted in their slot, and a slot counts
    until all of it lies further back than a period. So what a caller gets back comes late by one slot at most, never
    early. The state is the number of the newest slot, and the counts up to it, the oldest first.
    """

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._slot = -(-quota.period // SLOTS)

    def _counts(self, state: tuple[int, tuple[int, ...]] | None, slot: int) -> tuple[int, ...]:
        """Return what counts in a slot and in those before it that are still seen."""
        if state is None or slot - state[0] > SLOTS:
            return (0,) * (SLOTS + 1)
        past = slot - state[0]
        return state[1][past:] + (0,) * past

    @override
    def ask(
        self, state: tuple[int, tuple[int, ...]] | None, cost: int, now: int
    ) -> tuple[Verdict, tuple[int, tuple[int, ...]]]:
        slot = now // self._slot
        counts = self._counts(state, slot)
        left = self.quota.count - sum(counts)
        if cost <= left:
            after = (*counts[:-1], counts[-1] + cost)
            return Verdict(True, left - cost, self._until_gone(slot, SLOTS, now), 0), (slot, after)
        newest = max((i for i, seen in enumerate(counts) if seen), default=None)
        reset = 0 if newest is None else self._until_gone(slot, newest, now)
        return Verdict(False, left, reset, self._retry(counts, cost - left, slot, now)), (
            slot,
            counts,
        )

    def _until_gone(self, slot: int, place: int, now: int) -> int:
        """Return how long the slot at a place of the counts is still seen."""
        return (slot + place + 1) * self._slot - now

    def _retry(self, counts: tuple[int, ...], missing: int, slot: int, now: int) -> int | None:
        for place, seen in enumerate(counts):
            missing -= seen
            if missing <= 0:
                return self._until_gone(slot, place, now)
        return None

    @override
    def used(self, state: tuple[int, tuple[int, ...]], now: int) -> int:
        return sum(self._counts(state, now // self._slot))

    @override
    def carried(self, used: int, now: int) -> tuple[int, tuple[int, ...]]:
        return now // self._slot, (*(0,) * SLOTS, min(used, self.quota.count))
