"""Reading a file that may be huge, packed, cut, damaged or not what it was said to be, in bounded memory.

The digest of what was read is that of the unpacked content, so that a log and its packed copy are one batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

import msgspec

from drystone.l05_graph.ingest.packed import MAGIC, unpacked
from drystone.l05_graph.ingest.source import Skips, Stream, Unreadable

LONGEST_LINE = 1 << 20
"""In bytes; a longer line is left out."""
LARGEST_DOCUMENT = 256 << 20
"""In bytes, of what has to be read as a whole."""

NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading JSON raises when it is none, is of another shape, is not UTF-8, or is nested without end."""

BLANK = b"\r\t "
"""What does not count at the end of a line."""
_BOM = b"\xef\xbb\xbf"
_REFUSED = (
    (b"\xff\xfe\x00\x00", "is UTF-32; save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "is UTF-32; save it as UTF-8"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd; unpack it, or pack it with gzip"),
    (b"\xfd7zXZ\x00", "is packed with xz; unpack it, or pack it with gzip"),
    (b"BZh", "is packed with bzip2; unpack it, or pack it with gzip"),
    (b"PK\x03\x04", "is a zip archive; unpack it"),
    (b"PAR1", "is a Parquet file, which vpc-flow alone reads, by its rows"),
)
_LONGEST_BEGIN = max(len(begin) for begin, _ in _REFUSED)


class Reading:
    """One file while it is read.

    Args:
        stream: The file.
    """

    def __init__(self, stream: Stream) -> None:
        self.name = stream.name
        self.seen: datetime | None = stream.seen
        self.skips = Skips()
        self.line = 0
        self.cut = False
        """Whether the line that was read last has no end, so that it may be a part of one."""
        self._hash = hashlib.sha256()
        self._content = self._unpacked(iter(stream.chunks))
        self._begin: bytes | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what was read so far, in hexadecimal."""
        return self._hash.hexdigest()

    def place(self) -> str:
        """Name the line that was read last."""
        return f"{self.name}:{self.line}"

    def skip(self, reason: str) -> None:
        """Leave out the line that was read last."""
        self.skips.add("the last line was cut" if self.cut else reason, self.place())

    def begin(self) -> bytes:
        """Look at the first bytes, without taking them away; at most as many as came in one piece.

        Raises:
            Unreadable: The file is damaged, or of a kind that is refused.
        """
        if self._begin is None:
            self._begin, self._content = _opened(self._content)
        return self._begin

    def lines(self, longest: int = LONGEST_LINE) -> Iterator[bytes]:
        """Read it line by line, without line ends; blank lines are passed over, too long ones left out.

        Raises:
            Unreadable: It is no text, damaged, or unpacks to far more than its size.
        """
        for block in self.blocks(longest):
            for piece in block:
                self.line += 1
                if line := piece.rstrip(BLANK):
                    yield line

    def blocks(self, longest: int = LONGEST_LINE) -> Iterator[list[bytes]]:
        """Read the lines that came in one piece together, for whoever counts them himself: each adds one to ``line``.

        Lines keep what is blank at their end (:data:`BLANK`); blank ones are there, too long ones are left out.

        Raises:
            Unreadable: It is no text, damaged, or unpacks to far more than its size.
        """
        rest, too_long = bytearray(), False
        for chunk in self._text():
            pieces = chunk.split(b"\n")
            last = pieces.pop()
            if pieces:
                if too_long:
                    pieces[0], too_long = b"", False
                    self._too_long(longest)
                elif rest:
                    pieces[0] = bytes(rest) + pieces[0]
                rest.clear()
                if len(max(pieces, key=len)) > longest:
                    yield from self._short(pieces, longest)
                else:
                    yield pieces
            rest += last
            if len(rest) > longest:  # what follows of this line is not held either
                too_long = True
                rest.clear()
        if too_long:
            self._too_long(longest)
            self.line += 1
        elif rest.rstrip(BLANK):
            self.cut = True
            yield [bytes(rest)]

    def _short(self, pieces: list[bytes], longest: int) -> Iterator[list[bytes]]:
        """Give the lines one by one, so that each that is left out has its number."""
        for piece in pieces:
            if len(piece) > longest:
                self._too_long(longest)
            yield [piece if len(piece) <= longest else b""]

    def whole(self, largest: int = LARGEST_DOCUMENT, *, text: bool = False) -> bytes:
        """Read all of it.

        Args:
            largest: How large it may be, in bytes.
            text: Whether it has to be a text.

        Raises:
            Unreadable: It is too large, damaged, or of a kind that is refused.
        """
        found = bytearray()
        for chunk in self._text() if text else self._content:
            found += chunk
            if len(found) > largest:
                raise Unreadable(
                    f"{self.name} has more than {largest >> 20} MiB, and has to be read as a whole; divide it"
                )
        return bytes(found)

    def _too_long(self, longest: int) -> None:
        """Leave out the line that comes next."""
        reason = f"the line has more than {longest:,} bytes"
        self.skips.add(reason, f"{self.name}:{self.line + 1}")

    def _text(self) -> Iterator[bytes]:
        for chunk in self._content:
            if b"\0" in chunk:
                raise Unreadable(
                    f"{self.name} has NUL bytes, so it is UTF-16 or no text; save it as UTF-8"
                )
            yield chunk

    def frames(self, largest: int = LARGEST_DOCUMENT) -> Iterator[bytes]:
        """Read messages that have their length, four bytes with the largest first, before them.

        Raises:
            Unreadable: A message is too large, or the file is damaged.
        """
        held = bytearray()
        for chunk in self._content:
            held += chunk
            while len(held) >= 4:
                end = 4 + int.from_bytes(held[:4], "big")
                if end > largest:
                    raise Unreadable(f"{self.name} has a message of more than {largest >> 20} MiB")
                if len(held) < end:
                    break
                self.line += 1
                yield bytes(held[4:end])
                del held[:end]
        if held:
            self.line += 1
            self.skips.add("the last message was cut", self.place())

    def _unpacked(self, packed: Iterator[bytes]) -> Iterator[bytes]:
        begin, chunks = _opened(packed)
        if begin.startswith(MAGIC):
            begin, chunks = _opened(unpacked(chunks, self.name, self.skips))
        for known, what in _REFUSED:
            if begin.startswith(known):
                raise Unreadable(f"{self.name} {what}")
        for chunk in chunks:
            self._hash.update(chunk)
            if begin:
                begin = b""
                yield chunk.removeprefix(_BOM)
            else:
                yield chunk


def _opened(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the begin of a file, and all of it with the begin in one piece."""
    begin = b""
    for chunk in chunks:
        begin += chunk
        if len(begin) >= _LONGEST_BEGIN:
            break
    return begin, chain((begin,) if begin else (), chunks)
