"""Searches that take a while: watched on a terminal, kept within their time, ended by Ctrl-C with the best answer so far."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import remark
from drystone.l85_surfaces.cli.views.deps.text import cost, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from rich.status import Status

    from drystone.l05_graph.limits import Progress
    from drystone.l05_graph.moves import Search
    from drystone.l85_surfaces.cli.dependencies.options import Source
    from drystone.l85_surfaces.cli.dependencies.reading import Given
    from drystone.l85_surfaces.cli.options import Shared
    from drystone.l85_surfaces.cli.terminal import Terminal


LAST = timedelta(milliseconds=100)
"""What a process takes to come and go besides."""


class Ends:
    """When a command has to have its answer.

    Made as the first thing that a command does, so that loading libraries and reading files count as well.

    Args:
        length: From now.
    """

    def __init__(self, length: timedelta) -> None:
        self._began = time.monotonic()
        self._length = length

    @property
    def elapsed(self) -> timedelta:
        """How long ago it began."""
        return timedelta(seconds=time.monotonic() - self._began)

    @property
    def left(self) -> timedelta:
        """How long a search may take, so that there is time to tell what it found."""
        left = self._length - self.elapsed
        return max(timedelta(milliseconds=10), left - min(left * 0.03, timedelta(seconds=1)) - LAST)


class Answer(Protocol):
    """What an optimiser returns."""

    @property
    def cost(self) -> float:
        """What it costs."""

    @property
    def bound(self) -> float:
        """No answer costs less."""

    @property
    def is_proven(self) -> bool:
        """Whether nothing cheaper exists."""


@contextmanager
def stopped_by_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; the second ends the command.

    Yields:
        The event: somebody wants the best answer so far.
    """
    stop = threading.Event()

    def press(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Watch:
    """Shows how far a search has come, on a terminal: the best answer, the bound, the gap, the time.

    A context manager. What is shown goes to standard error and is gone in the end, so that the answer stands alone.

    Args:
        out: Where the answer goes.
    """

    out: Terminal

    def __post_init__(self) -> None:
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self.out.live:
            from rich.console import Console  # noqa: PLC0415 - a tenth of a second, for terminals only

            console = Console(no_color=not self.out.paint.colour, stderr=True)
            self._status = console.status("looking at the model")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()

    def say(self, text: str) -> None:
        """Show what goes on."""
        if self._status:
            self._status.update(visible(text).replace("[", r"\["))

    def search(self, one: Progress) -> None:
        """Show how far an optimiser has come."""
        if self._status:
            gap = (one.cost - one.bound) / one.cost if one.cost > 0 else 0.0
            self.say(
                f"{one.doing}: cost {cost(one.cost)}, at least {cost(one.bound)}"
                f" (gap {percent(gap)}), {one.elapsed.total_seconds():.0f} s; Ctrl-C takes the best so far"
            )


@dataclass(frozen=True, kw_only=True)
class Found:
    """How a search ended.

    Attributes:
        cost: Of the answer.
        bound: No answer costs less.
        is_proven: Whether the two are the same.
        elapsed: How long the command took.
        was_stopped: Whether somebody pressed Ctrl-C.
    """

    cost: float
    bound: float
    is_proven: bool
    elapsed: timedelta
    was_stopped: bool

    @classmethod
    def of(cls, answer: Answer, ends: Ends, *, was_stopped: bool) -> Self:
        """Take from an answer how good it is."""
        return cls(
            cost=answer.cost,
            bound=answer.bound,
            is_proven=answer.is_proven,
            elapsed=ends.elapsed,
            was_stopped=was_stopped,
        )

    @property
    def gap(self) -> float:
        """Share of the cost, 0 to 1, that may be too much."""
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0

    def sentence(self) -> str:
        """Say how good the answer is."""
        took = f"in {self.elapsed.total_seconds():.1f} s"
        if self.is_proven:
            return f"nothing cheaper exists (proven {took})"
        why = "stopped by Ctrl-C" if self.was_stopped else f"the time was over {took}"
        return f"nothing costs less than {cost(self.bound)}, so at most {percent(self.gap)} of it are too much; {why}"

    def tell_interrupt(self) -> None:
        """Remark that the answer is the best so far."""
        if self.was_stopped:
            remark("stopped: this is the best answer so far")


AnAnswer = TypeVar("AnAnswer", bound=Answer)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a search is to work on, and for how long.

    Attributes:
        survey: Names the model.
        source: The same, by an option.
        shared: Names the home.
        time_limit: From the start of the command.
        seed: Equal ones make equal searches.
    """

    survey: str | None
    source: Source
    shared: Shared
    time_limit: timedelta
    seed: int


def searched(
    wanted: Wanted, out: Terminal, look: Callable[[Given, Search], AnAnswer]
) -> tuple[Given, AnAnswer, Found]:
    """Read a model and search in it, watched, within the time, until Ctrl-C at most.

    Args:
        wanted: Where and how long.
        out: Where the answer goes.
        look: Searches; what takes long to load is loaded there, so that its time counts.

    Returns:
        The model, the answer, and how the search ended.
    """
    ends = Ends(wanted.time_limit)
    from drystone.l85_surfaces.cli.dependencies.reading import given  # noqa: PLC0415 - its time counts

    with stopped_by_interrupt() as stop, Watch(out) as watch:
        model = given(wanted.survey, wanted.source, wanted.shared)
        from drystone.l05_graph.moves import Search  # noqa: PLC0415 - loads scipy

        search = Search(time_limit=ends.left, seed=wanted.seed, on_progress=watch.search, stop=stop)
        answer = look(model, search)
        found = Found.of(answer, ends, was_stopped=stop.is_set())
    found.tell_interrupt()
    return model, answer, found
