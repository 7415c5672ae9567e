"""Layers: how high each component lies, when some heights are decided.

Every hard edge must lead to a lower layer. Where the decided layers and the cycles do not allow that, some edges violate it;
the cheapest such set is sought. It must have an edge of every cycle, and of every path that is too long for the decided
layers at its ends. As with cycles these are found when a solution leaves one
(:mod:`~drystone.l05_graph.covering`): the layers follow from what is left, by longest paths from the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arcs import merged
from drystone.l05_graph.arrays import Graph, Numbers
from drystone.l05_graph.covering import Prover
from drystone.l05_graph.cut import cut_of, representatives
from drystone.l05_graph.limits import Proven
from drystone.l05_graph.moves import DEFAULT_SEARCH, Search
from drystone.l05_graph.pinned import FREE, Contradiction, Pinned, heights_under, possible
from drystone.l05_graph.stacking import Stacking


@dataclass(frozen=True, kw_only=True)
class Layers(Proven):
    """Where everything lies.

    Attributes:
        layer: Of each vertex, 0 the lowest; as decided where it is.
        moved: Vertices whose decided layer was given up for a cost, ascending.
        violations: Hard edges that must not be as they are, ascending. All others lead to a lower layer.
        cost: Of the violations and of what was given up.
        bound: No layers cost less.
        witnesses: Cycles and paths, as the edges of them that can be changed, that show the bound.
        contradictions: Decisions that could not be followed.
        impossible: Cycles of edges that nobody can change; these lie as they can.
    """

    layer: Numbers
    moved: Numbers
    violations: Numbers
    witnesses: tuple[Numbers, ...]
    contradictions: tuple[Contradiction, ...]
    impossible: tuple[Numbers, ...]


def assign_layers(
    graph: Graph,
    pins: Mapping[int, int],
    giving_up: Mapping[int, float] | None = None,
    search: Search = DEFAULT_SEARCH,
) -> Layers:
    """Find layers, and the cheapest edges that they are violated by.

    Of alternatives, so many must lie below as are needed; each that is a violation counts as one of them.

    Args:
        graph: Its soft edges are not looked at; those that cannot be changed never violate a layer, unless they form a cycle.
        pins: Decided layers, 0 or more, by vertex.
        giving_up: What it costs, by vertex, not to follow the decision; it must be followed when it is not here.
        search: How to search.

    Raises:
        ValueError: A decided layer is negative.
    """
    if min(pins.values(), default=0) < 0:
        raise ValueError("a decided layer is negative; the lowest is 0")
    if graph.group is not None and np.any(graph.group >= 0):
        return _stacked(graph, pins, giving_up or {}, search)
    limit = search.begin()
    edges = np.nonzero(graph.hard)[0]
    cost = np.where(graph.can_change[edges], graph.cost[edges], np.inf)
    every, arc_of = merged(graph.size, graph.source[edges], graph.target[edges], cost)
    first = edges[representatives(arc_of, graph.can_change[edges], every.count)]
    plain = cut_of(every, None, limit.part(0.3), search.seed)
    # What nobody can change and yet is a cycle has no layers; the arc of it that closes it is left aside.
    whole = np.nonzero(~np.isinf(every.cost) | ~every.back(plain.place))[0]
    arcs = every.only(whole)
    pin = np.full(graph.size, FREE)
    pin[list(pins.keys())] = list(pins.values())
    pin, contradictions = possible(arcs, pin, first[whole])
    price = np.full(graph.size, np.inf)
    for vertex, each in (giving_up or {}).items():
        if pin[vertex] != FREE:
            price[vertex] = each
    puzzle = Pinned(arcs, pin, price, plain.place)
    answer = Prover(puzzle, limit, search.on_progress).prove()
    cut, moved = puzzle.parts(answer.chosen.astype(np.float64))
    layer, _ = heights_under(arcs, cut < 0.5, np.where(moved > 0.5, FREE, pin))
    chosen = np.zeros(every.count, np.bool_)
    chosen[whole[cut > 0.5]] = True
    return Layers(
        layer=layer,
        moved=np.nonzero(moved > 0.5)[0],
        violations=edges[chosen[arc_of]],
        cost=answer.cost,
        bound=answer.bound,
        witnesses=tuple(first[whole[row[row < arcs.count]]] for row in answer.demands),
        contradictions=tuple(contradictions),
        impossible=tuple(first[cycle] for cycle in plain.impossible),
    )


def _stacked(
    graph: Graph, pins: Mapping[int, int], giving_up: Mapping[int, float], search: Search
) -> Layers:
    """Find layers where there are alternatives."""
    limit = search.begin()
    pin, price = np.full(graph.size, FREE), np.full(graph.size, np.inf)
    pin[list(pins.keys())] = list(pins.values())
    for vertex in giving_up.keys() & pins.keys():
        price[vertex] = giving_up[vertex]
    puzzle = Stacking(graph, pin, price)
    answer = Prover(puzzle, limit, search.on_progress).prove()
    count = len(puzzle.edges)
    return Layers(
        layer=np.array(puzzle.stacked(answer.chosen).layer, np.int64),
        moved=np.nonzero(answer.chosen[count:])[0],
        violations=puzzle.edges[np.nonzero(answer.chosen[:count])[0]],
        cost=answer.cost,
        bound=answer.bound,
        witnesses=tuple(puzzle.edges[row[row < count]] for row in answer.demands),
        contradictions=tuple(
            Contradiction(vertex=vertex, needs=needs, path=puzzle.edges[lines])
            for vertex, needs, lines in puzzle.contradictions
        ),
        impossible=tuple(puzzle.edges[lines] for lines in puzzle.impossible),
    )
