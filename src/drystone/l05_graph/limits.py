"""How long an optimiser may go on, and what it tells while it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an optimiser has come.

    Attributes:
        doing: What it does now.
        cost: Of the best answer so far.
        bound: No answer is cheaper than this.
        elapsed: Since it began.
    """

    doing: str
    cost: float
    bound: float
    elapsed: timedelta


OnProgress = Callable[[Progress], None]


def say_nothing(_: Progress) -> None:
    """Take notice of no progress."""


class Limit:
    """A time limit that has begun; the one place in which optimisers read a clock.

    Args:
        length: How long; without an end when None.
        clock: Returns seconds and never goes back.
    """

    def __init__(
        self, length: timedelta | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._end = float("inf") if length is None else self._began + length.total_seconds()

    @property
    def elapsed(self) -> timedelta:
        """How long ago it began."""
        return timedelta(seconds=self._clock() - self._began)

    @property
    def left(self) -> float:
        """How many seconds are left, not below 0; infinite without an end."""
        return max(0.0, self._end - self._clock())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._clock() >= self._end

    def part(self, share: float) -> Limit:
        """Return a limit that begins now and takes this share of what is left."""
        left = self.left
        return Limit(None if left == float("inf") else timedelta(seconds=share * left), self._clock)
