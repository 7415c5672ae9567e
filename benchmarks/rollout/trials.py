"""Many rollouts, and what became of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, median

import numpy as np
from benchmarks.rollout.judges import Bets, Judge
from benchmarks.rollout.worlds import MINUTE, Late, Steady, Users, answers
from typing_extensions import override

from drystone.l50_orchestrator.rollout.looks import Counted
from drystone.l50_orchestrator.rollout.plan import Watch

SHARE = 0.1

BY_USER = Watch(early=False, by="user")
"""Some of the money is for trials of single users then."""


@dataclass(frozen=True)
class Case:
    """Two releases.

    Attributes:
        name: For people.
        rate: Requests a second.
        stable: Share of requests that fail.
        canary: The same of the canary.
        burst: See :class:`~benchmarks.rollout.worlds.Steady`.
    """

    name: str
    rate: float
    stable: float
    canary: float
    burst: float = 0.0

    def world(self, seed: int) -> Steady:
        """Return its traffic, for one run."""
        chance = np.random.default_rng([seed, int(self.rate), int(1e6 * self.canary)])
        return Steady(self.rate, self.stable, self.canary, self.burst, chance)


EQUAL = (
    Case("0.1 % of 20/s", 20, 0.001, 0.001),
    Case("1 % of 20/s", 20, 0.01, 0.01),
    Case("1 % of 2/s", 2, 0.01, 0.01),
    Case("1 % of 200/s, in bursts", 200, 0.01, 0.01, 1.0),
)
"""Where the canary is as good as stable; the fifth are :func:`user_alarms` with ``times`` 1."""

WORSE = (
    Case("0 → 0.5 % of 20/s", 20, 0.0, 0.005),
    Case("0.1 → 1 % of 20/s", 20, 0.001, 0.01),
    Case("0 → 2 % of 2/s", 2, 0.0, 0.02),
    Case("1 → 2 % of 20/s", 20, 0.01, 0.02),
    Case("1 → 2 % of 200/s, in bursts", 200, 0.01, 0.02, 1.0),
    Case("0.1 → 100 % of 2/s", 2, 0.001, 1.0),
)


@dataclass(frozen=True)
class Outcome:
    """When each of some runs ended with an alarm, in minutes; None if it did not."""

    minutes: tuple[float | None, ...]

    @property
    def alarms(self) -> float:
        """The share of runs with an alarm."""
        return len(self.found) / len(self.minutes)

    @property
    def found(self) -> list[float]:
        """The minutes of those that had one."""
        return [one for one in self.minutes if one is not None]

    def within(self, minutes: float) -> float:
        """Return the share of runs with an alarm by then."""
        return sum(one <= minutes for one in self.found) / len(self.minutes)

    def bounds(self, minutes: float) -> tuple[float, float]:
        """Return between which the probability of an alarm by then is, with 95 % confidence (Wilson 1927)."""
        share, n, z = self.within(minutes), len(self.minutes), 1.96
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        width = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return middle - width, middle + width

    @override
    def __str__(self) -> str:
        """Write the share, and the median minute."""
        share = f"{100 * self.alarms:.1f} %"
        return f"{share}, minute {median(self.found):.3g}" if self.found else share


def alarms(
    case: Case,
    judge: Callable[[], Judge],
    runs: int,
    minutes: int = 60,
    seconds: float = MINUTE,
    *,
    first: int = 0,
) -> Outcome:
    """Run a case, with a tenth of the traffic on the canary and a look every so many seconds; seeds rise from ``first``."""
    numbers = range(first, first + runs)
    return Outcome(tuple(_one(case, judge(), run, minutes, seconds) for run in numbers))


def _one(case: Case, judge: Judge, run: int, minutes: int, seconds: float) -> float | None:
    world = case.world(run)
    for number in range(1, int(minutes * MINUTE / seconds) + 1):
        at = number * seconds
        if judge.is_bad(at, world.look(at, seconds, SHARE)):
            return at / MINUTE
    return None


LATE = (
    Late("as quick"),
    Late("the canary takes 1 s and 3 s more at first, stable 50 ms", canary=1.0, cold=3.0),
    Late("stable takes 1 s, the canary 50 ms", stable=1.0),
    Late("both fail for ten seconds, three times", outages=3),
    Late("the same, and both take 1 s", stable=1.0, canary=1.0, outages=3),
    Late("the same, the canary takes 1 s and stable 50 ms", canary=1.0, outages=3),
    Late("the same, stable takes 1 s and the canary 50 ms", stable=1.0, outages=3),
)
"""Both fail alike, but not after the same time."""

EDGES = np.concatenate([np.arange(0, 15, 0.25), np.arange(15, 601, 3)])
"""When the orchestrator looks, for ten minutes."""


def late_alarms(world: Late, share: float, runs: int) -> Outcome:
    """Run releases whose answers take their time, with looks as the orchestrator has them."""
    found: list[float | None] = []
    for run in range(runs):
        judge, end = Bets(), None
        looks = world.looks(np.random.default_rng([run, 11]), EDGES, share)
        for at, seen in zip(EDGES[1:], looks, strict=True):
            if judge.is_bad(float(at), seen):
                end = float(at) / MINUTE
                break
        found.append(end)
    return Outcome(tuple(found))


def user_alarms(
    runs: int, minutes: int, number: int, bad: float, times: float
) -> dict[str, Outcome]:
    """Run users of whom few make most requests and errors: what counting requests finds, and what counting users does."""
    both: dict[str, list[float | None]] = {"requests": [], "users": []}
    for run in range(runs):
        chance = np.random.default_rng([run, number, int(times)])
        users = Users(number, 20.0, bad, times, 2.0, chance)
        for name, looks in zip(both, users.minutes(minutes, SHARE), strict=True):
            judge = Bets(BY_USER if name == "users" else None)
            both[name].append(_first_alarm(judge, looks))
    return {name: Outcome(tuple(found)) for name, found in both.items()}


def _first_alarm(judge: Judge, looks: Iterable[Counted]) -> float | None:
    for minute, seen in enumerate(looks, 1):
        if judge.is_bad(minute * MINUTE, seen):
            return float(minute)
    return None


def slow_alarms(runs: int, minutes: int, rate: float, times: float, tail: float) -> Outcome:
    """Run a canary whose answers take longer."""
    found: list[float | None] = []
    for run in range(runs):
        chance, judge, end = np.random.default_rng([run, int(rate)]), Bets(), None
        traffic = answers(chance, rate, SHARE, times=times, tail=tail)
        for minute, (timings, _, _) in zip(range(1, minutes + 1), traffic, strict=False):
            if judge.is_slow(minute * MINUTE, timings):
                end = float(minute)
                break
        found.append(end)
    return Outcome(tuple(found))


def slow_user_alarms(runs: int, minutes: int, number: int, times: float) -> Outcome:
    """Run users of whom some always wait longer than others, with one answer of each in a minute."""
    found: list[float | None] = []
    for run in range(runs):
        chance, judge, end = np.random.default_rng([run, number, 5]), Bets(BY_USER), None
        users = Users(number, 20.0, 0.01, 1.0, 2.0, chance)
        for minute, timings in enumerate(users.answered(minutes, SHARE, slower=times), 1):
            if judge.is_slow(minute * MINUTE, timings):
                end = float(minute)
                break
        found.append(end)
    return Outcome(tuple(found))


def outage_errors(share: float, runs: int, *, even: bool) -> list[int]:
    """Return how many requests of a canary that always fails it takes, when it is looked after each request.

    Args:
        share: Of the traffic on the canary.
        runs: How many.
        even: Whether every so manieth request goes to the canary, or each one by chance.
    """
    return [_errors(share, np.random.default_rng([run, 7]), even=even) for run in range(runs)]


def _errors(share: float, chance: np.random.Generator, *, even: bool) -> int:
    world = Steady(1.0, 0.001, 1.0, trace=chance)
    judge, canary, sent = Bets(Watch(early=False)), 0, 0
    while True:
        sent += 1
        is_there = sent % round(1 / share) == 0 if even else chance.random() < share
        canary += is_there
        seen = world.answer(share, is_canary=bool(is_there))
        if judge.is_bad(sent / 1000, seen):
            return canary


STEPS = ((5, 0.01), (10, 0.1), (15, 0.5), (30, 1.0))
"""Until which minute which share is on the canary, as by the default steps."""


def blast(case: Case, judge: Callable[[], Judge], runs: int, seconds: float) -> tuple[float, float]:
    """Carry rollouts out in steps until they are taken back, or for half an hour.

    Returns:
        How many requests of users failed on the canary on average, and the share of rollouts that were taken back in time.
    """
    ends = [_blast(case.world(1000 + run), judge(), seconds) for run in range(runs)]
    return mean(failed for failed, _ in ends), mean(is_back for _, is_back in ends)


def _blast(world: Steady, judge: Judge, seconds: float) -> tuple[int, bool]:
    failed, at = 0, 0.0
    for end, share in STEPS:
        while at < end * MINUTE:
            at += seconds
            seen = world.look(at, seconds, share)
            failed += seen.canary.bad
            if share < 1 and judge.is_bad(at, seen):
                return failed, True
    return failed, False
