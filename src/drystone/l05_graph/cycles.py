"""Short cycles: what an untangling must cut, and the proof that it must."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.strong import strong_components

CELLS = 2_000_000
"""How many distances may be held at once."""
STEPS = 2_000_000
"""How many vertices and arcs may be looked at between two looks at the clock."""
VIOLATED = 1 - 1e-4
USES = 3


def light_cycles(
    arcs: Arcs,
    weight: Costs,
    roots: Numbers,
    extra: Costs,
    *,
    most: int,
    limit: Limit,
    begin: int = 0,
) -> list[tuple[int, Numbers]]:
    """Find, for each root, the lightest cycle through it, if that is lighter than 1.

    An arc of weight 1 or more is none. Of equally light cycles those with few arcs are taken.

    Args:
        arcs: The graph.
        weight: Of each arc, at least 0.
        roots: Arcs.
        extra: What a cycle through the root weighs besides, for each root.
        most: With so many the search ends; with none found there are none, unless time is over.
        limit: The search ends with it.
        begin: Where among the heads of the roots to begin, so that repeated searches see all of them.

    Returns:
        Root and arcs of each cycle, the lightest first.
    """
    kept = weight < VIOLATED
    _, of = strong_components(arcs.size, arcs.source[kept], arcs.target[kept])
    kept &= of[arcs.source] == of[arcs.target]
    alive = kept[roots] & (weight[roots] + extra < VIOLATED)
    roots, extra = roots[alive], extra[alive]
    if not len(roots):
        return []
    vertices, small, numbers = _compressed(arcs, kept)
    inside = np.full(arcs.size, -1)
    inside[vertices] = np.arange(len(vertices))
    hop = min(1e-6, 1e-5 / len(vertices))
    matrix = small.matrix(weight[numbers] + hop)
    heads, head_of = np.unique(inside[arcs.target[roots]], return_inverse=True)
    step = max(1, min(CELLS // len(vertices), STEPS // (len(vertices) + small.count)))
    found: list[tuple[float, int, Numbers]] = []
    for chunk in _chunks(len(heads), step, begin):
        if len(found) >= most or (found and limit.is_over) or limit.left == 0:
            break
        limit.spend(4 * len(chunk) * (len(vertices) + small.count))
        distance, via = dijkstra(matrix, indices=heads[chunk], return_predecessors=True, limit=1.0)
        row_of = np.full(len(heads), -1)
        row_of[chunk] = np.arange(len(chunk))
        mine = np.nonzero(row_of[head_of] >= 0)[0]
        ends = inside[arcs.source[roots[mine]]]
        rows = row_of[head_of[mine]]
        total = distance[rows, ends] + weight[roots[mine]] + extra[mine]
        light = np.nonzero(total < VIOLATED)[0]
        paths = _paths(small, via.astype(np.int64), rows[light], ends[light])
        for one, path in zip(light.tolist(), paths, strict=True):
            root = int(roots[mine[one]])
            found.append((float(total[one]), root, np.append(numbers[path], root)))
    found.sort(key=lambda each: (each[0], each[1]))
    return [(root, cycle) for _, root, cycle in found]


def _compressed(arcs: Arcs, kept: Flags) -> tuple[Numbers, Arcs, Numbers]:
    numbers = np.nonzero(kept)[0]
    vertices, source = np.unique(arcs.source[numbers], return_inverse=True)
    target = np.searchsorted(vertices, arcs.target[numbers])
    return vertices, Arcs(len(vertices), source, target, arcs.cost[numbers]), numbers


def _chunks(count: int, step: int, begin: int) -> list[Numbers]:
    order = (np.arange(count) + begin) % max(count, 1)
    return [order[at : at + step] for at in range(0, count, step)]


def _paths(arcs: Arcs, via: Numbers, rows: Numbers, ends: Numbers) -> list[Numbers]:
    """Walk back from each end to the head of its row; returns the arcs of each walk."""
    walks: list[list[int]] = [[] for _ in range(len(rows))]
    who, at = np.arange(len(rows)), ends.astype(np.int64)
    while len(who):
        before = via[rows[who], at]
        going = before >= 0
        who, at, before = who[going], at[going], before[going]
        steps = np.searchsorted(arcs.keys, before * arcs.size + at)
        for walk, step in zip(who.tolist(), steps.tolist(), strict=True):
            walks[walk].append(step)
        at = before
    return [np.array(walk, np.int64) for walk in walks]


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
