"""When which part of a log was written: marks of offset and time, beside the log.

The log itself holds the service's bytes and nothing else, so time is kept apart: at most one mark a
second says how long the log was then. The file stays small by dropping marks of what is gone and
then every second one, which makes old times coarser.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import read_if_exists, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_SPACING = timedelta(seconds=1)
_MOST = 4096


class TimeIndex:
    """The marks of one log.

    Args:
        path: Their file; made with the first mark.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, datetime] | None = None
        self._count: int | None = None

    def mark(self, offset: int, now: datetime) -> None:
        """Note that everything before the offset had been written by now."""
        if self._count is None:
            marks = self._marks()
            self._count = len(marks)
            self._last = marks[-1] if marks else None
        if self._last is not None:
            is_same = offset <= self._last[0]
            # A clock that was set back must not keep marks away until it has caught up.
            if is_same or abs(now - self._last[1]) < _SPACING:
                return
        with self._path.open("ab") as stream:
            stream.write(_encode(offset, now))
        self._last = offset, now
        self._count += 1

    def offset_at(self, when: datetime) -> int:
        """Return an offset before which nothing was written after this time; 0 when unknown."""
        return max((offset for offset, time in self._marks() if time <= when), default=0)

    def thin(self, first: int) -> None:
        """Forget the marks before what the log still holds, and every second one if they are many."""
        if self._count is not None and self._count <= _MOST:
            return
        marks = self._marks()
        older = [mark for mark in marks if mark[0] < first][-1:]
        kept = older + [mark for mark in marks if mark[0] >= first]
        while len(kept) > _MOST // 2:
            kept = kept[:-1:2] + kept[-1:]
        write_atomically(self._path, b"".join(_encode(*mark) for mark in kept))
        self._count = len(kept)

    def _marks(self) -> list[tuple[int, datetime]]:
        content = read_if_exists(self._path) or b""
        complete = content[: content.rfind(b"\n") + 1]
        pairs = (line.split() for line in complete.splitlines())
        return [(int(pair[0]), datetime.fromtimestamp(int(pair[1]) / 1000, UTC)) for pair in pairs]


def _encode(offset: int, time: datetime) -> bytes:
    return b"%d %d\n" % (offset, round(time.timestamp() * 1000))
