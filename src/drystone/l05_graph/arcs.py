"""A directed graph with costs and at most one arc from a vertex to another: what the optimisers work on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.strong import begin_of, heights, strong_components, turned

SCALES = (1, 2, 4, 5, 8, 10, 16, 20, 50, 100, 1000)


class Near(dict[int, list[int]]):
    """Lists of numbers by vertex, each made when it is first looked at: a search that sees little of a graph pays for that.

    Args:
        begin: Where the numbers of each vertex begin, and where the last end.
        values: The numbers.
    """

    def __init__(self, begin: Numbers, values: Numbers) -> None:
        super().__init__()
        self._begin = begin.data
        self._values = values

    def __missing__(self, vertex: int) -> list[int]:
        """Return the list of a vertex that was not looked at before."""
        found: list[int] = self._values[self._begin[vertex] : self._begin[vertex + 1]].tolist()
        self[vertex] = found
        return found


@dataclass(frozen=True)
class Arcs:
    """Arcs between vertices 0 to ``size`` - 1, ordered by source and then by target, each pair once.

    Attributes:
        size: How many vertices there are.
        source: Who depends.
        target: On what.
        cost: What it costs to cut the arc; infinite when it cannot be cut.
    """

    size: int
    source: Numbers
    target: Numbers
    cost: Costs

    @property
    def count(self) -> int:
        """How many arcs there are."""
        return len(self.source)

    @cached_property
    def keys(self) -> Numbers:
        """A number for each pair of vertices that has an arc, ascending."""
        return self.source * self.size + self.target

    @cached_property
    def begin(self) -> Numbers:
        """Where the arcs of each source begin, and where the last end."""
        return begin_of(self.source, self.size)

    @cached_property
    def into(self) -> tuple[Numbers, Numbers]:
        """Where the arcs into each target begin in the second array, and the arcs ordered by target."""
        return turned(self.size, self.begin, self.target)

    @cached_property
    def past(self) -> csr_matrix:
        """What it costs each vertex to go up past each neighbour: more above its users, less above its needs."""
        costs = self.matrix(self.finite)
        found: csr_matrix = (costs.T.tocsr() - costs).tocsr()
        return found

    @cached_property
    def finite(self) -> Costs:
        """The costs, where an arc that cannot be cut is dearer than all others together."""
        known = np.isfinite(self.cost)
        return np.where(known, self.cost, self.cost[known].sum() * 2 + 1)

    def only(self, which: Flags | Numbers) -> Arcs:
        """Return these arcs between the same vertices; numbers must ascend."""
        return Arcs(self.size, self.source[which], self.target[which], self.cost[which])

    def matrix(self, data: Costs) -> csr_matrix:
        """Return the arcs as a sparse matrix with a number on each."""
        return csr_matrix((data, self.target, self.begin), shape=(self.size, self.size))

    def tangled(self, kept: Flags) -> Flags:
        """Tell which of the kept arcs lie on a cycle of kept arcs."""
        _, of = strong_components(self.size, self.source[kept], self.target[kept])
        found: Flags = kept & (of[self.source] == of[self.target])
        return found

    def back(self, place: Numbers) -> Flags:
        """Tell which arcs lead upwards when every vertex has this place: whose target is not below its source."""
        return place[self.source] <= place[self.target]

    def places(self, kept: Flags) -> Numbers:
        """Return a place for each vertex, 0 the lowest, such that no kept arc leads upwards.

        Raises:
            ValueError: The kept arcs have a cycle.
        """
        return ranks(heights(self.size, self.source[kept], self.target[kept]))


def ranks(place: Numbers | Costs) -> Numbers:
    """Number vertices by their place, equal ones in their order."""
    found = np.empty(len(place), np.int64)
    found[np.argsort(place, kind="stable")] = np.arange(len(place))
    return found


def merged(size: int, source: Numbers, target: Numbers, cost: Costs) -> tuple[Arcs, Numbers]:
    """Put parallel edges together: who cuts the arc pays for all.

    Returns:
        The arcs, and the arc of each edge.
    """
    keys = source * size + target
    if np.all(keys[1:] > keys[:-1]):
        return Arcs(size, source, target, cost), np.arange(len(keys))
    keys, arc_of = np.unique(keys, return_inverse=True)
    costs = np.bincount(arc_of, weights=cost, minlength=len(keys)).astype(np.float64)
    width = max(size, 1)
    return Arcs(size, keys // width, keys % width, costs), arc_of


def without_opposites(arcs: Arcs) -> tuple[Arcs, Numbers, float]:
    """Take the cheaper of two opposite arcs off both.

    One of the two leads upwards in every order of the vertices, so that what is taken off is paid in any case.

    Returns:
        The arcs that are left, the number that each had, and what is paid.
    """
    other, paired = np.zeros(arcs.count, np.int64), np.zeros(arcs.count, np.bool_)
    if arcs.count:
        # In the order of the targets the opposite keys ascend, so that looking them up does not jump about.
        _, order = arcs.into
        opposite = arcs.target[order] * arcs.size + arcs.source[order]
        at = np.minimum(np.searchsorted(arcs.keys, opposite), arcs.count - 1)
        other[order] = at
        paired[order] = arcs.keys[at] == opposite
    off = np.where(paired, np.minimum(arcs.cost, arcs.cost[other]), 0.0)
    left = np.where(np.isfinite(arcs.cost), arcs.cost - off, np.inf)
    which = np.nonzero((left > 0) | ~paired)[0]
    rest = Arcs(arcs.size, arcs.source[which], arcs.target[which], left[which])
    return rest, which, float(off[paired].sum() / 2)


def grain(cost: Costs) -> float:
    """Return a number of which every finite cost is a multiple; 0 when none is known.

    So a bound may be raised to the next multiple.
    """
    costs = np.unique(cost[np.isfinite(cost)])
    for scale in SCALES:
        whole = np.rint(costs * scale)
        if np.all(np.abs(whole - costs * scale) < 1e-9) and (not len(costs) or whole[-1] < 1e15):
            return math.gcd(*whole.astype(np.int64).tolist()) / scale
    return 0.0
