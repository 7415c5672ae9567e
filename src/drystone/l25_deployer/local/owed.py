"""Changes that have happened already and that the disk had no room for yet.

What serves is not asked whether the disk is full: an instance has ended, a deploy was undone, an hour is over. Then
memory goes ahead, and the documents follow, in the same order, as soon as there is room. Until then they say what was
true before, and an agent that died meanwhile does the same again: everything that is owed may be done twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drystone.l00_kernel.shortage import DiskFull


class Owed:
    """Writes and removals in their order."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self.reason = ""
        """What kept the first of them from being done; empty when nothing is owed."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def do(self, change: Callable[[], None]) -> None:
        """Do something now, or after all that is owed when the disk has room."""
        self._waiting.append(change)
        self.try_to_settle()

    def try_to_settle(self) -> None:
        """Do as much as there is room for."""
        try:
            self.settle()
        except DiskFull as e:
            self.reason = e.message

    def settle(self) -> None:
        """Do all that is owed.

        Raises:
            DiskFull: There is still no room; the rest stays owed.
        """
        while self._waiting:
            self._waiting[0]()
            self._waiting.popleft()
        self.reason = ""
