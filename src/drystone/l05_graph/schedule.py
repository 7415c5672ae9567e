"""Good schedules of projects within a time limit, and how much better they could be at most.

A genetic algorithm on lists of activities (Hartmann, Naval Research Logistics 45, 1998) whose children are justified
(Valls, Ballestín and Quintanilla, European J. Operational Research 185, 2008). It begins with the schedules of priority
rules and of biased random sampling, so that there is a good answer at once; when the population has become one family it
begins anew around the best.
"""

from __future__ import annotations

import random
import time
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from drystone.l05_graph.limits import OnProgress, Progress, say_nothing
from drystone.l05_graph.needs import turned
from drystone.l05_graph.project import Project, check, heads, in_order, tails
from drystone.l05_graph.schedule_bounds import Bounder, Bounds
from drystone.l05_graph.schedule_generation import Justifier

POPULATION = 40
SWAPS = 0.05
"""Share of the neighbours in a child's list that change places."""
PATIENCE = 12
"""After so many populations' worth of children without a better one, it begins anew."""
SHARE_FOR_BOUNDS = 0.25


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A feasible schedule.

    Attributes:
        starts: Of each activity.
        makespan: When the last activity ends.
        bounds: No schedule is shorter than the best of them.
        schedules: How many were made to find it.
    """

    starts: tuple[int, ...]
    makespan: int
    bounds: Bounds
    schedules: int

    @property
    def lower_bound(self) -> int:
        """No schedule is shorter."""
        return self.bounds.best

    @property
    def is_optimal(self) -> bool:
        """Whether it is certain that none is shorter."""
        return self.makespan == self.lower_bound

    @property
    def gap(self) -> float:
        """How much longer it may be than the best one, as a share of the lower bound."""
        return (self.makespan - self.lower_bound) / self.lower_bound if self.lower_bound else 0.0


def schedule(
    project: Project,
    time_limit: timedelta,
    seed: int = 0,
    *,
    most_schedules: int | None = None,
    on_progress: OnProgress = say_nothing,
    clock: Callable[[], float] = time.monotonic,
) -> Schedule:
    """Find a short schedule.

    Equal projects and seeds take the same steps; how many there is time for depends on the machine, unless
    ``most_schedules`` ends the search before the limit.

    Args:
        project: What to schedule.
        time_limit: After which the best one found is the answer; there is one at any limit.
        seed: Of the random steps.
        most_schedules: Ends the search after so many schedules.
        on_progress: Told of each better schedule and bound.
        clock: Seconds of whatever time the limit is meant in.

    Raises:
        ProjectInvalid: There is no schedule.
    """
    check(project)
    if not project.size:
        nothing = Bounds(critical_path=0, energy=0, disjunctive=0, destructive=0)
        return Schedule(starts=(), makespan=0, bounds=nothing, schedules=0)
    search = _Search(project, seed, _Limits(clock, time_limit, most_schedules), on_progress)
    search.begin()
    search.raise_bound()
    while search.may_go_on():
        search.evolve()
    return search.result()


class _Limits:
    """How long a search may go on."""

    def __init__(self, clock: Callable[[], float], time_limit: timedelta, most: int | None) -> None:
        self._clock, self._began = clock, clock()
        self._limit, self._most = time_limit.total_seconds(), most

    @property
    def elapsed(self) -> float:
        """Seconds since the begin."""
        return self._clock() - self._began

    def allow(self, made: int, share: float = 1.0) -> bool:
        """Tell whether there is time and room for one more, when only a share of the time may be used."""
        is_room = self._most is None or made < self._most
        return is_room and self.elapsed < self._limit * share


class _Search:
    def __init__(
        self,
        project: Project,
        seed: int,
        limits: _Limits,
        on_progress: OnProgress,
    ) -> None:
        self._project, self._limits, self._on_progress = project, limits, on_progress
        self._random = random.Random(seed)  # noqa: S311  (a search, not a secret)
        self._makes = Justifier(project)
        self._bounder = Bounder(project)
        self._bounds = self._bounder.bounds()
        self._order = in_order(project)
        self._users = turned([list(set(every)) for every in project.after])
        self._after = [frozenset(every) for every in project.after]
        self._made = 1
        starts = self._makes.forwards.serial(self._order)
        self._best = (self._makes.forwards.makespan(starts), starts)
        self._people: list[tuple[int, list[int]]] = []
        self._waited = 0

    def may_go_on(self) -> bool:
        """Tell whether a better schedule could exist and there is time to look for it."""
        return self._best[0] > self._bounds.best and self._limits.allow(self._made)

    def begin(self) -> None:
        """Make the first population: of every rule by both schemes, then of random samples."""
        self._tell()
        for rule in self._rules():
            for starts in (
                self._makes.forwards.serial(self._listed(rule)),
                self._makes.forwards.parallel(rule),
            ):
                self._take(starts)
                if not self.may_go_on():
                    return
        latest = self._rules()[0]
        while len(self._people) < POPULATION and self.may_go_on():
            spread = self._random.choice((0.1, 0.3, 1.0)) * (1 + max(latest) - min(latest))
            urgency = [value + self._random.random() * spread for value in latest]
            make = self._random.random() < 0.5
            scheme = self._makes.forwards
            self._take(scheme.serial(self._listed(urgency)) if make else scheme.parallel(urgency))

    def evolve(self) -> None:
        """Make one generation of children, each in place of the worst when it is better."""
        before = self._best
        for _ in range(POPULATION):
            if not self.may_go_on():
                return
            mother, father = (self._chosen() for _ in range(2))
            self._take(self._makes.forwards.serial(self._mutated(self._crossed(mother, father))))
        self._waited = 0 if self._best != before else self._waited + 1
        if self._waited >= PATIENCE or self._people[0][0] == self._people[-1][0]:
            self._renew()

    def raise_bound(self) -> None:
        """Refute ends below the best one, for a share of the time."""
        found = self._bounder.refuted_up_to(
            self._bounds.best,
            self._best[0],
            lambda: self._limits.allow(0, SHARE_FOR_BOUNDS),
        )
        if found > self._bounds.best:
            self._bounds = replace(self._bounds, destructive=found)
            self._tell()

    def result(self) -> Schedule:
        """Return the best schedule."""
        makespan, starts = self._best
        return Schedule(
            starts=tuple(starts), makespan=makespan, bounds=self._bounds, schedules=self._made
        )

    def _rules(self) -> list[list[float]]:
        """Return the urgency of each activity by several rules; the least is the most urgent."""
        head, tail = heads(self._project, self._order), tails(self._project, self._order)
        lasts = self._project.durations
        behind = [0.0] * self._project.size
        for one in reversed(self._order):
            behind[one] = lasts[one] + sum(behind[user] for user in self._users[one])
        work = [sum(every) * time for every, time in zip(self._project.demands, lasts, strict=True)]
        every = range(self._project.size)
        return [
            [-float(tail[one]) for one in every],  # the latest finish
            [-float(tail[one] + lasts[one]) for one in every],  # the latest start
            [float(head[one] - tail[one]) for one in every],
            [-behind[one] for one in every],  # the greatest rank positional weight
            [-float(tail[one]) - work[one] / (1 + max(work)) for one in every],
        ]

    def _listed(self, urgency: Sequence[float]) -> list[int]:
        """Return the activities by urgency, each after what it comes after."""
        missing = [len(every) for every in self._after]
        ready = sorted((-urgency[one], -one) for one in range(len(missing)) if not missing[one])
        found = []
        while ready:
            one = -ready.pop()[1]
            found.append(one)
            for user in self._users[one]:
                missing[user] -= 1
                if not missing[user]:
                    insort(ready, (-urgency[user], -user))
        return found

    def _take(self, starts: list[int]) -> None:
        """Justify a schedule and let it live if it is new and good enough."""
        starts = self._makes.improved(starts)
        self._made += 3
        makespan = self._makes.forwards.makespan(starts)
        if makespan < self._best[0]:
            self._best = (makespan, starts)
            self._tell()
        one = (makespan, self._makes.order_of(starts))
        if len(self._people) >= POPULATION:
            if one >= self._people[-1] or one in self._people:
                return
            self._people.pop()
        insort(self._people, one)

    def _renew(self) -> None:
        """Begin anew with the best one and random ones around it."""
        self._waited = 0
        makespan, starts = self._best
        self._people = [(makespan, self._makes.order_of(starts))]
        while len(self._people) < POPULATION and self.may_go_on():
            spread = self._random.choice((0.2, 0.5, 1.0)) * makespan
            urgency = [start + self._random.random() * spread for start in starts]
            self._take(self._makes.forwards.serial(self._listed(urgency)))

    def _chosen(self) -> list[int]:
        """Return the better of two."""
        return self._people[min(self._random.randrange(len(self._people)) for _ in range(2))][1]

    def _crossed(self, mother: list[int], father: list[int]) -> list[int]:
        """Take the begin of the mother, then a part as the father has it, then the rest as the mother has it."""
        first, last = sorted(self._random.randrange(len(mother) + 1) for _ in range(2))
        child = mother[:first]
        taken = set(child)
        for one in father:
            if len(child) == last:
                break
            if one not in taken:
                child.append(one)
                taken.add(one)
        return child + [one for one in mother if one not in taken]

    def _mutated(self, order: list[int]) -> list[int]:
        count = max(1, round(SWAPS * len(order)))
        for _ in range(count if len(order) > 1 else 0):
            at = self._random.randrange(len(order) - 1)
            if order[at] not in self._after[order[at + 1]]:
                order[at], order[at + 1] = order[at + 1], order[at]
        return order

    def _tell(self) -> None:
        makespan, bound = self._best[0], self._bounds.best
        elapsed = timedelta(seconds=self._limits.elapsed)
        doing = f"made {self._made} schedules"
        self._on_progress(Progress(doing=doing, cost=makespan, bound=bound, elapsed=elapsed))
