"""Layers where some needs have alternatives: of a group, so many must lie below as are needed.

The lowest layers are a least fixpoint over *and* and *or*, found from the bottom up (Knuth, "A generalization of Dijkstra's
algorithm", Inf. Process. Lett. 6(1), 1977): a component lies one above the highest that it needs alone, and of each group one
above the highest of the lowest that are enough. What proves that something must lie so high is a tree: a need that is high,
or so many members of a group that too few low ones are left. At least one of its edges must be a violation, or a decided
layer in it be given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers
from drystone.l05_graph.circles import circles
from drystone.l05_graph.resolved import as_groups
from drystone.l05_graph.rounding import Rounding

NOWHERE = -1
"""The layer of what lies above itself, and of what may lie anywhere."""


@dataclass(frozen=True)
class Stack:
    """Where everything lies when some choices are made.

    Attributes:
        layer: Of each vertex; :data:`NOWHERE` in a circle.
        pin: The decided layer of each vertex, if it was not given up.
        late: Vertices that need to lie above their decided layer, or above a circle.
        is_out: Whether each line is violated.
    """

    layer: list[int]
    pin: list[int]
    late: list[int]
    is_out: list[bool]


class Stacking(Rounding):
    """The choices: to violate each line, then to give up the decision on each vertex.

    Args:
        graph: Its hard edges and hard groups are the lines.
        pin: The decided layer of each vertex, or :data:`NOWHERE`.
        price: What it costs not to follow it.

    Attributes:
        edges: The edge of each line.
        impossible: Circles of lines that nobody can change, as lines; one of each is left aside.
        contradictions: Decisions that such lines do not allow: the vertex, the lowest layer that it could have, and lines
            that lead down from it.
    """

    def __init__(self, graph: Graph, pin: Numbers, price: Costs) -> None:
        assert graph.group is not None  # noqa: S101 - asked by the caller
        hard, _ = as_groups(graph)
        self.edges = np.nonzero(hard)[0]
        self._source = graph.source[self.edges].tolist()
        self._target = graph.target[self.edges].tolist()
        self._group = graph.group[self.edges].tolist()
        self._enough = graph.at_least.tolist()
        self._users: list[list[int]] = [[] for _ in range(graph.size)]
        self._lines: list[list[int]] = [[] for _ in range(graph.size)]
        for line, (source, target) in enumerate(zip(self._source, self._target, strict=True)):
            self._lines[source].append(line)
            self._users[target].append(line)
        can = graph.can_change[self.edges]
        self._pin = pin.tolist()
        self.cost = np.concatenate((np.where(can, graph.cost[self.edges], np.inf), price))
        self._aside: set[int] = set()
        self.impossible: list[Numbers] = []
        self.contradictions: list[tuple[int, int, Numbers]] = []
        self._give_up()

    def _give_up(self) -> None:
        """Leave aside what no choice could mend."""
        count = len(self.edges)
        able = np.concatenate((np.isfinite(self.cost[:count]), np.zeros(len(self._pin), np.bool_)))
        while True:
            stack = self.stacked(able)
            if loops := self._loops(stack):
                self.impossible += [np.array(loop, np.int64) for loop in loops]
                self._aside.update(loop[0] for loop in loops)
            elif stack.late:
                one = stack.late[0]
                needs = 1 + max(
                    stack.layer[self._target[line]]
                    for line in self._reason(stack, one, self._pin[one] + 1)
                )
                self.contradictions.append((one, needs, self._chain(stack, one)))
                self._pin[one] = NOWHERE
            else:
                return

    def stacked(self, chosen: Flags) -> Stack:
        """Lay everything as low as it can lie when these choices are made."""
        count = len(self.edges)
        is_out = chosen[:count].tolist()
        for line in self._aside:
            is_out[line] = True
        moved = chosen[count:].tolist()
        pin = [NOWHERE if gone else one for one, gone in zip(self._pin, moved, strict=True)]
        left, missing = self._left(is_out)
        layer, low = [NOWHERE] * len(pin), [0] * len(pin)
        heap = [(max(pin[v], 0), v) for v in range(len(pin)) if pin[v] >= 0 or not missing[v]]
        heapify(heap)
        while heap:
            height, vertex = heappop(heap)
            layer[vertex] = height
            for line in self._users[vertex]:
                user, group = self._source[line], self._group[line]
                if is_out[line] or (group >= 0 and left[group] <= 0):
                    continue
                if group >= 0:
                    left[group] -= 1
                    if left[group]:
                        continue
                missing[user] -= 1
                low[user] = height + 1
                if not missing[user] and pin[user] < 0:
                    heappush(heap, (low[user], user))
        late = [v for v, at in enumerate(pin) if at >= 0 and (missing[v] or low[v] > at)]
        return Stack(layer, pin, late, is_out)

    def _left(self, is_out: list[bool]) -> tuple[list[int], list[int]]:
        """Return how many members each group needs yet, and how many needs each vertex has."""
        left, missing = list(self._enough), [0] * len(self._pin)
        owner: dict[int, int] = {}
        for line, group in enumerate(self._group):
            if group >= 0:
                left[group] -= is_out[line]
                owner[group] = self._source[line]
            else:
                missing[self._source[line]] += not is_out[line]
        for group, vertex in owner.items():
            missing[vertex] += left[group] > 0
        return left, missing

    @override
    def open(self, chosen: Flags) -> list[Numbers]:
        stack = self.stacked(chosen)
        rows = [np.array(loop, np.int64) for loop in self._loops(stack)]
        rows += [self._proof(stack, vertex) for vertex in stack.late]
        return [row[np.isfinite(self.cost[row])] for row in rows]

    def _needs(self, stack: Stack, vertex: int) -> list[tuple[int, list[int]]]:
        """Return the needs of a vertex: how many lines must be high for it to be, and the lines of each that are in."""
        groups: dict[int, list[int]] = {}
        found: list[tuple[int, list[int]]] = []
        for line in self._lines[vertex]:
            if self._group[line] >= 0:
                groups.setdefault(self._group[line], []).append(line)
            elif not stack.is_out[line]:
                found.append((1, [line]))
        for group, lines in groups.items():
            inside = [line for line in lines if not stack.is_out[line]]
            found.append((len(lines) - self._enough[group] + 1, inside))
        return found

    def _reason(self, stack: Stack, vertex: int, least: int) -> list[int]:
        """Return lines that push a vertex to a layer, or into a circle."""

        def height(line: int) -> float:
            at = stack.layer[self._target[line]]
            return float("inf") if at == NOWHERE else at + 1

        best: list[int] = []
        for few, lines in self._needs(stack, vertex):
            high = sorted(
                (line for line in lines if height(line) >= least), key=lambda one: -height(one)
            )
            if len(high) >= few and (not best or few < len(best)):
                best = high[:few]
        return best

    def _proof(self, stack: Stack, vertex: int) -> Numbers:
        """Return choices of which one must be made, because a vertex needs to lie above its decided layer."""
        count = len(self.edges)
        row = {count + vertex}
        least = {vertex: stack.pin[vertex] + 1}
        waiting = [vertex]
        while waiting:
            one = waiting.pop()
            for line in self._reason(stack, one, least[one]):
                row.add(line)
                below, needs = self._target[line], least[one] - 1
                if needs <= 0:
                    continue
                if stack.pin[below] >= 0:
                    row.add(count + below)
                elif least.get(below, 0) < needs:
                    least[below] = needs
                    waiting.append(below)
        return np.array(sorted(row), np.int64)

    def _chain(self, stack: Stack, vertex: int) -> Numbers:
        """Return lines that lead down from a vertex, each the first reason of where it begins."""
        found: list[int] = []
        least = stack.pin[vertex] + 1
        while least > 0 and (reason := self._reason(stack, vertex, least)):
            found.append(reason[0])
            vertex, least = self._target[reason[0]], least - 1
            if stack.pin[vertex] >= 0:
                break
        return np.array(found, np.int64)

    def _loops(self, stack: Stack) -> list[list[int]]:
        """Return circles of vertices that lie nowhere, as lines; they have nothing in common."""
        lost = [v for v, at in enumerate(stack.layer) if at == NOWHERE]
        place = {vertex: number for number, vertex in enumerate(lost)}
        picks = []
        for vertex in lost:
            inside = [
                (few, [line for line in lines if self._target[line] in place])
                for few, lines in self._needs(stack, vertex)
            ]
            picks.append(next(lines[:few] for few, lines in inside if len(lines) >= few))
        following = [[place[self._target[line]] for line in pick] for pick in picks]
        groups = circles(following)
        of = {number: which for which, some in enumerate(groups) for number in some}
        return [
            sorted({line for number in some for line in picks[number]})
            for which, some in enumerate(groups)
            if all(of[other] == which for number in some for other in following[number])
        ]
