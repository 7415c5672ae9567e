"""Who needs whom, for all at once: answers in about a microsecond, however far the way is.

Up to some twenty thousand components, everything that each needs is kept as bits (:class:`Closure`). Beyond that,
:class:`Labels` answers most questions from what is known of the two alone, and searches for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.arrays import Flags, Graph, Numbers
from drystone.l05_graph.strong import Condensed, begin_of, closure, condensed, gathered, heights

MOST_FOR_BITS = 20_000
_HUBS = 512
_ENDS = 256


class Closure:
    """Everything that each vertex needs, as bits.

    Takes ``components ** 2 / 8`` bytes: 0.5 MB for 2,000, 50 MB for 20,000.

    Args:
        graph: Where.
        edges: Which of its edges count; all when None.
    """

    def __init__(self, graph: Graph, edges: Flags | None = None) -> None:
        self._whole = _condensed(graph, edges)
        self._of: list[int] = self._whole.of.tolist()
        self._bits = closure(self._whole)
        self._rows = [row.tobytes() for row in self._bits]

    def needs(self, source: int, target: int) -> bool:
        """Whether a vertex needs another, over any number of steps, or is it."""
        bit = self._of[target]
        return bool(self._rows[self._of[source]][bit >> 3] >> (bit & 7) & 1)

    def closes_circle(self, source: int, target: int) -> bool:
        """Whether a new dependency of ``source`` on ``target`` would be part of a circle."""
        return self.needs(target, source)

    def counts(self) -> Numbers:
        """Return how many vertices each needs, itself included."""
        sizes = self._whole.sizes
        if (sizes == 1).all():
            mine = np.bitwise_count(self._bits).sum(axis=1, dtype=np.int64)
        else:
            bits = np.unpackbits(self._bits.view(np.uint8), axis=1, bitorder="little")
            mine = bits[:, : self._whole.count] @ sizes
        return np.asarray(mine, dtype=np.int64)[self._whole.of]


def _condensed(graph: Graph, edges: Flags | None) -> Condensed:
    chosen = slice(None) if edges is None else edges
    return condensed(graph.size, graph.source[chosen], graph.target[chosen])


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of each strong component.

    Attributes:
        height: One more than the highest that it needs.
        reaches: The hubs that it needs, as bits.
        reached: The hubs that need it.
        ends: A hash of the lowest components that it needs, as bits.
        begins: A hash of the highest components that need it.
    """

    height: list[int]
    reaches: list[int]
    reached: list[int]
    ends: list[int]
    begins: list[int]


class Labels:
    """What tells quickly whether one vertex needs another, in a graph of any size.

    Three kinds of labels, computed in one sweep up and one down: the height; which of some *hubs*, well connected vertices,
    it reaches and is reached by; and hashes of the lowest it reaches and the highest it is reached by. A hub between the two
    proves that one needs the other; whoever needs another reaches all hubs and ends that the other does and is reached from
    all hubs and beginnings only that reach the other, which nearly always disproves it. What is left is searched for,
    pruned by the same labels. (Yildirim, Chaoji, Zaki, "GRAIL", VLDB 2010, for the pruned search; Lyu, Li, He, Gong, "DBL",
    DASFAA 2021, for the two kinds of bit labels.)

    Args:
        graph: Where.
        edges: Which of its edges count; all when None.
        hubs: How many hubs.
    """

    def __init__(self, graph: Graph, edges: Flags | None = None, *, hubs: int = _HUBS) -> None:
        whole = _condensed(graph, edges)
        self._of: list[int] = whole.of.tolist()
        order = np.argsort(whole.source, kind="stable")
        begins = begin_of(whole.source, whole.count).tolist()
        targets = whole.target[order].tolist()
        self._below = [targets[start:end] for start, end in pairwise(begins)]
        self._known = _known(whole, hubs)

    def needs(self, source: int, target: int) -> bool:
        """Whether a vertex needs another, over any number of steps, or is it."""
        one, other = self._of[source], self._of[target]
        if one == other:
            return True
        known = self._known
        if known.height[one] <= known.height[other]:
            return False
        if known.reaches[one] & known.reached[other]:
            return True
        if (
            known.reaches[other] & ~known.reaches[one]
            or known.reached[one] & ~known.reached[other]
            or known.ends[other] & ~known.ends[one]
            or known.begins[one] & ~known.begins[other]
        ):
            return False
        return self._search(one, other)

    def closes_circle(self, source: int, target: int) -> bool:
        """Whether a new dependency of ``source`` on ``target`` would be part of a circle."""
        return self.needs(target, source)

    def _search(self, one: int, other: int) -> bool:
        """Search for the way, where no hub lies on it: through what the labels do not rule out."""
        known, below = self._known, self._below
        height, reaches, reached = known.height, known.reaches, known.reached
        ends, begins = known.ends, known.begins
        lowest, hubs, from_hubs = height[other], reaches[other], reached[other]
        lows, highs = ends[other], begins[other]
        seen = {one}
        waiting = [one]
        while waiting:
            for vertex in below[waiting.pop()]:
                if vertex == other:
                    return True
                if vertex in seen or height[vertex] <= lowest:
                    continue
                seen.add(vertex)
                if not (
                    hubs & ~reaches[vertex]
                    or reached[vertex] & ~from_hubs
                    or lows & ~ends[vertex]
                    or begins[vertex] & ~highs
                ):
                    waiting.append(vertex)
        return False


def _known(whole: Condensed, hubs: int) -> _Known:
    height = heights(whole.count, whole.source, whole.target)
    depth = heights(whole.count, whole.target, whole.source)
    users = np.bincount(whole.target, minlength=whole.count)
    needs = np.bincount(whole.source, minlength=whole.count)
    # A hub lies on many ways: many lead to it and many from it.
    weight = (users + 1.0) * (needs + 1.0) * np.minimum(whole.sizes, 64)
    chosen = np.argsort(-weight, kind="stable")[:hubs]
    marks = _marks(whole.count, chosen, np.arange(len(chosen)), hubs)
    lowest, highest = np.nonzero(needs == 0)[0], np.nonzero(users == 0)[0]
    ends = _marks(whole.count, lowest, _hash(lowest), _ENDS)
    begins = _marks(whole.count, highest, _hash(highest), _ENDS)
    return _Known(
        height=height.tolist(),
        reaches=_integers(gathered(marks, whole.source, whole.target, height)),
        reached=_integers(gathered(marks, whole.target, whole.source, depth)),
        ends=_integers(gathered(ends, whole.source, whole.target, height)),
        begins=_integers(gathered(begins, whole.target, whole.source, depth)),
    )


def _hash(vertices: Numbers) -> Numbers:
    # Fibonacci hashing: neighbours get bits that are far from each other.
    scattered = vertices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (scattered >> np.uint64(40)).astype(np.int64) % _ENDS


def _marks(count: int, vertices: Numbers, bits: Numbers, width: int) -> npt.NDArray[np.uint64]:
    marks = np.zeros((count, -(-width // 64)), np.uint64)
    one = np.left_shift(np.uint64(1), (bits & 63).astype(np.uint64))
    marks[vertices, bits >> 6] = one
    return marks


def _integers(rows: npt.NDArray[np.uint64]) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]
