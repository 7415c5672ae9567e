"""Sifting: move vertices to their best places, given that all others stay, until no move alone gains anything.

Matuszewski, Schönfeld and Molitor (GD 1999); here as many vertices at once as are no neighbours of each other, because then
the gains add up. After the first waves only those are looked at that moved, or have a neighbour that did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arcs import Arcs, ranks
from drystone.l05_graph.arrays import Costs, Numbers
from drystone.l05_graph.limits import STEPS, Limit

MOST_WAVES = 1000
TINY = 1e-9
BOTTOM = -1
STEPS_EACH = 2
"""So many elementary steps a look at an arc takes."""


@dataclass(frozen=True)
class _Around:
    """The neighbours of some vertices, each in the order of their places.

    Attributes:
        some: The vertices; all have neighbours.
        begin: Where those of each begin, and where the last end.
        near: The neighbours.
        past: What it costs to go up past each.
    """

    some: Numbers
    begin: Numbers
    near: Numbers
    past: Costs


class Sifter:
    """Moves vertices to their best places.

    A vertex pays for those below that depend on it and for those above that it depends on. Going up past a neighbour
    changes that by the cost of the arc between them.
    """

    def __init__(self, arcs: Arcs) -> None:
        self._arcs, self._size = arcs, arcs.size
        self._past = arcs.past
        self._some = np.nonzero(np.diff(self._past.indptr))[0]

    def sifted(self, place: Numbers, limit: Limit) -> Numbers:
        """Return places from which no vertex gains by a move alone, or what time allowed; never dearer ones."""
        gain = np.zeros(self._size)
        under = np.full(self._size, BOTTOM)
        above = np.full(self._size, self._size)
        waiting, price = self._some, self._price(place)
        # A wave over a large graph takes so long that none is begun that would not end in time.
        takes = STEPS_EACH * self._past.nnz / STEPS
        for _ in range(MOST_WAVES):
            left = limit.left
            if not len(waiting) or limit.is_over or left < takes:
                break
            looked = self._look(place, waiting, gain, under, above)
            limit.spend(STEPS_EACH * looked + 2 * self._size)
            moved = self._apart(gain)
            if not len(moved):
                break
            where = place.astype(np.float64)
            levels = np.concatenate((where, [self._size, -1.0]))
            where[moved] = (levels[under[moved]] + levels[above[moved]]) / 2
            changed = ranks(where)
            now = self._price(changed)
            if now >= price:  # Costs so different that the sums are not exact.
                break
            place, price = changed, now
            beside = self._past[moved].indices
            dirty = np.zeros(self._size, np.bool_)
            dirty[beside], dirty[moved] = True, True
            waiting = np.nonzero(dirty)[0]
            if np.isfinite(left):
                takes = (left - limit.left) / 2
        return place

    def _price(self, place: Numbers) -> float:
        return float(self._arcs.finite[self._arcs.back(place)].sum())

    def _around(self, place: Numbers, some: Numbers) -> _Around:
        if len(some) * 4 >= len(self._some):
            # Turning the matrix sorts every row by place in linear time.
            at = np.empty(self._size, np.int64)
            at[place] = np.arange(self._size)
            turned = self._past[at].tocsc()
            begin = turned.indptr[np.append(self._some, self._size)].astype(np.int64)
            return _Around(self._some, begin, at[turned.indices], -turned.data)
        rows = self._past[some]
        begin = rows.indptr.astype(np.int64)
        row = np.repeat(np.arange(len(some)), np.diff(begin))
        order = np.argsort(row * self._size + place[rows.indices])
        return _Around(some, begin, rows.indices[order].astype(np.int64), rows.data[order])

    def _look(
        self, place: Numbers, waiting: Numbers, gain: Costs, under: Numbers, above: Numbers
    ) -> int:
        """Find what some vertices gain at their best places, and between which neighbours these are; returns the steps."""
        around = self._around(place, waiting)
        some, begin, near, past = around.some, around.begin, around.near, around.past
        heads, counts = begin[:-1], np.diff(begin)
        sums = past.copy()
        sums[heads[1:]] -= np.add.reduceat(past, heads)[:-1]
        np.cumsum(sums, out=sums)
        lowest = np.minimum.reduceat(sums, heads)
        below = place[near] < np.repeat(place[some], counts)
        now = np.add.reduceat(np.where(below, past, 0.0), heads)
        lowest_ones = np.nonzero(sums <= np.repeat(lowest, counts))[0]
        at = lowest_ones[np.searchsorted(lowest_ones, heads)]
        bottom = lowest >= 0
        last = at == begin[1:] - 1
        gain[some] = now - np.minimum(lowest, 0.0)
        under[some] = np.where(bottom, BOTTOM, near[at])
        higher = near[np.where(bottom, heads, np.minimum(at + 1, len(near) - 1))]
        above[some] = np.where(last & ~bottom, self._size, higher)
        return len(near)

    def _apart(self, gain: Costs) -> Numbers:
        """Return vertices that gain more than every neighbour does; of equal ones the first."""
        some = np.nonzero(gain > TINY * (1 + gain.max(initial=0.0)))[0]
        if not len(some):
            return some
        rank = np.zeros(self._size, np.int64)
        rank[some] = ranks(gain[some]) + 1
        rows = self._past[some]
        highest = np.maximum.reduceat(rank[rows.indices], rows.indptr[:-1])
        return some[rank[some] > highest]
