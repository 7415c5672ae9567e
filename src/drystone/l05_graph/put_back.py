"""Put arcs back that were dropped and need not have been."""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.limits import Limit


def put_back(arcs: Arcs, place: Numbers, limit: Limit) -> Numbers:
    """Return places in which an arc leads upwards only if it closes a cycle with those that do not.

    What leads upwards is tried again, the dearest first, and the order is mended around each that closes no cycle (Pearce and
    Kelly, JEA 11, 2007). The result never costs more. Stops early when time is over.
    """
    up = arcs.back(place)
    dropped = np.nonzero(up)[0]
    order = _Order(arcs, place, up)
    for number, arc in enumerate(
        dropped[np.argsort(-arcs.finite[dropped], kind="stable")].tolist()
    ):
        if number % 64 == 0 and limit.is_over:
            break
        order.add(int(arcs.source[arc]), int(arcs.target[arc]))
    return np.array(order.place, np.int64)


class _Order:
    """An order of the vertices in which no arc leads upwards, while arcs are added."""

    def __init__(self, arcs: Arcs, place: Numbers, up: np.ndarray) -> None:
        self.place: list[int] = place.tolist()
        self._needs: list[list[int]] = [[] for _ in range(arcs.size)]
        self._users: list[list[int]] = [[] for _ in range(arcs.size)]
        for source, target in zip(
            arcs.source[~up].tolist(), arcs.target[~up].tolist(), strict=True
        ):
            self._needs[source].append(target)
            self._users[target].append(source)

    def add(self, source: int, target: int) -> bool:
        """Add an arc, unless it closes a cycle."""
        place = self.place
        if place[source] < place[target]:
            met = self._between(source, target)
            if met is None:
                return False
            self._mend(*met)
        self._needs[source].append(target)
        self._users[target].append(source)
        return True

    def _between(self, source: int, target: int) -> tuple[list[int], list[int]] | None:
        """Return what the target needs and what needs the source, as far as it lies between; None when they meet.

        Both searches go on by turns, so that whether they meet is known by the smaller one.
        """
        place = self.place
        lowest, highest = place[source], place[target]
        below, above = [target], [source]
        seen_below, seen_above = {target}, {source}
        down = up = 0
        while down < len(below) or up < len(above):
            if down < len(below):
                for other in self._needs[below[down]]:
                    if other in seen_above:
                        return None
                    if place[other] > lowest and other not in seen_below:
                        seen_below.add(other)
                        below.append(other)
                down += 1
            if up < len(above):
                for other in self._users[above[up]]:
                    if other in seen_below:
                        return None
                    if place[other] < highest and other not in seen_above:
                        seen_above.add(other)
                        above.append(other)
                up += 1
        return below, above

    def _mend(self, low: list[int], high: list[int]) -> None:
        by_place = self.place.__getitem__
        moved = sorted(low, key=by_place) + sorted(high, key=by_place)
        for vertex, where in zip(moved, sorted(map(by_place, moved)), strict=True):
            self.place[vertex] = where
