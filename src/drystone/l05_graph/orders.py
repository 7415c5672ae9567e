"""Cheap orders of the vertices: what leads upwards in one is a set of arcs whose removal leaves no cycle.

Every set of arcs that leaves no cycle comes from an order, so that the search for the cheapest set is one for the best
order (linear ordering; Reinelt 1985). Three searches: *sifting* moves vertices to their best place (Matuszewski, Schönfeld
and Molitor, GD 1999), here as many at once as are no neighbours of each other, because then the gains add up; *putting
back* returns to the kept arcs what closes no cycle with them, the dearest first; *kicks* turn a few arcs by force and let
those around find their best places again (iterated local search; Schiavinotto and Stützle, JMMA 3(4), 2004).
"""

from __future__ import annotations

import heapq
import random

import numpy as np

from drystone.l05_graph.arcs import Arcs, ranks
from drystone.l05_graph.arrays import Costs, Numbers
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.put_back import put_back
from drystone.l05_graph.strong import begin_of

MOST_WAVES = 400
MOST_DESCENTS = 4
TINY = 1e-9


def cost_of(arcs: Arcs, place: Numbers) -> float:
    """Return what the arcs cost that lead upwards."""
    return float(arcs.cost[arcs.back(place)].sum())


def first_places(arcs: Arcs, wish: Costs | None = None) -> Numbers:
    """Return places in which no arc that cannot be cut leads upwards, near to those wished for.

    Args:
        arcs: Those that cannot be cut have no cycle.
        wish: Lower is further down; when None, what needs little and is needed much lies low.
    """
    if wish is None:
        cost = arcs.finite
        needs = np.bincount(arcs.source, weights=cost, minlength=arcs.size)
        needed = np.bincount(arcs.target, weights=cost, minlength=arcs.size)
        wish = (needs + 1e-3) / (needs + needed + 2e-3)
    fixed = np.nonzero(np.isinf(arcs.cost))[0]
    if not len(fixed):
        return ranks(wish)
    users: list[list[int]] = [[] for _ in range(arcs.size)]
    for source, target in zip(
        arcs.source[fixed].tolist(), arcs.target[fixed].tolist(), strict=True
    ):
        users[target].append(source)
    missing = np.bincount(arcs.source[fixed], minlength=arcs.size).tolist()
    heap = [(float(wish[v]), v) for v in range(arcs.size) if not missing[v]]
    heapq.heapify(heap)
    place = np.zeros(arcs.size, np.int64)
    for number in range(arcs.size):
        _, vertex = heapq.heappop(heap)
        place[vertex] = number
        for user in users[vertex]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(heap, (float(wish[user]), user))
    return place


def descended(arcs: Arcs, place: Numbers, limit: Limit) -> Numbers:
    """Sift and put back until neither finds anything."""
    best = cost_of(arcs, place)
    sifter = Sifter(arcs)
    for _ in range(MOST_DESCENTS):
        place = put_back(arcs, sifter.sifted(place, limit), limit)
        cost = cost_of(arcs, place)
        if limit.is_over or cost >= best - TINY:
            break
        best = cost
    return place


class Sifter:
    """Moves vertices to their best places, given that all others stay.

    A vertex pays for those below that depend on it and for those above that it depends on. Going up past a neighbour
    changes that by the cost of the arc between them.
    """

    def __init__(self, arcs: Arcs) -> None:
        self._size = arcs.size
        vertex = np.concatenate((arcs.target, arcs.source))
        order = np.argsort(vertex, kind="stable")
        self._vertex = vertex[order]
        self._near = np.concatenate((arcs.source, arcs.target))[order]
        self._past = np.concatenate((arcs.finite, -arcs.finite))[order]
        self._begin = begin_of(self._vertex, arcs.size)
        self._some = np.nonzero(np.diff(self._begin))[0]

    def sifted(self, place: Numbers, limit: Limit) -> Numbers:
        """Return places from which no vertex gains by a move alone, or what time allowed."""
        if not len(self._some):
            return place
        for _ in range(MOST_WAVES):
            gain, goal = self._best_moves(place)
            moved = self._apart(gain)
            if not len(moved):
                break
            where = place.astype(np.float64)
            where[moved] = goal[moved]
            place = ranks(where)
            if limit.is_over:
                break
        return place

    def _best_moves(self, place: Numbers) -> tuple[Costs, Costs]:
        order = np.argsort(self._vertex * self._size + place[self._near], kind="stable")
        vertex, near, past = self._vertex, self._near[order], self._past[order]
        begin, some = self._begin, self._some
        heads = begin[some]
        sums = np.cumsum(past)
        sums -= np.repeat(sums[heads] - past[heads], np.diff(begin)[some])
        lowest = np.minimum.reduceat(sums, heads)
        gain, goal = np.zeros(self._size), np.zeros(self._size)
        below = place[near] < place[vertex]
        now = np.add.reduceat(np.where(below, past, 0.0), heads)
        gain[some] = now - np.minimum(lowest, 0.0)
        number = np.arange(len(sums))
        is_lowest = sums <= np.repeat(lowest, np.diff(begin)[some])
        at = np.minimum.reduceat(np.where(is_lowest, number, len(sums)), heads)
        bottom = lowest >= 0
        under = np.where(bottom, -1.0, place[near[at]])
        last = begin[some + 1] - 1
        above_at = np.where(bottom, heads, np.minimum(at + 1, last))
        above = np.where(~bottom & (at == last), self._size, place[near[above_at]])
        goal[some] = (under + above) / 2
        gain[gain <= TINY * (1 + np.abs(gain).max(initial=0.0))] = 0.0
        return gain, goal

    def _apart(self, gain: Costs) -> Numbers:
        """Return vertices that gain more than every neighbour does; of equal ones the first."""
        rank = np.where(gain > 0, ranks(gain) + 1, 0)
        highest = np.zeros(self._size, np.int64)
        highest[self._some] = np.maximum.reduceat(rank[self._near], self._begin[self._some])
        return np.nonzero((rank > 0) & (rank > highest))[0]


class Kicks:
    """Iterated local search from a good order.

    Args:
        arcs: The graph.
        place: Where to begin; no arc that cannot be cut leads upwards.
        seed: Equal seeds make equal searches.
    """

    def __init__(self, arcs: Arcs, place: Numbers, seed: int) -> None:
        self._arcs = arcs
        self._chance = random.Random(seed)  # noqa: S311 - a search, nothing secret
        self._near: list[list[tuple[int, float]]] = [[] for _ in range(arcs.size)]
        costs = arcs.finite.tolist()
        self._ends = list(zip(arcs.source.tolist(), arcs.target.tolist(), strict=True))
        for (source, target), cost in zip(self._ends, costs, strict=True):
            self._near[target].append((source, cost))
            self._near[source].append((target, -cost))
        self._costs = costs
        self._at: list[float] = []
        self.place = place
        self.cost = cost_of(arcs, place)

    def search(self, rounds: int, limit: Limit, goal: float) -> None:
        """Kick so many times, or until time is over or the cost is at most ``goal``."""
        for number in range(rounds):
            if number % 500 == 0:
                self._renumber(number > 0)
            if limit.is_over or self.cost <= goal + TINY or not self._back:
                break
            self._kick()
        self._renumber(self._at != [])

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
            source, target = self._ends[self._chance.choice(self._back)]
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
