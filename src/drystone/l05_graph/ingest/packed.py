"""Unpacking gzip piece by piece, in bounded memory, and refusing what unpacks without measure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from drystone.l05_graph.ingest.source import Skips, Unreadable

MAGIC = b"\x1f\x8b"
MOST_TIMES = 300
"""So many times its size may a packed file have unpacked; logs have ten to fifty times."""
ALWAYS = 64 << 20
"""So many bytes may a file unpack to, however small it is."""
_STEP = 1 << 20


def unpacked(packed: Iterable[bytes], name: str, skips: Skips) -> Iterator[bytes]:
    """Unpack a gzip file of one or several members, as log rotation puts them behind each other.

    Args:
        packed: Its bytes in pieces.
        name: What to call it in messages.
        skips: Where it is noted that its end is missing.

    Raises:
        Unreadable: It is damaged, or unpacks to more than :data:`MOST_TIMES` its size.
    """
    return _Unpacking(name, skips).run(packed)


class _Unpacking:
    def __init__(self, name: str, skips: Skips) -> None:
        self._name = name
        self._skips = skips
        self._inflate = zlib.decompressobj(31)
        self._is_inside = False
        self._taken = self._given = 0

    def run(self, packed: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in packed:
            self._taken += len(chunk)
            left = chunk if self._is_inside else chunk.lstrip(b"\0")
            while left:
                piece = self._inflated(left)
                if piece:
                    yield piece
                left = self._left()
        if self._is_inside:
            self._skips.add("the packed file was cut; what came before was read", self._name)

    def _inflated(self, chunk: bytes) -> bytes:
        self._is_inside = True
        try:
            piece = self._inflate.decompress(chunk, _STEP)
        except zlib.error as error:
            raise Unreadable(
                f"{self._name} is damaged after {self._given:,} unpacked bytes; take another copy"
            ) from error
        self._given += len(piece)
        if self._given > max(ALWAYS, MOST_TIMES * self._taken):
            raise Unreadable(
                f"{self._name} unpacks to more than {MOST_TIMES} times its size, which no log does"
            )
        return piece

    def _left(self) -> bytes:
        """Return what is still to be unpacked of the piece; behind the end of a member the next one begins."""
        if not self._inflate.eof:
            return self._inflate.unconsumed_tail
        rest = self._inflate.unused_data.lstrip(b"\0")
        self._inflate = zlib.decompressobj(31)
        self._is_inside = False
        return rest
