"""Reading on in a log that a proxy appends to, and that is moved away when it has grown.

How much is read at once is bounded. When more was appended meanwhile, the begin of it is passed over, and its bytes are counted.
"""

from __future__ import annotations

import os
from pathlib import Path

MOST_AT_ONCE = 4 << 20
"""Bytes that are read at once; what came before them since the last time is passed over."""


class Followed:
    """A log, and the one before it, which was moved to ``<name>.1``.

    Args:
        path: Of the log; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = path.with_name(f"{path.name}.1")
        self._places: dict[tuple[int, int], int] = {}
        self.passed_over = 0
        """Bytes that nobody has read."""

    def lines(self) -> list[bytes]:
        """Return the whole lines that were appended since the last time, from the log before first.

        A file that is smaller than it was begins anew. What cannot be opened now is read the next time.
        """
        found: list[bytes] = []
        places: dict[tuple[int, int], int] = {}
        for path in (self._before, self._path):
            try:
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    key = (status.st_dev, status.st_ino)
                    if key in places:  # it was moved away between the two
                        continue
                    begin = self._places.get(key, 0)
                    begin = begin if begin <= status.st_size else 0
                    start = max(begin, status.st_size - MOST_AT_ONCE)
                    file.seek(start)
                    content = file.read(status.st_size - start)
            except OSError:
                continue
            whole, newline, _ = content.rpartition(b"\n")
            places[key] = start + len(whole) + len(newline)
            if start > begin:
                cut, _, whole = whole.partition(b"\n")  # the first line may lack its begin
                self.passed_over += start - begin + len(cut)
            found += whole.split(b"\n") if whole else []
        self._places = places
        return found
