"""Tangles: components that need each other in a circle, by what that prevents.

A component can be brought into place once all that it needs at build, deploy, start or recovery time serves; it serves
once it is in place and all that it needs at run time serves, where a circle of needs at run time alone begins to serve
together. So a strong component of the hard dependencies with one inside that is needed *before* serving is a deadlock:
every edge inside a strong component lies on a cycle, and on that cycle nobody can be the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arrays import BITS, Flags, Graph, Numbers
from drystone.l05_graph.resolved import resolved
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.words import BEFORE_SERVING, TangleKind

__all__ = ["Tangle", "TangleKind", "circle_in", "members_of", "tangle_of", "tangles"]

MOST_TRIED = 16
"""Through so many edges of a tangle a short circle is sought."""


@dataclass(frozen=True, kw_only=True)
class Tangle:
    """A tangle. Those of hard dependencies share no member; a soft one may lie around some of them.

    Attributes:
        kind: What it prevents.
        members: Its vertices, ascending.
        edges: The edges between them that make it one, ascending.
        stuck: Those members of a deadlock, ascending, that cannot even be brought into place.
    """

    kind: TangleKind
    members: Numbers
    edges: Numbers
    stuck: Numbers


def tangles(graph: Graph) -> list[Tangle]:
    """Find every tangle.

    Alternatives are hard as far as they are counted on (:func:`~drystone.l05_graph.resolved.resolved`).

    Returns:
        The worst kind first, the largest of a kind first.
    """
    graph = resolved(graph)
    hard = tangle_of(graph, graph.hard)
    found = [
        _hard_tangle(graph, members, edges) for members, edges in _each(graph, hard, graph.hard)
    ]
    every = np.ones(len(graph.source), np.bool_)
    nobody = np.zeros(0, np.int64)
    for members, edges in _each(graph, tangle_of(graph, every), every):
        known = hard[members]
        if known[0] < 0 or np.any(known != known[0]):
            found.append(Tangle(kind=TangleKind.SOFT, members=members, edges=edges, stuck=nobody))
    order = list(TangleKind)
    return sorted(found, key=lambda t: (order.index(t.kind), -len(t.members), int(t.members[0])))


def circle_in(graph: Graph, tangle: Tangle) -> Numbers:
    """Return the edges of a short circle of a tangle that shows its kind, in order.

    It leads through an edge that makes the tangle what it is: one that is needed before serving in a deadlock, a soft one
    in a soft tangle.
    """
    graph = resolved(graph)
    edges = tangle.edges
    telling = edges
    if tangle.kind is TangleKind.DEADLOCK:
        telling = edges[graph.needed_at(*BEFORE_SERVING)[edges]]
    elif tangle.kind is TangleKind.SOFT:
        telling = edges[~graph.hard[edges]]
    below: dict[int, list[tuple[int, int]]] = {}
    ends = zip(graph.source[edges].tolist(), graph.target[edges].tolist(), strict=True)
    for edge, (source, target) in zip(edges.tolist(), ends, strict=True):
        below.setdefault(source, []).append((edge, target))
    best: list[int] = []
    # Where alternatives are needed before serving because of one of them, none of those inside may say so itself.
    for edge in (telling if len(telling) else edges)[:MOST_TRIED].tolist():
        found = _way(below, int(graph.target[edge]), int(graph.source[edge]))
        if not best or len(found) + 1 < len(best):
            best = [edge, *found]
    return np.array(best, np.int64)


def _way(below: Mapping[int, Sequence[tuple[int, int]]], start: int, goal: int) -> list[int]:
    """Return the edges of a shortest way; there is one."""
    came: dict[int, tuple[int, int]] = {}
    seen, wave = {start}, [start]
    while goal not in seen:
        step = []
        for one in wave:
            for edge, other in below.get(one, ()):
                if other not in seen:
                    seen.add(other)
                    came[other] = (edge, one)
                    step.append(other)
        wave = step
    way: list[int] = []
    while goal != start:
        edge, goal = came[goal]
        way.append(edge)
    return way[::-1]


def tangle_of(graph: Graph, edges: Flags) -> Numbers:
    """Return the strong component of each vertex by these edges; -1 for a vertex that is one by itself."""
    _, of = strong_components(graph.size, graph.source[edges], graph.target[edges])
    return np.where(np.bincount(of, minlength=1)[of] > 1, of, -1)


def members_of(sets: Numbers) -> list[Numbers]:
    """Return the vertices of each set, ascending, given the set of each vertex (-1 for none)."""
    order = np.argsort(sets, kind="stable")
    order = order[sets[order] >= 0]
    if not len(order):
        return []
    return list(np.split(order, np.nonzero(np.diff(sets[order]))[0] + 1))


def _each(graph: Graph, sets: Numbers, counts: Flags) -> list[tuple[Numbers, Numbers]]:
    """Return the vertices of each set, and the edges that count between them, all ascending; in one pass over the edges."""
    of = sets[graph.source]
    inside = np.nonzero(counts & (of >= 0) & (of == sets[graph.target]))[0]
    by_set = inside[np.argsort(of[inside], kind="stable")]
    edges = np.split(by_set, np.nonzero(np.diff(of[by_set]))[0] + 1)
    # Both are in the order of the sets, and every set has an edge inside.
    return list(zip(members_of(sets), edges, strict=False))


def _hard_tangle(graph: Graph, members: Numbers, edges: Numbers) -> Tangle:
    early = sum(BITS[phase] for phase in BEFORE_SERVING)
    before = edges[(graph.at[edges] & early) > 0]
    return Tangle(
        kind=TangleKind.DEADLOCK if len(before) else TangleKind.CO_START,
        members=members,
        edges=edges,
        stuck=np.unique(graph.source[before]),
    )
