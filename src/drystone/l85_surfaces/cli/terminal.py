"""Where a command's result goes: lines for a person, or JSON for a machine, on standard output.

With ``--json`` standard output carries JSON alone: one document, or one object per line when the answer is a
stream; a failure is an RFC 9457 problem document. Standard error carries what a person should read, in both
cases. Colours and live progress appear only on a terminal, and colours only if ``NO_COLOR`` is unset
(no-color.org) and ``TERM`` is not ``dumb``.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TextIO

from drystone.l00_kernel.visible import visible, visible_json

if TYPE_CHECKING:
    from collections.abc import Iterable


class Style(Enum):
    """What a piece of text means; the value is its SGR parameter (ECMA-48)."""

    GOOD = "32"
    BAD = "1;31"
    WARN = "33"
    NAME = "1"
    QUIET = "2"


LOG_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
"""SGR foreground colours (ECMA-48), handed out to instances in turn."""

_SGR = ("0", *(style.value for style in Style), *map(str, LOG_COLOURS))
_OURS = re.compile("(\x1b\\[(?:" + "|".join(_SGR) + ")m)")


def shown(text: str, *, colour: bool) -> str:
    """Return lines in which a terminal obeys line breaks, tabs and our own colours alone, whoever wrote the text."""
    pieces = _OURS.split(text) if colour else [text]
    return "".join(
        piece if colour and _OURS.fullmatch(piece) else "\n".join(map(visible, piece.split("\n")))
        for piece in pieces
    )


class Piece(NamedTuple):
    """Text with a meaning."""

    text: str
    style: Style | None = None


class Paint:
    """Colours pieces of text, or leaves them as they are.

    Args:
        colour: Whether the reader can show colours.
    """

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, style: Style | None) -> str:
        """Return the text as the reader should get it."""
        if not self.colour or style is None or not text:
            return text
        return f"\x1b[{style.value}m{text}\x1b[0m"


PLAIN = Paint(colour=False)


class Terminal:
    """The standard output of one command.

    Args:
        json: Whether a machine reads.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.live = not json and is_terminal(sys.stdout)
        self.paint = Paint(colour=not json and shows_colours(sys.stdout))

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None for a file or a pipe, where nothing is shortened."""
        return shutil.get_terminal_size().columns if self.live else None

    def line(self, text: str = "") -> None:
        """Write one line for a person at once; nothing when a machine reads."""
        if not self.json:
            print(shown(text, colour=self.paint.colour), flush=True)

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines for a person; nothing when a machine reads."""
        for line in lines:
            self.line(line)

    def text(self, text: str) -> None:
        """Write a text that other programs read: as it is, unless a terminal would obey what is in it.

        Nothing when a machine reads.
        """
        if self.json:
            return
        if self.live:
            self.lines(text.splitlines())
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()

    def document(self, value: object) -> None:
        """Write the one JSON document of this command; nothing when a person reads."""
        if self.json:
            import msgspec  # noqa: PLC0415 - for machines alone

            write_json(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def record(self, value: object) -> None:
        """Write one JSON object of a stream on a line of its own; nothing when a person reads."""
        if self.json:
            import msgspec  # noqa: PLC0415 - for machines alone

            write_json(msgspec.json.encode(value))


def write_json(document: bytes) -> None:
    """Write JSON and a line break: UTF-8 whatever the locale says (RFC 8259, 8.1)."""
    sys.stdout.flush()
    sys.stdout.buffer.write(visible_json(document.decode()).encode() + b"\n")
    sys.stdout.buffer.flush()


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person watches this stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def shows_colours(stream: TextIO) -> bool:
    """Tell whether colours are welcome on this stream."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def remark(text: str) -> None:
    """Tell the person something beside the result, on standard error."""
    print(shown(text, colour=shows_colours(sys.stderr)), file=sys.stderr, flush=True)
