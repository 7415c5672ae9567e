"""Tell whoever watches an operation how it goes, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from drystone.l25_deployer.api import DependencyFinding, Progress

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock

Listener: TypeAlias = "Callable[[Progress], None]"


class Teller:
    """Reports the progress of one operation.

    Args:
        listener: Is given every progress; it must not block.
        clock: Tells when.
        release: Number of the release concerned, once there is one.
    """

    def __init__(self, listener: Listener, clock: Clock, release: int | None = None) -> None:
        self._listener = listener
        self._clock = clock
        self.release = release

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[list[DependencyFinding]]:
        """Report that a step begins and, with the time it took, that it ended or failed.

        Yields:
            A list for what the step finds about dependencies, which is reported with its end.
        """
        begun = time.monotonic()
        found: list[DependencyFinding] = []
        self._listener(Progress(self._clock.now(), name, "began", text, release=self.release))
        try:
            yield found
        except BaseException:
            self._ended(name, "failed", text, begun, found)
            raise
        self._ended(name, "ended", text, begun, found)

    def info(self, name: str, text: str, *, url: str | None = None) -> None:
        """Report one line."""
        progress = Progress(self._clock.now(), name, "info", text, release=self.release, url=url)
        self._listener(progress)

    def _ended(
        self, name: str, state: str, text: str, begun: float, found: Iterable[DependencyFinding]
    ) -> None:
        seconds = round(time.monotonic() - begun, 4)
        self._listener(
            Progress(
                self._clock.now(),
                name,
                "ended" if state == "ended" else "failed",
                text,
                seconds,
                self.release,
                findings=tuple(found),
            )
        )
