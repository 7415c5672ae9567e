"""Soft dependencies without which their callers fail after all, as far as evidence shows it.

For each soft dependency the series of its failures is held against that of the caller's own answers
(:mod:`~drystone.l05_graph.coincidence`). Where something else that the caller needs failed at the same times, that may be the
cause of both: these times are taken out, and the rest is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import msgspec
import numpy as np

from drystone.l05_graph.coincidence import FALSE_SHARE, Floats, accepted, chance
from drystone.l05_graph.evidence import Bucket, Detail, Evidence, widened
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.words import Strength

WIDEST = timedelta(hours=1)
"""Wider buckets say nothing about what failed together."""
FEWEST = 20
"""In fewer buckets nothing is asked."""
FAILING = 0.1
"""From this share of failed calls on, something counts as failing in a bucket."""
LEAST_SHARE = 0.05
"""So large a share of the caller's answers has to fail with the dependency; less is of no account."""
LEAST_FACTOR = 2.0
"""And so many times as large as otherwise."""

Pair = tuple[str, str]
Cells = dict[int, tuple[int, int]]
"""Calls and errors by number of bucket."""


class Verdict(StrEnum):
    """What evidence says of a soft dependency."""

    TOGETHER = "together"
    """The caller fails when it fails."""
    COMMON_CAUSE = "common cause"
    """They fail at the same times, and so does something that may be the cause of both."""
    APART = "apart"
    """It failed, and the caller went on."""
    NEVER_FAILED = "never failed"
    """It did not fail while it was seen, so that nothing can be said."""
    TOO_LITTLE = "too little"
    """Too few buckets have both calls to it and answers of the caller."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What evidence says of one soft dependency.

    Attributes:
        dependency: Which.
        verdict: What it says.
        share_with: Share of the caller's answers that failed while the dependency was failing.
        share_without: Share of them that failed otherwise.
        chance: Probability of such a coincidence if they had nothing to do with each other.
        causes: What failed at the same times and may be the cause, by name.
        buckets: In how many buckets the dependency was failing.
        width: How long a bucket is.
    """

    dependency: Dependency
    verdict: Verdict
    share_with: float = 0.0
    share_without: float = 0.0
    chance: float = 1.0
    causes: tuple[str, ...] = ()
    buckets: int = 0
    width: timedelta = WIDEST


def judged(model: Model, evidence: Evidence) -> tuple[Judged, ...]:
    """Ask evidence of each soft dependency of a model whether its caller really can do without.

    Returns:
        One for each pair of components, in the order of the model. Of those that are said to fail together at most
        :data:`~drystone.l05_graph.coincidence.FALSE_SHARE` do so by chance, on average, as long as failures do not follow
        a clock, and what fails with them is seen in the evidence.
    """
    soft: dict[Pair, Dependency] = {}
    hard = {(one.source, one.target) for one in model.dependencies if one.is_hard}
    for one in model.dependencies:
        if one.strength is Strength.SOFT and (one.source, one.target) not in hard:
            soft.setdefault((one.source, one.target), one)
    times = _Times(evidence)
    asked = [_Asked.of(one, times) for one in soft.values()]
    tested = [one for one in asked if one.can_tell]
    chances = [one.chance(frozenset()) for one in tested]
    found = {
        id(one): (probability, yes)
        for one, probability, yes in zip(tested, chances, accepted(chances), strict=True)
    }
    return tuple(one.judged(times, *found.get(id(one), (1.0, False))) for one in asked)


class _Times:
    """The calls of each pair by bucket, all buckets of the same width."""

    def __init__(self, evidence: Evidence) -> None:
        usable = [
            batch
            for batch in evidence.batches
            if batch.detail.width and batch.detail.width <= WIDEST
        ]
        detail = max((batch.detail for batch in usable), key=lambda d: d.place, default=Detail.HOUR)
        self.width = detail.width or WIDEST
        self.of: dict[Pair, Cells] = {}
        self.calls: dict[str, set[str]] = {}
        for batch in usable:
            for one in batch.observations:
                cells = self.of.setdefault((one.caller, one.callee), {})
                _add(cells, widened(one.buckets, batch.detail, detail))
                self.calls.setdefault(one.caller, set()).add(one.callee)
        self._into: dict[str, Cells] = {}
        for (_, callee), cells in self.of.items():
            _add(self._into.setdefault(callee, {}), (Bucket(n, *both) for n, both in cells.items()))

    def into(self, callee: str) -> Cells:
        """Return the calls to a component, whoever made them."""
        return self._into.get(callee, {})

    def failing(self, callee: str) -> frozenset[int]:
        """Return the buckets in which a component was failing, whoever called it."""
        return frozenset(
            number
            for number, (calls, errors) in self.into(callee).items()
            if errors >= FAILING * calls
        )

    def reached(self, start: str, without: str | None = None) -> set[str]:
        """Return what a component calls in any number of steps, itself left out."""
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for callee in self.calls.get(waiting.pop(), ()):
                if callee not in found and callee not in (start, without):
                    found.add(callee)
                    waiting.append(callee)
        return found


def _add(cells: Cells, buckets: Iterable[Bucket]) -> None:
    for bucket in buckets:
        calls, errors = cells.get(bucket.number, (0, 0))
        cells[bucket.number] = (calls + bucket.calls, errors + bucket.errors)


class _Asked(msgspec.Struct):
    """One soft dependency, with what was seen of it in those buckets in which it was called and the caller answered."""

    dependency: Dependency
    numbers: list[int]
    to: Mapping[int, tuple[int, int]]
    answers: Mapping[int, tuple[int, int]]
    day: int

    @classmethod
    def of(cls, one: Dependency, times: _Times) -> _Asked:
        to, answers = times.of.get((one.source, one.target), {}), times.into(one.source)
        numbers = sorted(to.keys() & answers.keys())
        return cls(one, numbers, to, answers, timedelta(days=1) // times.width)

    @property
    def can_tell(self) -> bool:
        """Whether both failed at all, in enough buckets that one could tell."""
        failed = (any(cells[n][1] for n in self.numbers) for cells in (self.to, self.answers))
        return len(self.numbers) >= FEWEST and all(failed)

    def chance(self, without: frozenset[int]) -> float:
        """Return the probability of such a coincidence, with some buckets left out."""
        kept = [number for number in self.numbers if number not in without]
        if len(kept) < FEWEST:
            return 1.0
        days: dict[int, int] = {}
        for number in kept:
            days[number // self.day] = days.get(number // self.day, 0) + 1
        return chance(_shares(self.to, kept), _shares(self.answers, kept), list(days.values()))

    def judged(self, times: _Times, probability: float, is_found: bool) -> Judged:
        """Say what evidence says."""
        failing = {n for n in self.numbers if self.to[n][1] >= FAILING * self.to[n][0]}
        share_with = self._share(n for n in self.numbers if n in failing)
        share_without = self._share(n for n in self.numbers if n not in failing)
        large = share_with >= max(LEAST_SHARE, LEAST_FACTOR * share_without)
        causes: tuple[str, ...] = ()
        if len(self.numbers) < FEWEST:
            verdict = Verdict.TOO_LITTLE
        elif not failing:
            verdict = Verdict.NEVER_FAILED
        elif not is_found or not large:
            verdict = Verdict.APART
        else:
            causes = self._causes(times, failing)
            verdict = Verdict.COMMON_CAUSE if causes else Verdict.TOGETHER
        return Judged(
            dependency=self.dependency,
            verdict=verdict,
            share_with=share_with,
            share_without=share_without,
            chance=probability,
            causes=causes,
            buckets=len(failing),
            width=times.width,
        )

    def _share(self, numbers: Iterable[int]) -> float:
        calls = errors = 0
        for number in numbers:
            calls += self.answers[number][0]
            errors += self.answers[number][1]
        return errors / calls if calls else 0.0

    def _causes(self, times: _Times, failing: set[int]) -> tuple[str, ...]:
        """Name what may have made both fail; nothing when they fail together without it as well."""
        caller, callee = self.dependency.source, self.dependency.target
        both = times.reached(caller, without=callee) & times.reached(callee)
        # What needs the dependency itself fails because of it, and is no other cause.
        own = {name for name in times.calls.get(caller, ()) if callee not in times.reached(name)}
        suspects = {name: times.failing(name) & failing for name in (both | own) - {caller, callee}}
        causes = [name for name, shared in suspects.items() if shared]
        if not causes:
            return ()
        excused = frozenset().union(*(suspects[name] for name in causes))
        if self.chance(excused) <= FALSE_SHARE and failing - excused:
            return ()
        return tuple(sorted(causes, key=lambda name: (-len(suspects[name]), name)))


def _shares(cells: Mapping[int, tuple[int, int]], numbers: list[int]) -> Floats:
    both = np.array([cells[number] for number in numbers], np.float64)
    found: Floats = both[:, 1] / both[:, 0]
    return found
