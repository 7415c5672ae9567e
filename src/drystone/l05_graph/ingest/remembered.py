"""What was looked up in an inventory of endpoints, remembered for as long as it holds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Generic, TypeVar

from drystone.l05_graph.ingest.endpoints import Endpoints

MOST_REMEMBERED = 1 << 16
"""So many addresses or names are remembered of one stretch of time before all are forgotten."""

Known = TypeVar("Known")


class Remembered(Generic[Known]):
    """What was found, by stretches of time in which an inventory says the same.

    Args:
        endpoints: The inventory.
        make: Makes what holds it for one stretch of time.
    """

    def __init__(self, endpoints: Endpoints, make: Callable[[], Known]) -> None:
        self._ends = (float("-inf"), *endpoints.moments, float("inf"))
        self._make = make
        self._every: dict[int, Known] = {}
        self._begin = self._until = float("-inf")
        self._now = make()

    def at(self, at: float) -> Known:
        """Return what was found at that time."""
        if not self._begin <= at < self._until:
            place = bisect_right(self._ends, at)
            self._begin, self._until = self._ends[place - 1], self._ends[place]
            if place not in self._every:
                self._every[place] = self._make()
            self._now = self._every[place]
        return self._now
