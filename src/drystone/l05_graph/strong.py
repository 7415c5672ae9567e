"""Strong components, the graph of them, and heights: what every other analysis begins with.

Tarjan's strong components (SIAM J. Comput. 1(2), 1972) by ``scipy.sparse.csgraph``; heights by peeling off, wave after wave,
what rests on nothing else (Kahn, CACM 5(11), 1962), each wave in a few numpy operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from drystone.l05_graph.arrays import Numbers

MOST_WAVES = 2000
"""A chain that is longer is not worth walking where any order that is right will do."""
_MOST_WORDS = 4_000_000
"""So many words of bits are gathered at once: 32 MB."""


@dataclass(frozen=True, kw_only=True)
class Condensed:
    """A graph in which every strong component is one vertex.

    Attributes:
        count: How many components there are.
        of: The component of each vertex.
        source: Of each edge between two components, once.
        target: The same.
        sizes: How many vertices each component has.
    """

    count: int
    of: Numbers
    source: Numbers
    target: Numbers
    sizes: Numbers


def strong_components(size: int, source: Numbers, target: Numbers) -> tuple[int, Numbers]:
    """Return how many strong components there are, and the component of each vertex."""
    if not len(source):
        return size, np.arange(size)
    matrix = csr_matrix((np.ones(len(source), np.int8), (source, target)), shape=(size, size))
    count, of = connected_components(matrix, directed=True, connection="strong")
    return int(count), of.astype(np.int64)


def ordered_components(
    size: int, begin: Numbers, source: Numbers, target: Numbers
) -> tuple[int, Numbers]:
    """Return how many strong components there are, and the one of each vertex, numbered such that all it needs have lower ones.

    Args:
        size: How many vertices there are.
        begin: Where the edges of each source begin, and where the last end.
        source: Ascending.
        target: Of each edge.
    """
    matrix = csr_matrix((np.ones(len(source), np.int8), target, begin), shape=(size, size))
    count, found = connected_components(matrix, directed=True, connection="strong")
    of = found.astype(np.int64)
    between = np.nonzero(of[source] != of[target])[0]
    height, left = _waves(count, of[source[between]], of[target[between]], most=MOST_WAVES)
    if left and not np.any(of[source] < of[target]):
        return int(
            count
        ), of  # They are in such an order already, as scipy does it now, which it does not promise.
    if left:
        height = heights(count, of[source[between]], of[target[between]])
    first = np.full(count, size)
    np.minimum.at(first, of, np.arange(size))
    rank = np.empty(count, np.int64)
    rank[np.lexsort((first, height))] = np.arange(count)
    return int(count), rank[of]


def condensed(size: int, source: Numbers, target: Numbers) -> Condensed:
    """Return the graph of strong components; it has no cycle."""
    count, of = strong_components(size, source, target)
    user, used = of[source], of[target]
    pairs = np.unique((user * count + used)[user != used])
    return Condensed(
        count=count,
        of=of,
        source=pairs // count if count else pairs,
        target=pairs % count if count else pairs,
        sizes=np.bincount(of, minlength=count),
    )


def heights(size: int, source: Numbers, target: Numbers) -> Numbers:
    """Return how high each vertex must lie: one more than the highest that it depends on, 0 when there is none.

    Raises:
        ValueError: The graph has a cycle.
    """
    found, left = _waves(size, source, target)
    if left:
        raise ValueError("the graph has a cycle, so that nothing in it has a height")
    return found


def _waves(
    size: int, source: Numbers, target: Numbers, most: float = float("inf")
) -> tuple[Numbers, int]:
    """Return the heights of those that so many waves reach, and how many are left."""
    # The users of each may come in any order, so that the sort need not be stable, which is faster.
    users, begins = source[np.argsort(target)], begin_of(target, size)
    missing = np.bincount(source, minlength=size)
    found = np.zeros(size, np.int64)
    wave, height, left = np.nonzero(missing == 0)[0], 0, size
    while len(wave) and height < most:
        found[wave] = height
        left -= len(wave)
        next_ones = users[spans(begins[wave], begins[wave + 1])]
        # A wave of a few vertices must not cost as much as the whole graph.
        if len(next_ones) * 4 < size:
            changed, fewer = np.unique(next_ones, return_counts=True)
            missing[changed] -= fewer
            wave = changed[missing[changed] == 0]
        else:
            fewer = np.bincount(next_ones, minlength=size)
            missing -= fewer
            wave = np.nonzero((missing == 0) & (fewer > 0))[0]
        height += 1
    return found, left


def begin_of(sorted_by: Numbers, size: int) -> Numbers:
    """Return where the entries of each vertex begin in an array that is ordered by vertex (CSR)."""
    return np.concatenate(([0], np.cumsum(np.bincount(sorted_by, minlength=size))))


def turned(size: int, begin: Numbers, target: Numbers) -> tuple[Numbers, Numbers]:
    """Order arcs that are ordered by source by target instead, and by source within.

    Args:
        size: How many vertices there are.
        begin: Where the arcs of each source begin, and where the last end.
        target: Of each arc.

    Returns:
        Where the arcs into each target begin, and the arcs in the new order.
    """
    shape = (size, size)
    other = csr_matrix((np.arange(len(target)), target, begin), shape=shape).tocsc()
    return other.indptr.astype(np.int64), other.data


def spans(begins: Numbers, ends: Numbers) -> Numbers:
    """Return all numbers of the ranges from each begin to its end, one range after the other."""
    counts = ends - begins
    shifts = np.repeat(begins - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    return shifts + np.arange(len(shifts))


def closure(of: Condensed) -> npt.NDArray[np.uint64]:
    """Return what each component needs, itself included, as rows of bits: bit ``v`` of row ``u`` says that u needs v.

    Takes ``count ** 2 / 8`` bytes.
    """
    words = (of.count + 63) // 64
    rows = np.zeros((of.count, words), np.uint64)
    every = np.arange(of.count)
    rows[every, every >> 6] = np.left_shift(np.uint64(1), (every & 63).astype(np.uint64))
    return gathered(rows, of.source, of.target, heights(of.count, of.source, of.target))


def gathered(
    marks: npt.NDArray[np.uint64], source: Numbers, target: Numbers, height: Numbers
) -> npt.NDArray[np.uint64]:
    """Return the marks of all that each vertex reaches, as rows of bits: height by height.

    Args:
        marks: Of each vertex by itself.
        source: Of each edge.
        target: The same.
        height: Of each vertex; edges lead downwards.
    """
    found = marks.copy()
    order = np.lexsort((source, height[source]))
    by_source, by_target = source[order], target[order]
    firsts = np.concatenate(([0], np.nonzero(np.diff(by_source))[0] + 1)) if len(order) else order
    levels = height[by_source[firsts]] if len(order) else firsts
    ends = np.append(firsts[1:], len(order))
    cuts = np.concatenate((np.nonzero(np.diff(levels))[0] + 1, [len(firsts)])).tolist()
    start = 0
    for cut in cuts:
        while start < cut:
            # Of a height, as many vertices at once as fit into a bounded piece of memory.
            room = firsts[start] + max(1, _MOST_WORDS // max(1, marks.shape[1]))
            stop = max(start + 1, min(cut, int(np.searchsorted(ends, room, side="right"))))
            begin, end = firsts[start], ends[stop - 1]
            below = np.bitwise_or.reduceat(
                found[by_target[begin:end]], firsts[start:stop] - begin, axis=0
            )
            found[by_source[firsts[start:stop]]] |= below
            start = stop
    return found
