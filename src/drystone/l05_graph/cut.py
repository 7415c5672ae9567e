"""The cheapest edges to cut so that no cycle is left: the minimum-cost feedback arc set.

NP-hard (Karp 1972), and yet solved to the proven optimum on real dependency graphs, because what makes them tangled is a
few edges against the grain. Each strong component by itself; within it, of two opposite edges the cheaper is paid in
advance; then orders of the vertices give good answers (:mod:`~drystone.l05_graph.orders`) and lazily found cycles the lower
bound and, where time allows, the proof (:mod:`~drystone.l05_graph.covering`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs, merged, without_opposites
from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers
from drystone.l05_graph.covering import Prover, Puzzle
from drystone.l05_graph.cycles import light_cycles
from drystone.l05_graph.limits import Limit, OnProgress, Progress, Proven, say_nothing
from drystone.l05_graph.orders import Kicks, cost_of, descended, first_places
from drystone.l05_graph.packing import packed
from drystone.l05_graph.put_back import put_back
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.tangles import members_of

ROWS = 400
USES = 3
LEAST_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Cut(Proven):
    """Edges whose removal leaves no cycle but those that nobody can cut.

    Attributes:
        edges: Ascending.
        cost: Of removing them.
        bound: No such set costs less.
        place: A place for each vertex, 0 the lowest; of what is left only impossible edges lead upwards.
        witnesses: Cycles, as edges, that show the bound.
        impossible: Cycles of edges that cannot be changed: one for each tangle of them. They stay.
    """

    edges: Numbers
    place: Numbers
    witnesses: tuple[Numbers, ...]
    impossible: tuple[Numbers, ...]


def feedback_arc_set(
    graph: Graph,
    *,
    layers: Costs | Numbers | None = None,
    time_limit: timedelta | None = None,
    seed: int = 0,
    on_progress: OnProgress = say_nothing,
    clock: Callable[[], float] = time.monotonic,
    stop: threading.Event | None = None,
) -> Cut:
    """Find the cheapest edges to cut so that no cycle of hard edges is left.

    Equal graphs and seeds give equal answers, unless the time limit ends the search.

    Args:
        graph: Its soft edges are not looked at; those that cannot be changed are never cut.
        layers: A height for each vertex, to begin from: what people drew is often nearly the best.
        time_limit: An answer and a bound are returned after it; without one the search ends with the proof.
        seed: Of the search.
        on_progress: Told the cost and the bound of the whole.
        clock: Returns seconds.
        stop: Ends the search with the best answer so far when somebody sets it.
    """
    limit = Limit(time_limit, clock, stop)
    edges = np.nonzero(graph.hard)[0]
    cost = np.where(graph.can_change[edges], graph.cost[edges], np.inf)
    arcs, arc_of = merged(graph.size, graph.source[edges], graph.target[edges], cost)
    cut = cut_of(arcs, layers, limit, seed, on_progress)
    first = representatives(arc_of, graph.can_change[edges], arcs.count)
    return Cut(
        edges=edges[cut.arcs[arc_of]],
        cost=cut.cost,
        bound=cut.bound,
        place=cut.place,
        witnesses=tuple(edges[first[cycle]] for cycle in cut.witnesses),
        impossible=tuple(edges[first[cycle]] for cycle in cut.impossible),
    )


def representatives(arc_of: Numbers, can_change: Flags, count: int) -> Numbers:
    """Return an edge of each arc, one that cannot be changed if there is such."""
    order = np.argsort(can_change, kind="stable")
    arcs, first = np.unique(arc_of[order], return_index=True)
    found = np.zeros(count, np.int64)
    found[arcs] = order[first]
    return found


@dataclass(frozen=True, kw_only=True)
class ArcCut:
    """The same on arcs; see :class:`Cut`."""

    arcs: Flags
    cost: float
    bound: float
    place: Numbers
    witnesses: list[Numbers]
    impossible: list[Numbers]


def cut_of(
    arcs: Arcs,
    layers: Costs | Numbers | None,
    limit: Limit,
    seed: int = 0,
    on_progress: OnProgress = say_nothing,
) -> ArcCut:
    """Find the cheapest arcs to cut; see :func:`feedback_arc_set`."""
    core, impossible = _cores(arcs)
    forced = np.isfinite(arcs.cost) & (core[arcs.source] == core[arcs.target])
    outer = core[arcs.source] != core[arcs.target]
    numbers = np.nonzero(outer)[0]
    size = int(core.max(initial=-1)) + 1
    simple, simple_of = merged(
        size, core[arcs.source[numbers]], core[arcs.target[numbers]], arcs.cost[numbers]
    )
    wish = None if layers is None else _mean(np.asarray(layers, np.float64), core, size)
    rest, rest_of, paid = without_opposites(simple)
    paid += float(arcs.cost[forced].sum())
    whole = _Whole(rest, wish, paid, limit=limit, seed=seed, on_progress=on_progress)
    whole.solve()
    place = put_back(simple, rest.places(~whole.cut), limit)
    up = simple.back(place)
    chosen = forced.copy()
    chosen[numbers] = up[simple_of]
    cost = float(arcs.cost[chosen].sum())
    first = np.full(simple.count, arcs.count)
    np.minimum.at(first, simple_of, numbers)
    return ArcCut(
        arcs=chosen,
        cost=cost,
        bound=min(cost, whole.bound),
        place=place[core],
        witnesses=[first[rest_of[cycle]] for cycle in whole.witnesses],
        impossible=impossible,
    )


def _mean(value: Costs, of: Numbers, size: int) -> Costs:
    return np.bincount(of, weights=value, minlength=size) / np.bincount(of, minlength=size)


def _cores(arcs: Arcs) -> tuple[Numbers, list[Numbers]]:
    """Return the tangle of arcs that cannot be cut that each vertex is in, alone or not, and a cycle of each."""
    fixed = np.isinf(arcs.cost)
    _, core = strong_components(arcs.size, arcs.source[fixed], arcs.target[fixed])
    inside = np.nonzero(fixed & (core[arcs.source] == core[arcs.target]))[0]
    if not len(inside):
        return core, []
    _, first = np.unique(core[arcs.source[inside]], return_index=True)
    weight = np.where(fixed, 0.0, 1.0)
    roots = inside[first]
    found = light_cycles(
        arcs, weight, roots, np.zeros(len(roots)), most=len(roots), limit=Limit(None)
    )
    return core, [cycle for _, cycle in found]


class _Whole:
    """All strong components, the small ones first."""

    def __init__(
        self,
        arcs: Arcs,
        wish: Costs | None,
        paid: float,
        *,
        limit: Limit,
        seed: int,
        on_progress: OnProgress,
    ) -> None:
        self._arcs, self._wish, self._limit, self._seed = arcs, wish, limit, seed
        self._on_progress = on_progress
        self.cut = np.zeros(arcs.count, np.bool_)
        self.cost = self.bound = paid
        self.witnesses: list[Numbers] = []

    def solve(self) -> None:
        arcs = self._arcs
        _, of = strong_components(arcs.size, arcs.source, arcs.target)
        inside = np.where(of[arcs.source] == of[arcs.target], of[arcs.source], -1)
        parts = sorted(members_of(inside), key=len)
        left = sum(len(part) for part in parts)
        for part in parts:
            share = max(LEAST_SHARE, min(1.0, 2 * len(part) / (left + len(part))))
            self._solve(part, self._limit.part(share))
            left -= len(part)

    def _solve(self, numbers: Numbers, limit: Limit) -> None:
        vertices, source = np.unique(self._arcs.source[numbers], return_inverse=True)
        target = np.searchsorted(vertices, self._arcs.target[numbers])
        arcs = Arcs(len(vertices), source, target, self._arcs.cost[numbers])
        wish = None if self._wish is None else self._wish[vertices]

        def tell(one: Progress) -> None:
            self._on_progress(
                Progress(
                    doing=one.doing,
                    cost=self.cost + one.cost,
                    bound=self.bound + one.bound,
                    elapsed=self._limit.elapsed,
                )
            )

        answer = Prover(CutPuzzle(arcs, wish, self._seed), limit, tell).prove()
        self.cut[numbers[answer.chosen]] = True
        self.cost += answer.cost
        self.bound += answer.bound
        self.witnesses += [numbers[row] for row in answer.demands]


class CutPuzzle(Puzzle):
    """Cut every cycle of a strong graph without opposite arcs; the choices are its arcs."""

    searches = True

    def __init__(self, arcs: Arcs, wish: Costs | None, seed: int) -> None:
        self.cost = arcs.cost
        self._arcs, self._wish, self._seed = arcs, wish, seed
        self._place = np.zeros(0, np.int64)
        self._price = float("inf")
        self._turn = 0

    @override
    def begin(self, limit: Limit) -> Flags:
        limit = limit.part(0.2)
        self._keep(descended(self._arcs, first_places(self._arcs, self._wish), limit))
        if self._wish is not None:
            self._keep(descended(self._arcs, first_places(self._arcs), limit))
        return self._best()

    @override
    def first(self, limit: Limit) -> tuple[float, list[Numbers]]:
        roots = np.nonzero(self._best())[0]
        bound, cycles, left = packed(self._arcs, roots, limit=limit)
        kept = left > 0
        if not np.any(self._arcs.tangled(kept)):
            self._keep(descended(self._arcs, self._arcs.places(kept), limit))
        return bound, cycles

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        # Every cycle has an arc of the best cut, so that it is enough to look through those.
        roots = np.nonzero(best)[0]
        most = max(ROWS, len(roots))
        self._turn += 97
        found = light_cycles(
            self._arcs,
            share,
            roots,
            np.zeros(len(roots)),
            most=4 * most,
            limit=limit,
            begin=self._turn,
        )
        return spread([cycle for _, cycle in found], self._arcs.count, most)

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        kept = share < 0.5
        if not np.any(self._arcs.tangled(kept)):
            self._keep(descended(self._arcs, self._arcs.places(kept), limit))
        else:
            cost = self._arcs.finite * np.maximum(1 - share, 1e-3)
            cost[np.isinf(self.cost)] = np.inf
            guide = Arcs(self._arcs.size, self._arcs.source, self._arcs.target, cost)
            self._keep(descended(self._arcs, descended(guide, self._place, limit), limit))
        return self._best()

    @override
    def improved(self, best: Flags, kicks: int, goal: float, limit: Limit) -> Flags:
        self._seed += 1
        search = Kicks(self._arcs, self._place, self._seed)
        search.search(kicks, limit, goal)
        self._keep(put_back(self._arcs, search.place, limit))
        return self._best()

    def _keep(self, place: Numbers) -> None:
        price = cost_of(self._arcs, place)
        if price < self._price:
            self._place, self._price = place, price

    def _best(self) -> Flags:
        return self._arcs.back(self._place)


def spread(cycles: list[Numbers], count: int, most: int) -> list[Numbers]:
    """Choose cycles, the first first, such that no arc is in more than a few."""
    used = np.zeros(count, np.int64)
    chosen: list[Numbers] = []
    for cycle in cycles:
        if used[cycle].max() < USES:
            used[cycle] += 1
            chosen.append(cycle)
            if len(chosen) >= most:
                break
    return chosen
