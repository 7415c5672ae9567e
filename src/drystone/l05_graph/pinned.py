"""Decided layers as demands: no path of kept arcs may be too long for the decided layers at its ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.covering import Puzzle
from drystone.l05_graph.cycles import light_cycles, spread
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.model import Model
from drystone.l05_graph.parts import ROWS
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


@dataclass(frozen=True)
class Late:
    """A vertex that what it needs pushes above its decided layer, and the arcs of the path that does."""

    vertex: int
    needs: int
    path: list[int]
    bottom: int | None

    @property
    def ends(self) -> list[int]:
        """Whose decided layers do not fit each other."""
        return [self.vertex] if self.bottom is None else [self.vertex, self.bottom]


def pins_of(model: Model) -> dict[int, int]:
    """Return the decided layers of a model, by vertex."""
    every = enumerate(model.components)
    return {number: one.layer for number, one in every if one.layer is not None}


def heights_under(arcs: Arcs, kept: Flags, pin: Numbers) -> tuple[Numbers, list[Late]]:
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
    late: list[Late] = []
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
            # Where the path ends at the bottom of all, and not at a decided layer, nothing there can be moved.
            end = target[path[-1]]
            bottom = end if pins[end] >= 0 else None
            late.append(Late(vertex, lowest, [int(numbers[at]) for at in path], bottom))
    return np.array(layer, np.int64), late


def possible(arcs: Arcs, pin: Numbers, first: Numbers) -> tuple[Numbers, list[Contradiction]]:
    """Give up the decisions that arcs which cannot be cut do not allow."""
    fixed = np.isinf(arcs.cost)
    pin = pin.copy()
    found: list[Contradiction] = []
    while True:
        _, late = heights_under(arcs, fixed, pin)
        if not late:
            return pin, found
        one = late[0]
        found.append(Contradiction(vertex=one.vertex, needs=one.needs, path=first[one.path]))
        pin[one.vertex] = FREE


class Pinned(Puzzle):
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
        _, late = heights_under(self._arcs, kept, np.where(moved > 0.5, FREE, self._pin))
        rows = []
        for one in late:
            ends = [self._arcs.count + end for end in one.ends]
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
