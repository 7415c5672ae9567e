"""What was read from the tables, and is believed for a moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Generic, TypeVar

from drystone.l00_kernel.clock import Clock

V = TypeVar("V")

FRESH = timedelta(milliseconds=500)
"""How long."""

_MOST_KEPT = 20_000


class Brief(Generic[V]):
    """Values that are believed for :data:`FRESH`.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str | bytes, tuple[timedelta, V]] = {}

    def get(self, key: str | bytes) -> V | None:
        """Return what is believed; None where nothing is."""
        found = self._kept.get(key)
        if found is None or self._clock.monotonic() - found[0] >= FRESH:
            return None
        return found[1]

    def put(self, key: str | bytes, value: V, since: timedelta) -> None:
        """Believe a value.

        Args:
            key: Its own.
            value: What was read.
            since: Monotonic moment at which reading it began.
        """
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (since, value)

    def clear(self) -> None:
        """Believe nothing any more."""
        self._kept.clear()
