"""Room on the disk that is kept for the moment in which there is none.

An undo, a rollback and a removal are what helps when the disk is full, and each has to write a few small documents; an
engine that a full disk has ended needs some room to come back. So a few files lie ready that hold nothing: when a
document finds no room, one of them goes, with its bytes and its place in the table of files, and the document is
written at once. When there is room again, the reserve is filled up.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from drystone.l00_kernel.shortage import LEAST_BYTES, DiskFull, is_full, room_at

T = TypeVar("T")

FILES = 16
SIZE = 64 * 1024
"""Of each file, in bytes: more than the longest document of a service has in practice."""


class Reserve:
    """Files that make room by going away.

    Args:
        folder: Where they lie, on the file system that they are for; made when they are.
        files: How many.
        size: Bytes of each.
    """

    def __init__(self, folder: Path, *, files: int = FILES, size: int = SIZE) -> None:
        self._folder = folder
        self._files = files
        self._size = size

    def fill(self) -> None:
        """Make what is missing, as long as nobody else lacks the room."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(self._files):
            path = self._folder / str(number)
            if path.exists() or not self._has_room():
                continue
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            except OSError as e:
                path.unlink(missing_ok=True)
                if not is_full(e):
                    raise
            finally:
                os.close(descriptor)

    def write(self, work: Callable[[], T]) -> T:
        """Write something, from the reserve if there is no other room.

        Args:
            work: Writes it, or raises ``DiskFull`` and leaves nothing; may be called again.

        Raises:
            DiskFull: The reserve is used up.
        """
        while True:
            try:
                return work()
            except DiskFull:
                if not self.give_way():
                    raise

    def _has_room(self) -> bool:
        room = room_at(self._folder)
        return not room.is_full and room.bytes - self._size >= LEAST_BYTES

    def give_way(self, *, keep: int = 0) -> bool:
        """Give up a file, with its bytes, if more than ``keep`` are left; return whether there was one."""
        for path in sorted(self._folder.glob("*"))[keep:]:
            try:
                path.unlink(missing_ok=True)
            except OSError as e:
                if not is_full(e):
                    raise
                return False  # it is read-only
            return True
        return False
