"""What decides over a canary: the one of the platform, and how others do it, made again from what is public of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.looks import Counted, Look, Timings
from drystone.l50_orchestrator.rollout.plan import ERRORS, Plan, Step, Watch

LONG = timedelta(days=1)


class Judge(ABC):
    """Is told what happened in each minute or part of it, and says when it has seen enough of a bad canary."""

    @abstractmethod
    def is_bad(self, at: float, seen: Counted) -> bool:
        """Tell whether the canary is to be taken back, ``at`` seconds after the begin of the rollout."""


class Bets(Judge):
    """The one of the platform, with all that belongs to it; the share is given and not its own."""

    def __init__(self, watch: Watch | None = None) -> None:
        # Of a cohort that stays together the machine does not say itself how requests are parted: whoever looks does.
        plan = Plan(
            steps=(Step(0.5, LONG), Step(1.0)),
            cohort="user",
            watch=watch or Watch(early=False),
        )
        self.state = machine.begin(plan)

    @override
    def is_bad(self, at: float, seen: Counted) -> bool:
        look = Look(at=timedelta(seconds=at), counts={ERRORS: seen})
        self.state = machine.looked(self.state, look)
        return self.state.verdict == "bad"

    def is_slow(self, at: float, timings: Timings) -> bool:
        """The same for answers that take long."""
        self.state = machine.looked(self.state, Look(at=timedelta(seconds=at), timings=timings))
        return self.state.verdict == "bad"


class Minutes(Judge):
    """One that judges whole minutes."""

    def __init__(self) -> None:
        self.canary: list[float] = []
        self.stable: list[float] = []
        self._open = Counted()

    @override
    def is_bad(self, at: float, seen: Counted) -> bool:
        self._open = self._open.plus(seen)
        if at % 60:
            return False
        canary, stable = self._open.canary, self._open.stable
        self._open = Counted()
        self.canary.append(canary.bad / canary.n if canary.n else math.nan)
        self.stable.append(stable.bad / stable.n if stable.n else math.nan)
        return self.judged()

    @abstractmethod
    def judged(self) -> bool:
        """Tell whether the canary is bad, by the minutes so far."""


class Threshold(Minutes):
    """At least so many minutes with less than a fixed share of good answers, as in Argo Rollouts and Flagger."""

    def __init__(self, least: float = 0.99, failures: int = 3) -> None:
        super().__init__()
        self.least, self.failures = least, failures

    @override
    def judged(self) -> bool:
        return sum(1 - bad < self.least for bad in self.canary) >= self.failures


class Kayenta(Minutes):
    """The judge of Kayenta, at each minute once there are ``least`` of them, or ``only`` then."""

    def __init__(self, least: int = 10, *, only: bool = False) -> None:
        super().__init__()
        self.least, self.only = least, only

    @override
    def judged(self) -> bool:
        minutes = len(self.canary)
        if minutes < self.least or (self.only and minutes > self.least):
            return False
        return is_high(self.canary, self.stable)


class Fisher(Minutes):
    """A test that is right when it is asked once, asked at each minute: with p below 0.01 the canary is bad."""

    def __init__(self) -> None:
        super().__init__()
        self._all = Counted()

    @override
    def is_bad(self, at: float, seen: Counted) -> bool:
        self._all = self._all.plus(seen)
        return super().is_bad(at, seen)

    @override
    def judged(self) -> bool:
        canary, stable = self._all.canary, self._all.stable
        bad = canary.bad + stable.bad
        return _hypergeometric_tail(canary.bad, canary.n, stable.n, bad) < 0.01


def is_high(canary: Sequence[float], stable: Sequence[float]) -> bool:
    """Classify a metric as Kayenta's Mann-Whitney classifier does, where more is worse.

    Minutes without a value are left out. High is what is shifted by more than a quarter of the estimated shift, with
    98 % confidence, and has a mean that is not below the other's.
    """
    x, y = (np.array([one for one in side if not math.isnan(one)]) for side in (canary, stable))
    if not len(x) or not len(y) or len(np.unique(np.concatenate([x, y]))) == 1:
        return False
    low, estimate = _shift(x, y)
    mean = float(y.mean())
    return low > 0.25 * abs(estimate) and (mean == 0 or float(x.mean()) / mean >= 1.0)


def _shift(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lower bound of the shift between two samples at 98 %, and the estimate of Hodges and Lehmann."""
    shifts = np.sort((x[:, None] - y[None, :]).ravel())
    n, m = len(x), len(y)
    width = NormalDist().inv_cdf(0.99) * math.sqrt(n * m * (n + m + 1) / 12)
    place = math.floor(n * m / 2 - width)
    return (float(shifts[place - 1]) if place >= 1 else -math.inf), float(np.median(shifts))


def _hypergeometric_tail(least: int, canary: int, stable: int, bad: int) -> float:
    """Return the probability that so many of the bad ones or more are the canary's, if it is chance."""
    if least * stable <= (bad - least) * canary:
        return 1.0  # no more than its part, so that nothing is to be asked

    def log_of(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    whole = log_of(canary + stable, bad)
    term = math.exp(log_of(canary, least) + log_of(stable, bad - least) - whole)
    tail = 0.0
    for k in range(least, min(bad, canary) + 1):
        tail += term
        if term < 1e-12:
            break
        term *= (canary - k) * (bad - k) / ((k + 1) * (stable - bad + k + 1))
    return tail
