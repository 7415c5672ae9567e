"""Cycles packed into the costs of arcs: a lower bound of every cut that takes no solver."""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.arcs import Arcs, Near
from drystone.l05_graph.arrays import Costs, Numbers
from drystone.l05_graph.limits import Limit


def packed(arcs: Arcs, roots: Numbers, *, limit: Limit) -> tuple[float, list[Numbers], Costs]:
    """Pack cycles into the costs of the arcs: no two take the same part of a cost.

    Every cut has an arc of each cycle and so pays what the cycle took; the sum bounds it from below (local ratio; Bar-Yehuda
    and Even 1985, Demetrescu and Finocchi, IPL 86(3), 2003). Short cycles are taken, which leave more to others. Unless
    time ran out, arcs of which something is left form no cycle.

    Args:
        arcs: The graph.
        roots: Arcs that every cycle has one of. The cheap are packed first.
        limit: When to end.

    Returns:
        The bound, the cycles, and what is left of each cost.
    """
    search = _Search(arcs)
    left, bound, cycles = search.left, 0.0, []
    limit.spend(arcs.count)
    for root in roots[np.argsort(arcs.cost[roots], kind="stable")].tolist():
        while left[root] > 0 and not limit.is_over:
            cycle = search.cycle(root)
            limit.spend(10 + 5 * search.seen)
            if cycle is None:
                break
            share = min(left[arc] for arc in cycle)
            if share == float("inf"):
                break
            for arc in cycle:
                left[arc] -= share
            bound += share
            cycles.append(np.array(cycle, np.int64))
        if limit.is_over:
            break
    return bound, cycles, np.array(left)


class _Search:
    """Breadth first from both ends at once, through arcs of which something is left.

    Attributes:
        left: Of the cost of each arc.
        seen: How many vertices the last search looked at.
    """

    def __init__(self, arcs: Arcs) -> None:
        self.left = arcs.cost.copy().data
        self.seen = 0
        self._source, self._target = arcs.source.data, arcs.target.data
        self._out = Near(arcs.begin, np.arange(arcs.count))
        self._into = Near(*arcs.into)

    def cycle(self, root: int) -> list[int] | None:
        """Return the arcs of a short cycle through this one."""
        begin, end = self._target[root], self._source[root]
        ahead: dict[int, int] = {begin: -1}
        behind: dict[int, int] = {end: -1}
        front, rear = [begin], [end]
        meeting = begin if begin == end else None
        while front and rear and meeting is None:
            if len(front) <= len(rear):
                front, meeting = self._step(front, self._out, self._target, ahead, behind)
            else:
                rear, meeting = self._step(rear, self._into, self._source, behind, ahead)
        self.seen = len(ahead) + len(behind)
        if meeting is None:
            return None
        found, vertex = [root], meeting
        while (arc := ahead[vertex]) >= 0:
            found.append(arc)
            vertex = self._source[arc]
        vertex = meeting
        while (arc := behind[vertex]) >= 0:
            found.append(arc)
            vertex = self._target[arc]
        return found

    def _step(
        self,
        wave: list[int],
        arcs_of: Near,
        ends: memoryview[int],
        seen: dict[int, int],
        others: dict[int, int],
    ) -> tuple[list[int], int | None]:
        left = self.left
        following: list[int] = []
        for vertex in wave:
            for arc in arcs_of[vertex]:
                other = ends[arc]
                if other not in seen and left[arc] > 0:
                    seen[other] = arc
                    if other in others:
                        return following, other
                    following.append(other)
        return following, None
