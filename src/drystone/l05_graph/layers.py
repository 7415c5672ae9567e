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
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs, merged
from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers
from drystone.l05_graph.covering import Prover, Puzzle
from drystone.l05_graph.cut import cut_of, representatives
from drystone.l05_graph.cycles import light_cycles, spread
from drystone.l05_graph.limits import Limit, Proven
from drystone.l05_graph.model import Model
from drystone.l05_graph.moves import DEFAULT_SEARCH, Search
from drystone.l05_graph.parts import ROWS
from drystone.l05_graph.stacking import Stacking
from drystone.l05_graph.strong import begin_of

FREE = -1


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """A decided layer that cannot be, because of edges that nobody can change.

    Attributes:
        vertex: Whose; its decision was not followed.
        needs: The lowest layer that it could have.
        path: Edges from it down to the bottom, or to another decided layer.
    """

    vertex: int
    needs: int
    path: Numbers


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


def pins_of(model: Model) -> dict[int, int]:
    """Return the decided layers of a model, by vertex."""
    every = enumerate(model.components)
    return {number: one.layer for number, one in every if one.layer is not None}


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
    pin, contradictions = _possible(arcs, pin, first[whole])
    price = np.full(graph.size, np.inf)
    for vertex, each in (giving_up or {}).items():
        if pin[vertex] != FREE:
            price[vertex] = each
    puzzle = _Pinned(arcs, pin, price, plain.place)
    answer = Prover(puzzle, limit, search.on_progress).prove()
    cut, moved = puzzle.parts(answer.chosen.astype(np.float64))
    layer, _ = _heights(arcs, cut < 0.5, np.where(moved > 0.5, FREE, pin))
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


@dataclass(frozen=True)
class _Late:
    """A vertex that what it needs pushes above its decided layer, and the arcs of the path that does."""

    vertex: int
    needs: int
    path: list[int]
    bottom: int


def _heights(arcs: Arcs, kept: Flags, pin: Numbers) -> tuple[Numbers, list[_Late]]:
    """Return the lowest layers that the kept arcs allow, and where they are too high for a decided one.

    A decided layer is kept, so that what is above it is judged by itself.
    """
    numbers = np.nonzero(kept)[0]
    order = np.argsort(arcs.places(kept), kind="stable")
    begin = begin_of(arcs.source[numbers], arcs.size).tolist()
    target = arcs.target[numbers].tolist()
    pins = pin.tolist()
    layer = [max(one, 0) for one in pins]
    through = [-1] * arcs.size
    late: list[_Late] = []
    for vertex in order.tolist():
        lowest, best = 0, -1
        for at in range(begin[vertex], begin[vertex + 1]):
            if layer[target[at]] >= lowest:
                lowest, best = layer[target[at]] + 1, at
        if pins[vertex] < 0:
            layer[vertex], through[vertex] = lowest, best
        elif lowest > pins[vertex]:
            path = [best]
            while pins[target[path[-1]]] < 0 and through[target[path[-1]]] >= 0:
                path.append(through[target[path[-1]]])
            late.append(_Late(vertex, lowest, [int(numbers[at]) for at in path], target[path[-1]]))
    return np.array(layer, np.int64), late


def _possible(arcs: Arcs, pin: Numbers, first: Numbers) -> tuple[Numbers, list[Contradiction]]:
    """Give up the decisions that arcs which cannot be cut do not allow."""
    fixed = np.isinf(arcs.cost)
    pin = pin.copy()
    found: list[Contradiction] = []
    while True:
        _, late = _heights(arcs, fixed, pin)
        if not late:
            return pin, found
        one = late[0]
        found.append(Contradiction(vertex=one.vertex, needs=one.needs, path=first[one.path]))
        pin[one.vertex] = FREE


class _Pinned(Puzzle):
    """The choices: to violate each arc, then to give up the decision on each vertex."""

    def __init__(self, arcs: Arcs, pin: Numbers, price: Costs, place: Numbers) -> None:
        self.cost = np.concatenate((arcs.cost, price))
        self._arcs, self._pin, self._place = arcs, pin, place

    def parts(self, choices: Costs) -> tuple[Costs, Costs]:
        """Take choices apart: violations, and decisions given up."""
        return choices[: self._arcs.count], choices[self._arcs.count :]

    @override
    def begin(self, limit: Limit) -> Flags:
        return self._closed(np.zeros(len(self.cost)))

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        return self._closed(np.where(share > 0.5, 1.0, 0.0))

    def _closed(self, choices: Costs) -> Flags:
        """Lay everything into layers, from the bottom, by what is kept; and violate what that asks for."""
        cut, moved = self.parts(choices)
        kept = cut < 0.5
        if np.any(self._arcs.tangled(kept)):
            kept &= ~self._arcs.back(self._place)
        pin = np.where(moved > 0.5, FREE, self._pin)
        layer = self._fitting(kept, pin)
        chosen = np.zeros(len(self.cost), np.bool_)
        chosen[: self._arcs.count] = self._arcs.back(layer)
        chosen[self._arcs.count :] = moved > 0.5
        return chosen

    def _fitting(self, kept: Flags, pin: Numbers) -> Numbers:
        """Return layers by the kept arcs, no vertex above what must stay above it."""
        arcs = self._arcs
        ceiling = _ceilings(arcs, np.isinf(arcs.cost), pin)
        order = np.argsort(arcs.places(kept), kind="stable")
        numbers = np.nonzero(kept)[0]
        begin = begin_of(arcs.source[numbers], arcs.size).tolist()
        target, pins = arcs.target[numbers].tolist(), pin.tolist()
        layer = [0] * arcs.size
        for vertex in order.tolist():
            lowest = 0
            for at in range(begin[vertex], begin[vertex + 1]):
                lowest = max(lowest, layer[target[at]] + 1)
            layer[vertex] = pins[vertex] if pins[vertex] >= 0 else min(lowest, ceiling[vertex])
        return np.array(layer, np.int64)

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        cut, moved = self.parts(share)
        roots = np.nonzero(best[: self._arcs.count])[0]
        nothing = np.zeros(len(roots))
        found = light_cycles(self._arcs, cut, roots, nothing, most=4 * ROWS, limit=limit)
        cycles = spread([cycle for _, cycle in found], self._arcs.count, ROWS)
        rows = [cycle[np.isfinite(self.cost[cycle])] for cycle in cycles]
        return rows + self._late(cut, moved, share)

    def _late(self, cut: Costs, moved: Costs, share: Costs) -> list[Numbers]:
        kept = cut < 0.5
        kept &= ~self._arcs.tangled(kept)
        _, late = _heights(self._arcs, kept, np.where(moved > 0.5, FREE, self._pin))
        rows = []
        for one in late:
            ends = [self._arcs.count + one.vertex, self._arcs.count + one.bottom]
            every = np.array([*one.path, *ends])
            row = every[np.isfinite(self.cost[every])]
            if share[row].sum() < 1 - 1e-4:
                rows.append(row)
        return rows


def _ceilings(arcs: Arcs, fixed: Flags, pin: Numbers) -> list[int]:
    """Return how high each vertex may lie for what needs it and cannot be cut, if that has a decided layer."""
    numbers = np.nonzero(fixed)[0]
    highest = len(pin) + int(pin.max(initial=0)) + 1
    ceiling = [highest if one < 0 else one for one in pin.tolist()]
    target = arcs.target[numbers].tolist()
    begin = begin_of(arcs.source[numbers], arcs.size).tolist()
    for vertex in np.argsort(-arcs.places(fixed), kind="stable").tolist():
        for at in range(begin[vertex], begin[vertex + 1]):
            ceiling[target[at]] = min(ceiling[target[at]], ceiling[vertex] - 1)
    return ceiling
