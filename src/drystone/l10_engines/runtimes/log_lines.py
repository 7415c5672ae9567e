"""Cut what a service wrote into lines that are safe to show on a terminal.

A service may write anything: binary garbage, a line of a hundred megabytes, control sequences that
repaint the screen of whoever reads the log. Colours are dropped; everything else that a terminal would
act upon is shown as an escape.
"""

from __future__ import annotations

import re

import msgspec

from drystone.l00_kernel.visible import visible

LONGEST_LINE = 32 * 1024
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


class LogLine(msgspec.Struct, frozen=True):
    """One line of a log.

    Attributes:
        offset: Where it begins, in bytes from the beginning of the log's life.
        end: Where the next one begins.
        text: What it says, safe for a terminal, without its newline.
        is_complete: False for a last line that has no newline yet.
    """

    offset: int
    end: int
    text: str
    is_complete: bool = True


def safe_text(raw: bytes) -> str:
    r"""Return text that a terminal shows and never obeys; what is not UTF-8 appears as ``\xNN``."""
    text = _COLOUR.sub(b"", raw.removesuffix(b"\r")).decode(errors="backslashreplace")
    return visible(text)


class LineSplitter:
    """Makes lines of pieces, whatever their borders; never holds more than a piece and one line.

    Args:
        offset: Where the first piece begins.
        longest: Bytes of a line that are kept; the rest is counted.
    """

    def __init__(self, offset: int, longest: int = LONGEST_LINE) -> None:
        self._start = offset
        self._position = offset
        self._longest = longest
        self._kept = bytearray()

    @property
    def position(self) -> int:
        """Where the next piece begins."""
        return self._position

    def feed(self, piece: bytes) -> list[LogLine]:
        """Take the next piece; return the lines that it completes."""
        lines = []
        begin = 0
        while (newline := piece.find(b"\n", begin)) >= 0:
            self._keep(piece, begin, newline)
            self._position += newline + 1 - begin
            lines.append(self._line(is_complete=True))
            begin = newline + 1
        self._keep(piece, begin, len(piece))
        self._position += len(piece) - begin
        return lines

    def rest(self) -> LogLine | None:
        """Return the last line when it has no newline, and begin anew after it."""
        return self._line(is_complete=False) if self._position > self._start else None

    def _keep(self, piece: bytes, begin: int, end: int) -> None:
        room = self._longest - len(self._kept)
        self._kept += piece[begin : min(end, begin + room)]

    def _line(self, *, is_complete: bool) -> LogLine:
        text = safe_text(bytes(self._kept))
        cut = self._position - self._start - len(self._kept) - is_complete
        if cut:
            text = f"{text} … cut {cut} bytes"
        line = LogLine(self._start, self._position, text, is_complete)
        self._start = self._position
        self._kept.clear()
        return line
