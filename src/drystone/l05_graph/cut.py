"""The cheapest edges to cut so that no cycle is left: the minimum-cost feedback arc set.

NP-hard (Karp 1972), and yet solved to the proven optimum on real dependency graphs, because what makes them tangled is a
few edges against the grain. Of two opposite edges the cheaper is paid in advance, what is easy is shrunk away
(:mod:`~drystone.l05_graph.shrinking`), and each strong component is solved by itself (:mod:`~drystone.l05_graph.parts`):
orders of the vertices give good answers (:mod:`~drystone.l05_graph.orders`) and lazily found cycles the lower bound and,
where time allows, the proof (:mod:`~drystone.l05_graph.covering`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from drystone.l05_graph.arcs import Arcs, merged, without_opposites
from drystone.l05_graph.arrays import Costs, Flags, Graph, Numbers
from drystone.l05_graph.cycles import light_cycles
from drystone.l05_graph.limits import Limit, OnProgress, Proven, say_nothing
from drystone.l05_graph.parts import Asked, Whole
from drystone.l05_graph.put_back import put_back
from drystone.l05_graph.strong import strong_components


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
    limit.spend(20 * arcs.count)
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
    whole = Whole(rest, wish, paid, Asked(limit, seed, on_progress))
    place = put_back(simple, whole.solved(), limit)
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
    if not fixed.any():
        return np.arange(arcs.size), []
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
