"""How long an optimiser may go on, what it tells while it does, and how good its answer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

Result = TypeVar("Result")

ATTENTION_S = 0.05
STEPS = 10_000_000
"""So many elementary steps, such as looking at an arc, take about a second on a quiet machine."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an optimiser has come.

    Attributes:
        doing: What it does now.
        cost: Of the best answer so far; of a schedule, how long it takes.
        bound: No answer is cheaper than this.
        elapsed: Since it began.
    """

    doing: str
    cost: float
    bound: float
    elapsed: timedelta


@dataclass(frozen=True, kw_only=True)
class Proven:
    """An answer that comes with how good it is.

    Attributes:
        cost: Of it.
        bound: No answer costs less.
    """

    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """Share of the cost, 0 to 1, that may be too much."""
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0

    @property
    def is_proven(self) -> bool:
        """Whether nothing cheaper exists."""
        return self.cost - self.bound <= 1e-6 * max(1.0, self.cost)


OnProgress = Callable[[Progress], None]


def say_nothing(_: Progress) -> None:
    """Take notice of no progress."""


class Effort:
    """A clock that goes on by the work that is done, so that a limit ends the same search at the same place everywhere.

    Its seconds are those of a quiet machine, about.
    """

    def __init__(self) -> None:
        self._done = 0.0

    def __call__(self) -> float:
        """Return how much has been done."""
        return self._done

    def spend(self, steps: float) -> None:
        """Go on by so many elementary steps."""
        self._done += steps / STEPS


class Limit:
    """A time limit that has begun; the one place in which optimisers read a clock.

    Args:
        length: How long; without an end when None.
        clock: Returns seconds and never goes back.
        stop: Once it is set the limit is over: somebody wants the best answer so far.
    """

    def __init__(
        self,
        length: timedelta | None,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
    ) -> None:
        self._clock = clock
        self._stop = stop
        self._effort = clock if isinstance(clock, Effort) else None
        self._began = clock()
        self._end = float("inf") if length is None else self._began + length.total_seconds()

    @property
    def elapsed(self) -> timedelta:
        """How long ago it began."""
        return timedelta(seconds=self._clock() - self._began)

    @property
    def left(self) -> float:
        """How many seconds are left, not below 0; infinite without an end."""
        return 0.0 if self._is_stopped else max(0.0, self._end - self._clock())

    @property
    def solver_seconds(self) -> float:
        """How long a solver may go on by its own clock; infinite where effort counts instead of time."""
        return float("inf") if self._effort else max(self.left, 0.01)

    @property
    def steps_left(self) -> float:
        """How many elementary steps are left where effort counts; infinite where time does."""
        return self.left * STEPS if self._effort else float("inf")

    def spend(self, steps: float) -> None:
        """Tell how many elementary steps have been done, for where effort counts."""
        if self._effort:
            self._effort.spend(steps)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self._is_stopped or self._clock() >= self._end

    @property
    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def part(self, share: float) -> Limit:
        """Return a limit that begins now and takes this share of what is left."""
        left = self.left
        length = None if left == float("inf") else timedelta(seconds=share * left)
        return Limit(length, self._clock, self._stop)

    def attend(self, work: Callable[[], Result]) -> Result | None:
        """Return the result of something that nobody can stop; None when it is not worth waiting for any more.

        A solver hears of no interrupt until it returns. So it works in a thread of its own if there may be one, and is left
        to itself when that comes.
        """
        if self._stop is None:
            return work()
        found: list[Result] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                found.append(work())
            except BaseException as error:  # noqa: BLE001 - it is raised below
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive() and not self._is_stopped:
            thread.join(ATTENTION_S)
        if failed:
            raise failed[0]
        return found[0] if found else None
