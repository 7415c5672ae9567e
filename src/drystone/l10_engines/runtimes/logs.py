"""Read and bound the log of an instance while the instance appends to it.

The writer has the file open and knows nothing of us, so the file can neither be renamed nor
shortened behind its back without risk. Where the file system lets us, old lines are freed by punching
a hole at the head: no byte moves, every offset keeps its meaning for the log's whole life, and
nothing that is written meanwhile can be lost. (The file's apparent size grows; its space on the disk
does not.) Disk space beyond the end is set aside for it, so that an instance can write when the disk is
full; on a full disk that space is taken from the log's own head. Elsewhere the content is copied to ``log.old`` and the log is emptied: lines that are
written between the last copy and the emptying, some microseconds, are lost.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.shortage import is_full
from drystone.l10_engines.runtimes import holes
from drystone.l10_engines.runtimes.log_lines import LineSplitter, LogLine
from drystone.l10_engines.runtimes.log_times import TimeIndex

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from datetime import datetime
    from pathlib import Path

DEFAULT_SIZE = 20 * 1024 * 1024
RESERVE = 256 * 1024
"""Bytes that an instance can write however full the disk is."""

MOST_READ = 8 * DEFAULT_SIZE
"""No more than this of a log's end counts: an instance may lengthen its log by a hole of any size (ftruncate(2))."""

_PIECE = 64 * 1024
_POLL = timedelta(milliseconds=100)


class LogFile:
    """The log of one instance, for one reader or keeper.

    Offsets count bytes from the beginning of the log's life, whatever has been removed since. The methods
    that are not async read the disk; a reader of a large log calls them in a thread.

    Args:
        path: The file that the instance appends to; it need not exist yet.
        may_punch: False keeps from punching holes, for file systems that do it badly.
    """

    def __init__(self, path: Path, *, may_punch: bool = True) -> None:
        self._path = path
        self._old = path.with_name(f"{path.name}.old")
        self._base_file = path.with_name(f"{path.name}.base")
        self._times = TimeIndex(path.with_name(f"{path.name}.times"))
        self._may_punch = may_punch

    def span(self) -> tuple[int, int]:
        """Return the offsets of the first byte that is kept and of the end."""
        base = self._base()
        old = _size(self._old) if base else 0
        size = _size(self._path)
        if old or not size:
            first = base - old
        else:
            with self._path.open("rb") as stream:
                first = base + holes.first_data(stream.fileno())
        return max(first, base + size - MOST_READ), base + size

    def tail(self, lines: int) -> list[LogLine]:
        """Return the last lines, oldest first, with a last one that is not complete yet."""
        first, end = self.span()
        return list(self.lines(self._back(lines, first, end), end))

    def lines(self, offset: int, end: int | None = None) -> Iterator[LogLine]:
        """Iterate over the lines from an offset on.

        Args:
            offset: Where to begin; in the middle of a line, at the next one.
            end: Where to stop; now's end when omitted. A line that is cut by it is not complete.
        """
        first, now = self.span()
        end = now if end is None else end
        splitter = LineSplitter(self._line_start(max(offset, first), end))
        while piece := self._read(splitter.position, min(_PIECE, end - splitter.position)):
            yield from splitter.feed(piece)
        if (rest := splitter.rest()) is not None:
            yield rest

    async def follow(
        self, offset: int, *, ended: asyncio.Event | None = None
    ) -> AsyncGenerator[LogLine, None]:
        """Iterate over the lines from an offset on, and over those still to come.

        A line is given when its newline has been written. What is removed before it was read is skipped.

        Args:
            offset: Where to begin.
            ended: Once this is set, the iteration ends with what the log holds then.
        """
        first, end = self.span()
        splitter = LineSplitter(self._line_start(max(offset, first), end))
        seen: tuple[int, int] | None = None
        while True:
            is_last = ended is not None and ended.is_set()
            now = (_size(self._path), _size(self._base_file))
            if now == seen and not is_last:  # the common case, and hundreds may follow
                await _pause(ended)
                continue
            seen = now
            first, end = self.span()
            if splitter.position < first:
                splitter = LineSplitter(self._line_start(first, end))
            piece = self._read(splitter.position, min(_PIECE, end - splitter.position))
            for line in splitter.feed(piece):
                yield line
            if piece:
                await asyncio.sleep(0)
                seen = None  # there may be more
            elif is_last:
                break
            else:
                await _pause(ended)
        if (rest := splitter.rest()) is not None:
            yield rest

    def bound(self, most: int = DEFAULT_SIZE) -> None:
        """Remove the oldest part when the log holds more than this many bytes; at least half stays."""
        first, end = self.span()
        if end - first > most:
            keep = most * 3 // 4
            if not (self._may_punch and self._punch(end - keep)):
                self._move_away(most // 2)
            first, _ = self.span()
        self._times.thin(first)

    def reserve(self) -> None:
        """Set disk space aside for the next lines; where there is none, take it from the oldest ones.

        Raises:
            OSError: The disk is full, and the log has too little to give up.
        """
        if not self._may_punch:
            return
        with suppress(FileNotFoundError), self._path.open("r+b", buffering=0) as stream:
            for length in (RESERVE, RESERVE // 2):
                if _set_aside(stream.fileno(), length):
                    return
            holes.punch_head(stream.fileno(), max(0, _size(self._path) - RESERVE // 8))
            for length in (RESERVE // 2, RESERVE // 4):
                if _set_aside(stream.fileno(), length):
                    return
            holes.set_aside(stream.fileno(), RESERVE // 8)

    def mark(self, now: datetime) -> None:
        """Note how long the log is now, for :meth:`offset_at`; more than once a second does nothing."""
        _, end = self.span()
        if end:
            self._times.mark(end, now)

    def offset_at(self, when: datetime) -> int:
        """Return an offset from which :meth:`lines` gives everything that was written after this time.

        The first lines may be older by the distance of two marks.
        """
        return self._times.offset_at(when)

    def _base(self) -> int:
        return int(read_if_exists(self._base_file) or 0)

    def _read(self, offset: int, size: int) -> bytes:
        if size <= 0:
            return b""
        base = self._base()
        if offset >= base:
            place, path = offset - base, self._path
        else:
            place, path = offset - base + _size(self._old), self._old
            size = min(size, base - offset)
        if place < 0:  # removed meanwhile
            return b""
        try:
            with path.open("rb") as stream:
                stream.seek(place)
                return stream.read(size)
        except FileNotFoundError:
            return b""

    def _line_start(self, offset: int, end: int) -> int:
        """Return the offset, or that of the next line when it is in the middle of one that ends."""
        if offset == 0 or self._read(offset - 1, 1) == b"\n":
            return offset
        position = offset
        while piece := self._read(position, min(_PIECE, end - position)):
            newline = piece.find(b"\n")
            if newline >= 0:
                return position + newline + 1
            position += len(piece)
        return offset

    def _back(self, lines: int, first: int, end: int) -> int:
        """Return where the last so many lines begin."""
        if lines <= 0:
            return end
        # A newline as the very last byte ends the last line and begins none.
        wanted = lines + (self._read(end - 1, 1) == b"\n") if end else lines
        position = end
        while position > first:
            begin = max(first, position - _PIECE)
            piece = self._read(begin, position - begin)
            count = piece.count(b"\n")
            if count >= wanted:
                place = len(piece)
                for _ in range(wanted):
                    place = piece.rfind(b"\n", 0, place)
                return begin + place + 1
            wanted -= count
            position = begin
        return first

    def _punch(self, end: int) -> bool:
        if self._base_file.exists():  # this file system could not do it before
            return False
        with self._path.open("r+b", buffering=0) as stream:
            return holes.punch_head(stream.fileno(), end)

    def _move_away(self, most: int) -> None:
        """Copy the newest part to the old file and empty the log."""
        base = self._base()
        new = self._old.with_name(f"{self._old.name}.new")
        with self._path.open("r+b", buffering=0) as log, new.open("wb") as old:
            new.chmod(0o600)
            log.seek(max(0, os.fstat(log.fileno()).st_size - most))
            shutil.copyfileobj(log, old, _PIECE)
            old.flush()
            while piece := log.read(_PIECE):  # what came while we copied
                old.write(piece)
                old.flush()
            copied = log.tell()
            log.truncate(0)
        new.replace(self._old)
        write_atomically(self._base_file, b"%d" % (base + copied))


async def _pause(ended: asyncio.Event | None) -> None:
    if ended is None:
        await asyncio.sleep(_POLL.total_seconds())
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_POLL.total_seconds()):
            await ended.wait()


def length_of(path: Path) -> int | None:
    """Return the length of a log, whatever of it is still there; None where there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - of hundreds every other second, and twice as fast
    except FileNotFoundError:
        return None


def _set_aside(descriptor: int, length: int) -> bool:
    """Return False when the disk has no room for it."""
    try:
        holes.set_aside(descriptor, length)
    except OSError as e:
        if not is_full(e):
            raise
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
