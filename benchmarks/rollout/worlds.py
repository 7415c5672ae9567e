"""Traffic of two releases, made up: steady, in bursts, from users of whom few make most of it, or slow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from drystone.l50_orchestrator.rollout.looks import Arm, Counted, Timings

MINUTE = 60.0


@dataclass
class Steady:
    """Requests that fail independently of each other.

    Attributes:
        rate: Requests a second.
        stable: Share of stable's requests that fail.
        canary: The same of the canary.
        burst: Standard deviation of the logarithm of a factor that hits both releases, another one in each minute; its mean is 1.
        trace: Where the chance comes from.
    """

    rate: float
    stable: float
    canary: float
    burst: float = 0.0
    trace: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    _minute: int = -1
    _factor: float = 1.0

    def look(self, at: float, seconds: float, share: float) -> Counted:
        """Return what happens in so many seconds that end at ``at``, with such a share on the canary."""
        minute = int((at - seconds) // MINUTE)
        if minute != self._minute and self.burst:
            drawn = self.trace.normal(-(self.burst**2) / 2, self.burst)
            self._minute, self._factor = minute, math.exp(drawn)
        both = []
        for part, bad in ((share, self.canary), (1 - share, self.stable)):
            n = int(self.trace.poisson(self.rate * seconds * part))
            both.append(Arm(n, int(self.trace.binomial(n, min(1.0, bad * self._factor)))))
        canary, stable = both
        return Counted(canary, stable, share if 0 < share < 1 else None)

    def answer(self, share: float, *, is_canary: bool) -> Counted:
        """Return one answer, where such a share goes to the canary."""
        bad = int(self.trace.random() < (self.canary if is_canary else self.stable))
        one = Arm(1, bad)
        return Counted(canary=one, share=share) if is_canary else Counted(stable=one, share=share)


@dataclass(frozen=True)
class Late:
    """Requests whose answers take their time, another one on each release, and that fail on both alike.

    Attributes:
        name: For people.
        stable: Seconds that answers of stable take, as a median.
        canary: The same of the canary.
        cold: Seconds more that the canary takes in the first ten.
        bad: Share of requests that fail.
        outages: How often all requests of both fail for ten seconds.
        rate: Requests a second.
    """

    name: str
    stable: float = 0.05
    canary: float = 0.05
    cold: float = 0.0
    bad: float = 0.01
    outages: int = 0
    rate: float = 20.0

    def looks(
        self, trace: np.random.Generator, edges: NDArray[np.float64], share: float
    ) -> list[Counted]:
        """Return what is answered between each two of these moments, in seconds, with such a share on the canary."""
        end = float(edges[-1])
        came = np.sort(trace.uniform(-10, end, trace.poisson(self.rate * (end + 10))))
        there = (trace.random(len(came)) < share) & (came >= 0)
        chance = np.full(len(came), self.bad)
        for begin in trace.uniform(0, end, self.outages):
            chance[(came >= begin) & (came < begin + 10)] = 1.0
        failed = trace.random(len(came)) < chance
        took = np.where(there, self.canary + self.cold * (came < 10), self.stable)
        done = came + took * trace.lognormal(0, SPREAD, len(came))

        def counted(which: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.histogram(done[which], edges)[0]

        sides = counted(there), counted(there & failed), counted(~there), counted(~there & failed)
        return [
            Counted(Arm(int(a), int(b)), Arm(int(c), int(d)), share)
            for a, b, c, d in zip(*sides, strict=True)
        ]


@dataclass
class Users:
    """Users who stay where they are, some of whom ask much more than others, and fail much more.

    Attributes:
        number: Of users.
        rate: Requests a second of all together.
        bad: Share of requests that fail, on average.
        times: How many times as often they fail on the canary.
        spread: Standard deviation of the logarithm of each user's own share of failures.
        trace: Where the chance comes from.
    """

    number: int
    rate: float
    bad: float
    times: float
    spread: float
    trace: np.random.Generator

    def minutes(self, length: int, share: float) -> tuple[list[Counted], list[Counted]]:
        """Return what is counted by requests in each minute, and by users."""
        bad, asked = self._drawn(length)
        there = self.trace.random(self.number) < share
        chance = np.minimum(1.0, np.where(there, bad * self.times, bad))
        return self.counted(asked, self.trace.binomial(asked, chance[:, None]), there)

    def answered(self, length: int, share: float, *, slower: float) -> list[Timings]:
        """Return how long answers took in each minute, one of each user: in the second minute in which they ask.

        Some users wait longer than others, always.

        Args:
            length: Minutes.
            share: Of the users on the canary.
            slower: How many times as long the canary takes.
        """
        _, asked = self._drawn(length)
        there = self.trace.random(self.number) < share
        own = self.trace.lognormal(math.log(MEDIAN), SPREAD, self.number)
        own = np.where(there, own * slower, own)
        bounds = tuple(timedelta(milliseconds=round(float(one), 3)) for one in BOUNDS)
        counts = (asked > 0) & ((asked > 0).cumsum(axis=1) == 2)
        found = []
        for minute in range(length):
            took = own * self.trace.lognormal(0, SPREAD, self.number)
            sides = [took[counts[:, minute] & side] for side in (there, ~there)]
            found.append(Timings(bounds, _classes(sides[0]), _classes(sides[1])))
        return found

    @staticmethod
    def counted(
        asked: NDArray[np.int64], failed: NDArray[np.int64], there: NDArray[np.bool_]
    ) -> tuple[list[Counted], list[Counted]]:
        """Count what each user, a row, asked and failed in each minute, a column; ``there`` are those on the canary."""
        had = failed.cumsum(axis=1) > 0
        before = np.zeros_like(had)
        before[:, 1:] = had[:, :-1]
        firsts = _counted((asked > 0) & ~before, had & ~before, there)
        return _counted(asked, failed, there), [_parted(one) for one in firsts]

    def _drawn(self, length: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        chance, number = self.trace, self.number
        mean = math.log(self.bad) - self.spread**2 / 2
        bad = np.exp(chance.normal(mean, self.spread, number))
        busy = chance.lognormal(0, 1, number)
        busy *= self.rate * MINUTE / busy.sum()
        return bad, chance.poisson(np.repeat(busy[:, None], length, axis=1))


def _counted(
    n: NDArray[np.generic], bad: NDArray[np.generic], there: NDArray[np.bool_]
) -> list[Counted]:
    sides = [(n[side].sum(axis=0), bad[side].sum(axis=0)) for side in (there, ~there)]
    (canary_n, canary_bad), (stable_n, stable_bad) = sides
    return [
        Counted(Arm(int(a), int(b)), Arm(int(c), int(d)))
        for a, b, c, d in zip(canary_n, canary_bad, stable_n, stable_bad, strict=True)
    ]


def _parted(seen: Counted) -> Counted:
    """Say how first errors would part if both were equally good: as those do who asked and had met none, which the platform counts."""
    canary, stable = seen.canary.n, seen.stable.n
    share = canary / (canary + stable) if canary and stable else None
    return Counted(seen.canary, seen.stable, share)


BOUNDS = np.geomspace(1.0, 10_000.0, 97)
"""Milliseconds; each a tenth more than the one before."""

MEDIAN, SPREAD = 100.0, 0.5
"""Of answers that take as long as ever: milliseconds, and standard deviation of the logarithm."""


def answers(
    trace: np.random.Generator, rate: float, share: float, *, times: float = 1.0, tail: float = 0.0
) -> Iterator[tuple[Timings, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the answers of each minute, as histograms and in milliseconds of the canary and of stable.

    Args:
        trace: Where the chance comes from.
        rate: Requests a second.
        share: Of them on the canary.
        times: How many times as long the canary takes.
        tail: Share of the canary's answers that take half a second more.
    """
    bounds = tuple(timedelta(milliseconds=round(float(one), 3)) for one in BOUNDS)
    while True:
        canary = trace.lognormal(math.log(MEDIAN), SPREAD, trace.poisson(rate * MINUTE * share))
        stable = trace.lognormal(
            math.log(MEDIAN), SPREAD, trace.poisson(rate * MINUTE * (1 - share))
        )
        canary = canary * times + 500.0 * (trace.random(len(canary)) < tail)
        yield Timings(bounds, _classes(canary), _classes(stable)), canary, stable


def _classes(times: NDArray[np.float64]) -> tuple[int, ...]:
    places = np.searchsorted(BOUNDS, times)
    return tuple(int(one) for one in np.bincount(places, minlength=len(BOUNDS) + 1))
