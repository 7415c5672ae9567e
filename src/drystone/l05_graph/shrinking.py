"""Shrink a graph to what is hard about its cheapest cut, without making the cut any dearer.

Vertices that lie on no cycle go. Whoever is needed by a single vertex is put together with it when that arc costs no less
than all that it needs: instead of that arc one can cut those. Likewise whoever needs a single vertex; and of a vertex between
two arcs only the cheaper is left. Two opposite arcs that come to be are paid for at once. Chains and rings disappear this
way, and most of what circuits and call graphs are made of (reductions as in Baharev, Schichl, Neumaier and Achterberg, ACM
JEA 26, 2021, here with costs).
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Numbers

TOP, BOTTOM = -1, -2
Path = int | tuple["Path", "Path"]
"""An arc by its key, or two paths one after the other."""


@dataclass(frozen=True)
class Shrunk:
    """What is left.

    Attributes:
        arcs: Between fewer vertices.
        vertices: Which they were.
        paid: What every cut of the whole costs more than one of these.
        circles: Cycles of the whole that show what is paid.
        paths: What each arc stands for, one of several perhaps.
    """

    arcs: Arcs
    vertices: Numbers
    paid: float
    circles: list[Numbers]
    paths: list[Numbers]
    gone: list[tuple[int, int, bool]]

    def expanded(self, place: Numbers) -> Numbers:
        """Return places for all vertices, in which what leads upwards costs as much, and what is paid."""
        size = len(self.vertices) + len(self.gone)
        above, below = [0] * (size + 2), [0] * (size + 2)
        chain = [TOP, *self.vertices[np.argsort(-place)].tolist(), BOTTOM]
        for one, other in itertools.pairwise(chain):
            below[one], above[other] = other, one
        for vertex, beside, is_below in reversed(self.gone):
            upper = beside if is_below else above[beside]
            lower = below[upper]
            below[upper], above[lower] = vertex, vertex
            above[vertex], below[vertex] = upper, lower
        found = np.empty(size, np.int64)
        at, number = above[BOTTOM], 0
        while at != TOP:
            found[at] = number
            at, number = above[at], number + 1
        return found


def can_shrink(arcs: Arcs) -> bool:
    """Whether a vertex has a single arc to one side."""
    one_side = np.bincount(arcs.source, minlength=arcs.size)
    other_side = np.bincount(arcs.target, minlength=arcs.size)
    return bool(np.any((one_side == 1) | (other_side == 1)))


def shrunk(arcs: Arcs) -> Shrunk:
    """Shrink a graph that has no opposite arcs."""
    work = _Work(arcs)
    work.go()
    return work.result()


class _Work:
    def __init__(self, arcs: Arcs) -> None:
        self._arcs, self._size = arcs, arcs.size
        self._out: list[dict[int, float]] = [{} for _ in range(arcs.size)]
        self._into: list[set[int]] = [set() for _ in range(arcs.size)]
        ends = zip(arcs.source.tolist(), arcs.target.tolist(), arcs.cost.tolist(), strict=True)
        for source, target, cost in ends:
            self._out[source][target] = cost
            self._into[target].add(source)
        self._path: dict[int, Path] = {}
        self._alive = [True] * arcs.size
        self._waiting = deque(range(arcs.size))
        self._circles: list[Path] = []
        self._gone: list[tuple[int, int, bool]] = []
        self._paid = 0.0

    def go(self) -> None:
        while self._waiting:
            vertex = self._waiting.popleft()
            if self._alive[vertex]:
                self._look_at(vertex)

    def _look_at(self, vertex: int) -> None:
        out, into = self._out[vertex], self._into[vertex]
        if not into:
            self._remove(vertex, TOP, is_below=True)
        elif not out:
            self._remove(vertex, BOTTOM, is_below=False)
        elif len(into) == 1:
            (user,) = into
            cost = self._out[user][vertex]
            if cost >= sum(out.values()):
                self._join(vertex, user, is_below=True)
            elif len(out) == 1:
                (need,) = out
                self._join(vertex, need, is_below=False)
        elif len(out) == 1:
            (need,) = out
            if out[need] >= sum(self._out[user][vertex] for user in into):
                self._join(vertex, need, is_below=False)

    def _remove(self, vertex: int, beside: int, *, is_below: bool) -> None:
        for need in self._out[vertex]:
            self._into[need].discard(vertex)
            self._waiting.append(need)
        for user in self._into[vertex]:
            del self._out[user][vertex]
            self._waiting.append(user)
        self._out[vertex], self._into[vertex] = {}, set()
        self._alive[vertex] = False
        self._gone.append((vertex, beside, is_below))

    def _join(self, vertex: int, other: int, *, is_below: bool) -> None:
        """Put a vertex right below its only user, or right above its only need."""
        arcs = []
        if is_below:
            first = self._path_of(other, vertex)
            for need, cost in self._out[vertex].items():
                arcs.append((other, need, cost, (first, self._path_of(vertex, need))))
        else:
            last = self._path_of(vertex, other)
            for user in self._into[vertex]:
                path = (self._path_of(user, vertex), last)
                arcs.append((user, other, self._out[user][vertex], path))
        self._remove(vertex, other, is_below=is_below)
        for source, target, cost, path in sorted(arcs, key=lambda arc: arc[:2]):
            self._add(source, target, cost, path)

    def _path_of(self, source: int, target: int) -> Path:
        key = source * self._size + target
        return self._path.get(key, key)

    def _add(self, source: int, target: int, cost: float, path: Path) -> None:
        out = self._out[source]
        if target in out:
            out[target] += cost
        else:
            out[target] = cost
            self._into[target].add(source)
            self._path[source * self._size + target] = path
        back = self._out[target].get(source)
        if back is not None:
            both = min(back, out[target])
            self._paid += both
            self._circles.append((self._path_of(source, target), self._path_of(target, source)))
            self._pay(source, target, both)
            self._pay(target, source, both)
        self._waiting += (source, target)

    def _pay(self, source: int, target: int, cost: float) -> None:
        left = self._out[source][target]
        if left > cost:
            self._out[source][target] = left if left == float("inf") else left - cost
        else:
            del self._out[source][target]
            self._into[target].discard(source)

    def result(self) -> Shrunk:
        vertices = np.nonzero(np.array(self._alive, np.bool_))[0]
        number = np.zeros(self._size, np.int64)
        number[vertices] = np.arange(len(vertices))
        ends = [
            (source, target, cost)
            for source in vertices.tolist()
            for target, cost in sorted(self._out[source].items())
        ]
        source = np.array([one for one, _, _ in ends], np.int64)
        target = np.array([one for _, one, _ in ends], np.int64)
        cost = np.array([one for _, _, one in ends], np.float64)
        return Shrunk(
            arcs=Arcs(len(vertices), number[source], number[target], cost),
            vertices=vertices,
            paid=self._paid,
            circles=[self._flat(path) for path in self._circles],
            paths=[self._flat(self._path_of(one, other)) for one, other, _ in ends],
            gone=self._gone,
        )

    def _flat(self, path: Path) -> Numbers:
        keys, waiting = [], [path]
        while waiting:
            one = waiting.pop()
            if isinstance(one, tuple):
                waiting += (one[1], one[0])
            else:
                keys.append(one)
        return np.searchsorted(self._arcs.keys, np.array(keys, np.int64))
