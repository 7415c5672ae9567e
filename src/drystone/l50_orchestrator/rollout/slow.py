"""Is the canary slower? Answers are bad here that take longer than stable's took lately.

The bounds are stable's own 50th, 90th and 99th percentile, from looks before the one that they judge, so that nobody can choose them
after the fact. A bound that half of the answers are over finds a little more time for everybody; one that a hundredth are
over finds much more time for a few. The evidence of the three is averaged, which is evidence again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate

import msgspec

from drystone.l50_orchestrator.rollout import purse
from drystone.l50_orchestrator.rollout.looks import Arm, Counted, Timings
from drystone.l50_orchestrator.rollout.race import Proof, Race

QUANTILES = (0.5, 0.9, 0.99)

LEAST_BEFORE = 200
"""So many answers of stable must have been seen before the first bounds are chosen."""

MOST_BEFORE = 20_000.0
"""So many are remembered; of more, all count less."""


class Slow(msgspec.Struct, frozen=True):
    """The bets on how long answers take.

    Attributes:
        bounds: Of the histogram that is remembered.
        before: Stable's answers by class, lately.
        races: One for each of :data:`QUANTILES`.
        proofs: The same the other way.
        seen: How many answers were over the 90th percentile.
    """

    bounds: tuple[timedelta, ...]
    before: tuple[float, ...]
    races: tuple[Race, ...]
    proofs: tuple[Proof, ...]
    seen: Counted = Counted()

    @property
    def log_e(self) -> float:
        """The evidence that the canary is slower."""
        return purse.weighted((1 / len(self.races), race.log_e) for race in self.races)

    @property
    def log_good(self) -> float:
        """The evidence that at none of the bounds so many more answers are slow; all must be proven."""
        return min(proof.log_e for proof in self.proofs)

    def after(self, timings: Timings) -> Slow:
        """Return the bets after one more look; bounds of another histogram begin a new memory."""
        same = timings.bounds == self.bounds
        before = self.before if same else (0.0,) * len(timings.stable)
        races, proofs, seen = list(self.races), list(self.proofs), self.seen
        if sum(before) >= LEAST_BEFORE:
            for place, quantile in enumerate(QUANTILES):
                counted = _over(timings, _class_of(before, quantile))
                races[place] = races[place].after(counted)
                proofs[place] = proofs[place].after(counted)
                seen = seen.plus(counted) if quantile == QUANTILES[1] else seen
        return Slow(
            timings.bounds, _remembered(before, timings.stable), tuple(races), tuple(proofs), seen
        )

    def without_waiting(self) -> Slow:
        """Return the bets without what waits."""
        return msgspec.structs.replace(
            self,
            races=tuple(race.without_waiting() for race in self.races),
            proofs=tuple(proof.without_waiting() for proof in self.proofs),
        )

    def spread(self, part: float) -> Slow:
        """Split a part of the money of each race as at the beginning."""
        return msgspec.structs.replace(self, races=tuple(race.spread(part) for race in self.races))

    def proven_anew(self, worse: float) -> Slow:
        """Forget what was proven good."""
        return msgspec.structs.replace(self, proofs=tuple(Proof(worse) for _ in QUANTILES))


def begin(tolerate: float, worse: float) -> Slow:
    """Return the bets before the first look."""
    races = tuple(Race(tolerate) for _ in QUANTILES)
    return Slow((), (), races, tuple(Proof(worse) for _ in QUANTILES))


def _class_of(before: Sequence[float], quantile: float) -> int:
    """Return the class in which a quantile lies."""
    wanted = quantile * sum(before)
    return next(place for place, sum_ in enumerate(accumulate(before)) if sum_ >= wanted)


def _over(timings: Timings, place: int) -> Counted:
    canary, stable = timings.canary, timings.stable
    return Counted(
        Arm(sum(canary), sum(canary[place + 1 :])), Arm(sum(stable), sum(stable[place + 1 :]))
    )


def _remembered(before: Sequence[float], new: Sequence[int]) -> tuple[float, ...]:
    both = [one + other for one, other in zip(before, new, strict=True)]
    factor = min(1.0, MOST_BEFORE / max(1.0, sum(both)))
    return tuple(one * factor for one in both)
