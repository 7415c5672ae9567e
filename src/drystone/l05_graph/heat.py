"""Where it hurts: which dependencies most of a tangle hangs on, and which single change would shrink it most.

The heat of a dependency is the number of shortest circles through it, one for each dependency of a tangle (the shortest that
leads through that one), for its cost; what is in the best cut is hotter than all others. *Strong bridges* and *strong
articulation points* are the dependencies and components without which a strong component falls apart: by Italiano, Laura and
Santaroni (Theor. Comput. Sci. 447, 2012) those are found from the dominators of the component and of its reverse, here by
Cooper, Harvey and Kennedy's "A Simple, Fast Dominance Algorithm" (2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers
from drystone.l05_graph.resolved import resolved
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.tangles import Tangle, members_of, tangle_of

_AT_LEAST = 1e-9
"""Stands for a cost of nothing, which cannot be divided by."""


@dataclass(frozen=True, kw_only=True)
class Heat:
    """How hot everything is.

    Attributes:
        circles: How many shortest circles lead through each edge.
        edges: Heat of each edge from 0 to 1; 0 outside of tangles of hard dependencies, above 0.5 in the cut.
        vertices: The sum over the tangled edges at each vertex, divided by the greatest of these sums.
    """

    circles: Numbers
    edges: Costs
    vertices: Costs


@dataclass(frozen=True, kw_only=True)
class Single:
    """What is left of a tangle when one edge or one vertex goes.

    Attributes:
        number: Of the edge or vertex.
        largest: How many members the largest tangle that is left has.
        left: How many members are still in a tangle.
    """

    number: int
    largest: int
    left: int


def heat(graph: Graph, cut: Flags | None = None) -> Heat:
    """Return how hot every edge and vertex is.

    Alternatives are hard as far as they are counted on (:func:`~drystone.l05_graph.resolved.resolved`).

    Args:
        graph: Where.
        cut: Which edges are in a best cut, if one is known.
    """
    graph = resolved(graph)
    counts = np.zeros(len(graph.source), np.int64)
    of = tangle_of(graph, graph.hard)
    inside = graph.hard & (of[graph.source] >= 0) & (of[graph.source] == of[graph.target])
    for members in members_of(of):
        edges = np.nonzero(inside & (of[graph.source] == of[members[0]]))[0]
        _count(graph, members, edges, counts)
    price = counts / np.maximum(graph.cost, _AT_LEAST)
    # Ranks, not ratios: one edge that costs nearly nothing must not make all others look cold.
    hot = np.zeros(len(price))
    tangled = np.nonzero(inside)[0]
    if len(tangled):
        _, ranks = np.unique(price[tangled], return_inverse=True)
        hot[tangled] = (ranks + 1) / (ranks.max() + 1) / 2
    if cut is not None:
        hot[cut & inside] += 0.5
    vertices = np.bincount(graph.source, hot, graph.size) + np.bincount(
        graph.target, hot, graph.size
    )
    top = float(vertices.max(initial=0.0)) or 1.0
    return Heat(circles=counts, edges=hot, vertices=np.asarray(vertices / top, np.float64))


def _count(graph: Graph, members: Numbers, edges: Numbers, counts: Numbers) -> None:
    size = len(members)
    source = np.searchsorted(members, graph.source[edges])
    target = np.searchsorted(members, graph.target[edges])
    matrix = csr_matrix((np.ones(len(edges)), (source, target)), shape=(size, size))
    _, before = dijkstra(matrix, unweighted=True, return_predecessors=True)
    # Parallel edges share a circle; the cheapest of them stands for it.
    cheapest: dict[tuple[int, int], int] = {}
    for edge in edges[np.argsort(graph.cost[edges], kind="stable")].tolist():
        ends = (int(graph.source[edge]), int(graph.target[edge]))
        cheapest.setdefault(ends, edge)
    names = members.tolist()
    pairs = zip(edges.tolist(), source.tolist(), target.tolist(), strict=True)
    for edge, one, other in pairs:
        counts[edge] += 1
        here = one
        while here != other:
            there = int(before[other, here])
            counts[cheapest[names[there], names[here]]] += 1
            here = there


def strong_bridges(size: int, source: Sequence[int], target: Sequence[int]) -> list[int]:
    """Return the edges without which a strongly connected graph is no more.

    Args:
        size: Vertices 0 to ``size`` - 1.
        source: Of each edge.
        target: The same.
    """
    forwards = set(_bridges(size, source, target))
    return sorted(forwards | set(_bridges(size, target, source)))


def strong_articulation_points(
    size: int, source: Sequence[int], target: Sequence[int]
) -> list[int]:
    """Return the vertices without which the rest of a strongly connected graph is not strongly connected."""
    found: set[int] = set()
    for one, other in ((source, target), (target, source)):
        dominator = _dominators(size, _adjacent(size, one, other), _adjacent(size, other, one))
        found |= {dominator[vertex] for vertex in range(1, size)} - {0}
    keep = [(a, b) for a, b in zip(source, target, strict=True) if a and b]
    ends = np.array(keep, np.int64).reshape(-1, 2) - 1
    if size > 2 and strong_components(size - 1, ends[:, 0], ends[:, 1])[0] > 1:
        found.add(0)
    return sorted(found)


def _adjacent(size: int, source: Sequence[int], target: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(size)]
    for one, other in zip(source, target, strict=True):
        found[one].append(other)
    return found


def _dominators(size: int, after: list[list[int]], before: list[list[int]]) -> list[int]:
    """Return the vertex that every way from vertex 0 to each passes last before it; 0 for 0 itself."""
    order: list[int] = []
    seen = bytearray(size)
    seen[0] = 1
    path = [(0, iter(after[0]))]
    while path:
        vertex, rest = path[-1]
        following = next((one for one in rest if not seen[one]), None)
        if following is None:
            order.append(vertex)
            path.pop()
        else:
            seen[following] = 1
            path.append((following, iter(after[following])))
    rank = {vertex: number for number, vertex in enumerate(order)}
    found = [-1] * size
    found[0] = 0
    changed = True
    while changed:
        changed = False
        for vertex in reversed(order[:-1]):
            best = -1
            for one in before[vertex]:
                if found[one] < 0:
                    continue
                other = best
                best = one
                while other >= 0 and best != other:
                    if rank[best] < rank[other]:
                        best = found[best]
                    else:
                        other = found[other]
            if found[vertex] != best:
                found[vertex] = best
                changed = True
    return found


def _bridges(size: int, source: Sequence[int], target: Sequence[int]) -> list[int]:
    """Return the edges that every way from vertex 0 to some vertex passes.

    Such an edge leads from the dominator of a vertex to it, and whatever else leads to the vertex comes from below it.
    """
    before = _adjacent(size, target, source)
    dominator = _dominators(size, _adjacent(size, source, target), before)
    begins, ends = _intervals(size, dominator)
    found = []
    for edge, (one, other) in enumerate(zip(source, target, strict=True)):
        if other == 0 or dominator[other] != one:
            continue
        below = sum(begins[other] <= begins[v] < ends[other] for v in before[other])
        if below == len(before[other]) - 1:
            found.append(edge)
    return found


def _intervals(size: int, dominator: list[int]) -> tuple[list[int], list[int]]:
    """Number the tree of dominators so that all below a vertex lie in its interval."""
    children = _adjacent(size, dominator[1:], range(1, size))
    begins, ends = [0] * size, [0] * size
    count = 0
    waiting = [(0, False)]
    while waiting:
        vertex, is_done = waiting.pop()
        if is_done:
            ends[vertex] = count
            continue
        begins[vertex] = count
        count += 1
        waiting.append((vertex, True))
        waiting += [(child, False) for child in children[vertex]]
    return begins, ends


def single_edges(graph: Graph, tangle: Tangle) -> list[Single]:
    """Return what is left of a tangle without each edge that alone makes it smaller, the best first.

    A tangle in which every component is needed in several ways has none.
    """
    source = np.searchsorted(tangle.members, graph.source[tangle.edges])
    target = np.searchsorted(tangle.members, graph.target[tangle.edges])
    size = len(tangle.members)
    found = []
    for edge in strong_bridges(size, source.tolist(), target.tolist()):
        keep = np.arange(len(source)) != edge
        found.append(_left(size, source[keep], target[keep], int(tangle.edges[edge])))
    return sorted(found, key=lambda one: (one.left, one.largest, one.number))


def single_vertices(graph: Graph, tangle: Tangle) -> list[Single]:
    """Return what is left of a tangle without each vertex that alone tears it apart, the best first.

    That a vertex goes from a tangle means that nobody in it needs it hard any more.
    """
    source = np.searchsorted(tangle.members, graph.source[tangle.edges])
    target = np.searchsorted(tangle.members, graph.target[tangle.edges])
    size = len(tangle.members)
    found = []
    for vertex in strong_articulation_points(size, source.tolist(), target.tolist()):
        keep = (source != vertex) & (target != vertex)
        found.append(_left(size, source[keep], target[keep], int(tangle.members[vertex])))
    return sorted(found, key=lambda one: (one.left, one.largest, one.number))


def _left(size: int, source: Numbers, target: Numbers, number: int) -> Single:
    _, of = strong_components(size, source, target)
    sizes = np.bincount(of)
    large = sizes[sizes > 1]
    return Single(number=number, largest=int(large.max(initial=0)), left=int(large.sum()))
