"""Cheap orders of the vertices: what leads upwards in one is a set of arcs whose removal leaves no cycle.

Every set of arcs that leaves no cycle comes from an order, so that the search for the cheapest set is one for the best
order (linear ordering; Reinelt 1985). Three searches: :mod:`~drystone.l05_graph.sifting` moves vertices to their best
places; :mod:`~drystone.l05_graph.put_back` returns to the kept arcs what closes no cycle with them, the dearest first;
:mod:`~drystone.l05_graph.kicks` turn a few arcs by force and let those around find their best places again.
"""

from __future__ import annotations

import heapq

import numpy as np

from drystone.l05_graph.arcs import Arcs, ranks
from drystone.l05_graph.arrays import Costs, Numbers
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.put_back import put_back
from drystone.l05_graph.sifting import TINY, Sifter

MOST_DESCENTS = 4


def cost_of(arcs: Arcs, place: Numbers) -> float:
    """Return what the arcs cost that lead upwards."""
    return float(arcs.cost[arcs.back(place)].sum())


def first_places(arcs: Arcs, wish: Costs | None = None) -> Numbers:
    """Return places in which no arc that cannot be cut leads upwards, near to those wished for.

    Args:
        arcs: Those that cannot be cut have no cycle.
        wish: Lower is further down; when None, what needs little and is needed much lies low.
    """
    if wish is None:
        cost = arcs.finite
        needs = np.bincount(arcs.source, weights=cost, minlength=arcs.size)
        needed = np.bincount(arcs.target, weights=cost, minlength=arcs.size)
        wish = (needs + 1e-3) / (needs + needed + 2e-3)
    fixed = np.nonzero(np.isinf(arcs.cost))[0]
    if not len(fixed):
        return ranks(wish)
    users: list[list[int]] = [[] for _ in range(arcs.size)]
    for source, target in zip(
        arcs.source[fixed].tolist(), arcs.target[fixed].tolist(), strict=True
    ):
        users[target].append(source)
    missing = np.bincount(arcs.source[fixed], minlength=arcs.size).tolist()
    heap = [(float(wish[v]), v) for v in range(arcs.size) if not missing[v]]
    heapq.heapify(heap)
    place = np.zeros(arcs.size, np.int64)
    for number in range(arcs.size):
        _, vertex = heapq.heappop(heap)
        place[vertex] = number
        for user in users[vertex]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(heap, (float(wish[user]), user))
    return place


def descended(arcs: Arcs, sifter: Sifter, place: Numbers, limit: Limit) -> Numbers:
    """Sift and put back until neither finds anything."""
    best = cost_of(arcs, place)
    for _ in range(MOST_DESCENTS):
        place = put_back(arcs, sifter.sifted(place, limit), limit)
        cost = cost_of(arcs, place)
        if limit.is_over or cost >= best - TINY:
            break
        best = cost
    return place
