"""Put arcs back that were dropped and need not have been."""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.arcs import Arcs, Near, ranks
from drystone.l05_graph.arrays import Flags, Numbers
from drystone.l05_graph.limits import Limit

NARROW = 1e-9
"""Less room than this is none; places are whole numbers at first."""


def put_back(arcs: Arcs, place: Numbers, limit: Limit) -> Numbers:
    """Return places in which an arc leads upwards only if it closes a cycle with those that do not.

    What leads upwards is tried again, the dearest first, and the order is mended around each that closes no cycle (Pearce and
    Kelly, JEA 11, 2007). The result never costs more. Stops early when time is over.
    """
    if limit.is_over:
        return place
    up = arcs.back(place)
    dropped = np.nonzero(up)[0]
    order = _Order(arcs, place, up, limit)
    limit.spend(2 * arcs.count)
    for arc in dropped[np.argsort(-arcs.finite[dropped], kind="stable")].tolist():
        if limit.is_over:
            break
        limit.spend(order.add(int(arcs.source[arc]), int(arcs.target[arc])))
    return ranks(np.array(order.place))


class _Order:
    """An order of the vertices in which no arc leads upwards, while arcs are added."""

    def __init__(self, arcs: Arcs, place: Numbers, up: Flags, limit: Limit) -> None:
        self._limit = limit
        self.place: list[float] = place.astype(np.float64).tolist()
        self._needs = _kept(arcs.begin, arcs.target, ~up)
        begin, into = arcs.into
        self._users = _kept(begin, arcs.source[into], ~up[into])

    def add(self, source: int, target: int) -> int:
        """Add an arc, unless it closes a cycle; returns how many steps that took."""
        steps = 1
        if self.place[source] < self.place[target]:
            steps, is_there = self._make_room(source, target)
            if not is_there:
                return steps
        self._needs[source].append(target)
        self._users[target].append(source)
        return steps

    def _make_room(self, source: int, target: int) -> tuple[int, bool]:
        """Move the target below the source, unless it needs it.

        One search goes down from the target, another up from the source, by turns, so that the smaller one decides: when
        they meet there is a cycle; when one has seen all that lies between, that alone is moved past the other end.
        """
        low, high = self.place[source], self.place[target]
        below = _Side(self._needs, target, low, -1)
        above = _Side(self._users, source, high, 1)
        turn, steps = 0, 2
        while turn % 256 or not self._limit.is_over:
            turn += 1
            steps = len(below.found) + len(above.found)
            if below.is_done:
                return steps, self._settle(below.found, max(below.end, low - 1.0), low)
            if above.is_done:
                return steps, self._settle(above.found, high, min(above.end, high + 1.0))
            if below.goes_on(self.place, above) or above.goes_on(self.place, below):
                break
        return steps, False

    def _settle(self, moved: list[int], low: float, high: float) -> bool:
        """Give these, in their order, places between the two.

        Others may lie there too: those have no arc to any of these, so that it does not matter which is higher.
        """
        width = (high - low) / (len(moved) + 1)
        if low + width <= low or high - width >= high or width < NARROW:
            return False
        for number, vertex in enumerate(sorted(moved, key=self.place.__getitem__), 1):
            self.place[vertex] = low + number * width
        return True


def _kept(begin: Numbers, ends: Numbers, kept: Flags) -> Near:
    before = np.concatenate(([0], np.cumsum(kept)))
    return Near(before[begin], ends[kept])


class _Side:
    """A search to one side, through vertices whose place lies inside a bound.

    Attributes:
        found: What it has seen.
        end: The place nearest to the bound that is outside of it and has an arc to what it has seen.
    """

    def __init__(self, arcs_of: Near, start: int, bound: float, sign: int) -> None:
        self.found = [start]
        self.end = sign * float("inf")
        self._arcs_of, self._bound, self._sign = arcs_of, bound, sign
        self._seen, self._next = {start}, 0

    @property
    def is_done(self) -> bool:
        """Whether it has seen all."""
        return self._next == len(self.found)

    def goes_on(self, place: list[float], other: _Side) -> bool:
        """Look at what is next to one vertex more; returns whether it meets the other side."""
        sign, bound, seen, theirs = self._sign, self._bound * self._sign, self._seen, other._seen
        for near in self._arcs_of[self.found[self._next]]:
            if near in theirs:
                return True
            where = place[near] * sign
            if where >= bound:
                if where < self.end * sign:
                    self.end = where * sign
            elif near not in seen:
                seen.add(near)
                self.found.append(near)
        self._next += 1
        return False
