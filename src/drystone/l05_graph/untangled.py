"""Why a change is needed: what is left when all others are made, and the circle that this one breaks."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order

from drystone.l05_graph.arrays import BITS, Flags, Graph
from drystone.l05_graph.cut import Cut
from drystone.l05_graph.moves import Move, Step, Untangling
from drystone.l05_graph.words import Phase


def removals(graph: Graph, cut: Cut) -> Untangling:
    """Return a cut as moves."""
    steps = [
        Step(move=Move.REMOVE, edges=np.array([edge]), vertex=None, cost=float(graph.cost[edge]))
        for edge in cut.edges.tolist()
    ]
    return Untangling(
        steps=tuple(steps),
        cost=cut.cost,
        bound=cut.bound,
        witnesses=cut.witnesses,
        impossible=cut.impossible,
    )


def changed(graph: Graph, answer: Untangling) -> Flags:
    """Tell which edges are changed in any way."""
    found = np.zeros(len(graph.source), np.bool_)
    for step in answer.steps:
        found[step.edges] = True
    return found


def left(graph: Graph, answer: Untangling) -> Graph:
    """Return the hard edges as they are once the moves have been made."""
    gone = np.zeros(len(graph.source), np.bool_)
    later = np.zeros(len(graph.source), np.bool_)
    for step in answer.steps:
        (later if step.move is Move.LATER else gone)[step.edges] = True
    at = np.where(later, BITS[Phase.RUN], graph.at).astype(np.int8)
    return Graph(
        names=graph.names,
        source=graph.source,
        target=graph.target,
        cost=graph.cost,
        soften=graph.soften,
        hard=graph.hard,
        at=at,
        can_change=graph.can_change,
    ).only(~gone & graph.hard)


class Circles:
    """Finds short circles that show why an edge must be changed.

    Args:
        graph: Where.
        answer: The changes; each is shown by a circle that would be left without it, if there is one.
    """

    def __init__(self, graph: Graph, answer: Untangling) -> None:
        self._graph = graph
        self._kept = _Ways(left(graph, answer))
        self._all = _Ways(graph.only(graph.hard))

    def through(self, edge: int) -> list[str]:
        """Return the names on a short circle through an edge, from its source back to it."""
        source, target = int(self._graph.source[edge]), int(self._graph.target[edge])
        way = self._kept.way(target, source) or self._all.way(target, source)
        return [self._graph.names[one] for one in (source, *way)] if way else []


class _Ways:
    def __init__(self, graph: Graph) -> None:
        ones = np.ones(len(graph.source), np.int8)
        shape = (graph.size, graph.size)
        self._matrix = csr_matrix((ones, (graph.source, graph.target)), shape=shape)

    def way(self, start: int, goal: int) -> list[int]:
        """Return the vertices of a shortest way, both ends included; none if there is no way."""
        _, before = breadth_first_order(self._matrix, start)
        way = [goal]
        while way[-1] != start:
            one = int(before[way[-1]])
            if one < 0:
                return []
            way.append(one)
        return way[::-1]
