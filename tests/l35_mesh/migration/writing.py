"""Somebody who writes to what moves, from a thread, and remembers what was acknowledged."""

from __future__ import annotations

import abc
import threading
from typing import ClassVar, Self


class Writing(abc.ABC):
    """Writes from entry to exit; :attr:`enough` is set by the writer itself when there is something to move.

    Attributes:
        written: How many changes were acknowledged.
        refused: How many were refused, since nobody might write.
    """

    more: ClassVar[int]
    """How many changes are some more."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.enough = threading.Event()
        self.written = 0
        self.refused = 0
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.enough.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def until_more(self) -> None:
        """Wait until some more is written, or nothing may be any more."""
        before = self.written
        while self.written < before + self.more and not self.refused:
            assert self._thread.is_alive()
            self._stop.wait(0.005)

    @abc.abstractmethod
    def _write(self) -> None:
        """Write until ``_stop`` is set."""
