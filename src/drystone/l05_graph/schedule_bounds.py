"""How early a project can end at best.

- *Critical path*: the longest chain of activities, whatever the resources.
- *Energy*: activities that all have at least so much time before them and so much behind must fit between: their demand
  times their duration, divided by what there is of the resource. It is asked for every set of that form (the one-machine
  bound of Carlier, European J. Operational Research 11, 1982, for more than one machine).
- *Disjunctive*: activities of which no two can go on at once share one machine that is not written down; greedy cliques of
  them are resources with a capacity of one.
- *Destructive* (Klein and Scholl, European J. Operational Research 112, 1999): suppose that the project ended at T; if
  shrinking the windows of the activities leads to a contradiction, it ends later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.arrays import Flags, Numbers
from drystone.l05_graph.project import Project, heads, in_order, tails

MOST_HEADS = 100
"""At most so many lower ends of sets are tried for a resource; a large project is bounded by fewer sets."""
MOST_FOR_PAIRS = 600
"""Pairs of activities are looked at in projects up to this size."""
MOST_ROUNDS = 30


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Lower bounds of the makespan, each by another argument."""

    critical_path: int
    energy: int
    disjunctive: int
    destructive: int

    @property
    def best(self) -> int:
        """The highest of them."""
        return max(self.critical_path, self.energy, self.disjunctive, self.destructive)


class Bounder:
    """Finds lower bounds of one project.

    Args:
        project: A checked project with at least one activity.
    """

    def __init__(self, project: Project) -> None:
        order = in_order(project)
        self.size = project.size
        self._durations = np.array(project.durations, np.int64)
        self._heads = np.array(heads(project, order), np.int64)
        self._tails = np.array(tails(project, order), np.int64)
        self._demands = np.array(project.demands, np.int64).reshape(self.size, -1)
        self._capacities = np.array(project.capacities, np.int64)
        self._after: Flags | None = None
        if self.size <= MOST_FOR_PAIRS:
            self._after = _closure(project, order)
        self._apart = self._incompatible()
        self._cliques = self._greedy_cliques()

    def bounds(self) -> Bounds:
        """Return all bounds but the destructive one, which takes a time of its own."""
        path = int((self._heads + self._durations + self._tails).max(initial=0))
        return Bounds(
            critical_path=path,
            energy=self._energy(self._heads, self._tails),
            disjunctive=self._one_at_a_time(self._heads, self._tails),
            destructive=0,
        )

    def refuted_up_to(self, known: int, best: int, may_go_on: Callable[[], bool]) -> int:
        """Return a lower bound, at least the known one, by refuting one end after the other.

        Args:
            known: A lower bound.
            best: The makespan of a schedule.
            may_go_on: Whether there is time for one more.
        """
        while known < best and may_go_on() and self.is_refuted(known):
            known += 1
        return known

    def is_refuted(self, end: int) -> bool:
        """Tell whether it is certain that the project cannot end at a time."""
        first, behind = self._heads.copy(), self._tails.copy()
        for _ in range(MOST_ROUNDS):
            last = end - behind - self._durations
            if np.any(first > last) or self._overfull(first, last):
                return True
            if max(self._energy(first, behind), self._one_at_a_time(first, behind)) > end:
                return True
            if self._apart is None or self._after is None:
                return False
            too_late = first[:, None] + self._durations[:, None] > last[None, :]
            must = self._apart & too_late.T  # [i, j]: j can not come before i, so i comes before j
            if np.any(must & must.T):
                return True
            must |= self._after.T
            ends = np.where(must, (first + self._durations)[:, None], 0).max(axis=0)
            rests = np.where(must, (behind + self._durations)[None, :], 0).max(axis=1)
            new_first, new_behind = np.maximum(first, ends), np.maximum(behind, rests)
            if np.array_equal(new_first, first) and np.array_equal(new_behind, behind):
                return False
            first, behind = new_first, new_behind
        return False

    def _energy(self, first: Numbers, behind: Numbers) -> int:
        found = 0
        for kind, capacity in enumerate(self._capacities.tolist()):
            energy = self._demands[:, kind] * self._durations
            found = max(found, _bound_of(first, behind, energy, capacity))
        return found

    def _one_at_a_time(self, first: Numbers, behind: Numbers) -> int:
        return max(
            (
                _bound_of(first[clique], behind[clique], self._durations[clique], 1)
                for clique in self._cliques
            ),
            default=0,
        )

    def _overfull(self, first: Numbers, last: Numbers) -> bool:
        """Tell whether activities that must go on at once ask for too much."""
        ends = first + self._durations
        certain = np.nonzero(last < ends)[0]
        for moment in np.unique(last[certain]):
            going = certain[(last[certain] <= moment) & (ends[certain] > moment)]
            if np.any(self._demands[going].sum(axis=0) > self._capacities):
                return True
        return False

    def _incompatible(self) -> Flags | None:
        """Return which pairs can not go on at once, because of a resource or because one comes after the other."""
        if self._after is None:
            return None
        apart = np.zeros((self.size, self.size), np.bool_)
        for kind, capacity in enumerate(self._capacities.tolist()):
            demands = self._demands[:, kind]
            apart |= demands[:, None] + demands[None, :] > capacity
        apart &= ~np.eye(self.size, dtype=np.bool_)
        lasts = self._durations > 0
        return np.asarray(apart & lasts[:, None] & lasts[None, :], np.bool_)

    def _greedy_cliques(self) -> list[Numbers]:
        if self._apart is None or self._after is None or not self._apart.any():
            return []
        apart = self._apart | self._after | self._after.T
        found: list[Numbers] = []
        covered = np.zeros(self.size, np.bool_)
        weight = apart @ self._durations
        for seed in np.argsort(-weight, kind="stable"):
            if covered[seed] or not self._apart[seed].any():
                continue
            clique, could = [int(seed)], apart[seed].copy()
            while could.any():
                best = int(np.argmax(np.where(could, weight + self._apart[seed], -1)))
                clique.append(best)
                could &= apart[best]
            covered[clique] = True
            found.append(np.array(sorted(clique)))
        return found


def _bound_of(first: Numbers, behind: Numbers, energy: Numbers, capacity: int) -> int:
    """Return the best bound over the sets of all that begin no earlier and have no less behind them."""
    matters = energy > 0
    if not matters.any():
        return 0
    first, behind, energy = first[matters], behind[matters], energy[matters]
    order = np.argsort(-behind, kind="stable")
    first, behind, energy = first[order], behind[order], energy[order]
    tried = np.unique(first)
    if len(tried) > MOST_HEADS:
        tried = tried[np.linspace(0, len(tried) - 1, MOST_HEADS).astype(np.int64)]
    inside = first[None, :] >= tried[:, None]
    needed = np.cumsum(np.where(inside, energy[None, :], 0), axis=1)
    spans = -(-needed // capacity)
    totals = np.where(inside, tried[:, None] + spans + behind[None, :], 0)
    return int(totals.max())


def _closure(project: Project, order: list[int]) -> npt.NDArray[np.bool_]:
    """Return for each pair whether the first comes after the second, directly or not."""
    found = np.zeros((project.size, project.size), np.bool_)
    for one in order:
        for other in project.after[one]:
            found[one, other] = True
            found[one] |= found[other]
    return found
