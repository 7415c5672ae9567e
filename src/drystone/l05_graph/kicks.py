"""Search around a good order: turn a few arcs by force, let those around find their best places again, keep what is no worse.

Iterated local search (Schiavinotto and Stützle, JMMA 3(4), 2004) whose kicks are small, so that one costs as much as the
places around it and not as much as the graph.
"""

from __future__ import annotations

import random

import numpy as np

from drystone.l05_graph.arcs import Arcs, ranks
from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.orders import cost_of
from drystone.l05_graph.sifting import TINY

LEAST_KICKS = 500
"""So many kicks between two looks at the whole, more where that is large."""


class _Around(dict[int, list[tuple[int, float]]]):
    """The neighbours of each vertex and what going up past them costs, made when they are first looked at."""

    def __init__(self, arcs: Arcs) -> None:
        super().__init__()
        self._past = arcs.past

    def __missing__(self, vertex: int) -> list[tuple[int, float]]:
        span = slice(self._past.indptr[vertex], self._past.indptr[vertex + 1])
        near = self._past.indices[span].tolist()
        found = list(zip(near, self._past.data[span].tolist(), strict=True))
        self[vertex] = found
        return found


class Kicks:
    """Iterated local search from a good order.

    Args:
        arcs: The graph.
        seed: Equal seeds make equal searches.

    Attributes:
        place: The best places so far; no arc that cannot be cut leads upwards.
        cost: Of them.
    """

    def __init__(self, arcs: Arcs, seed: int) -> None:
        self._arcs = arcs
        self._chance = random.Random(seed)  # noqa: S311 - a search, nothing secret
        self._near = _Around(arcs)
        self._source, self._target = arcs.source.data, arcs.target.data
        self._at: list[float] = []
        self._back: list[int] = []
        self._steps = 0
        self.place = np.zeros(0, np.int64)
        self.cost = 0.0

    def search(self, place: Numbers, rounds: int, limit: Limit, goal: float) -> None:
        """Kick so many times, or until time is over or the cost is at most ``goal``.

        Args:
            place: Where to begin.
            rounds: How many kicks.
            limit: Ends the search.
            goal: Better is not possible.
        """
        self.place, self.cost = place, cost_of(self._arcs, place)
        every = max(LEAST_KICKS, self._arcs.count // 500)
        for number in range(rounds):
            if number % every == 0:
                self._renumber(number > 0)
                limit.spend(2 * self._arcs.count)
            if limit.is_over or self.cost <= goal + TINY or not self._back:
                break
            self._kick()
            limit.spend(6 * self._steps)
            self._steps = 0
        self._renumber(self._at != [])
        self._at = []

    def _renumber(self, moved: bool) -> None:
        if moved:
            self.place = ranks(np.array(self._at))
            self.cost = cost_of(self._arcs, self.place)
        self._at = self.place.astype(np.float64).tolist()
        self._back = np.nonzero(self._arcs.back(self.place))[0].tolist()

    def _kick(self) -> None:
        at, before = self._at, []
        change, waiting = 0.0, []
        for _ in range(self._chance.choice((1, 1, 2, 3))):
            arc = self._chance.choice(self._back)
            source, target = self._source[arc], self._target[arc]
            if at[source] > at[target]:
                continue
            vertex, other = (source, target) if self._chance.random() < 0.5 else (target, source)
            goal = at[other] + (1e-4 if vertex == source else -1e-4)
            change += self._worth(vertex, goal) - self._worth(vertex, at[vertex])
            before.append((vertex, at[vertex]))
            at[vertex] = goal
            waiting += [near for near, _ in self._near[vertex]]
        self._chance.shuffle(waiting)
        change += self._settle(waiting, before)
        if change > TINY:
            for vertex, was in reversed(before):
                at[vertex] = was
        else:
            self.cost += change

    def _settle(self, waiting: list[int], before: list[tuple[int, float]]) -> float:
        """Sift those that wait and, after each move, those around; returns how the cost changes."""
        at, change, queued = self._at, 0.0, set(waiting)
        for steps, vertex in enumerate(waiting):
            if steps > 2000:
                break
            queued.discard(vertex)
            gain, goal = self._best(vertex)
            if gain <= TINY:
                continue
            before.append((vertex, at[vertex]))
            at[vertex] = goal
            change -= gain
            for near, _ in self._near[vertex]:
                if near not in queued:
                    queued.add(near)
                    waiting.append(near)
        return change

    def _worth(self, vertex: int, where: float) -> float:
        at = self._at
        return sum(past for near, past in self._near[vertex] if at[near] < where)

    def _best(self, vertex: int) -> tuple[float, float]:
        at = self._at
        here = at[vertex]
        around = sorted([(at[near], past) for near, past in self._near[vertex]])
        self._steps += len(around)
        worth = lowest = now = 0.0
        best = 0
        for number, (where, past) in enumerate(around, 1):
            worth += past
            if where < here:
                now = worth
            if worth < lowest - TINY:
                lowest, best = worth, number
        under = around[best - 1][0] if best else around[0][0] - 2.0
        above = around[best][0] if best < len(around) else around[-1][0] + 2.0
        goal = (under + above) / 2
        return (now - lowest, goal) if under < goal < above else (0.0, here)
