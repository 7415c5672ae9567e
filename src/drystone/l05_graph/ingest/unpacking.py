"""Files that may be compressed, unpacked within a limit."""

from __future__ import annotations

import lzma
import zlib
from typing import Protocol

from drystone.l05_graph.ingest.source import File, Unreadable

MOST_BYTES = 512 * 1024 * 1024
"""So many bytes are unpacked from one file; a bomb has more."""
_PIECE = 1024 * 1024
_MEMORY = 128 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\x00"
_OTHERS = {
    b"\x04\x22\x4d\x18": ("LZ4", "unpack it: /usr/lib/apt/apt-helper cat-file FILE"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unpack it: zstd -d FILE"),
    b"BZh": ("bzip2", "unpack it: bunzip2 FILE"),
}


class _Unpacker(Protocol):
    eof: bool

    def step(self, data: bytes, most: int) -> bytes: ...

    def rest(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self.eof = False

    def step(self, data: bytes, most: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, most)
        self.eof = self._inner.eof
        return found

    def rest(self) -> bytes:
        return self._inner.unused_data


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        self.eof = False

    def step(self, data: bytes, most: int) -> bytes:
        found = self._inner.decompress(data, most)
        self.eof = self._inner.eof
        return found

    def rest(self) -> bytes:
        return self._inner.unused_data


def unpacked(file: File, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file, unpacked if it is compressed by gzip or xz.

    Args:
        file: Which.
        most: So many bytes at most.

    Raises:
        Unreadable: It is compressed otherwise, broken or cut, or it has more.
    """
    content = file.content
    for magic, (name, help_) in _OTHERS.items():
        if content.startswith(magic):
            raise Unreadable(f"{file.name}: the file is compressed by {name}; {help_}")
    kind: type[_Gzip | _Xz] | None = None
    if content.startswith(_GZIP):
        kind = _Gzip
    elif content.startswith(_XZ):
        kind = _Xz
    if kind is None:
        if len(content) > most:
            raise _too_large(file, most)
        return content
    try:
        return _all_parts(file, kind, most)
    except (zlib.error, lzma.LZMAError) as error:
        raise Unreadable(f"{file.name}: the compressed file is broken: {error}") from error


def _all_parts(file: File, kind: type[_Gzip | _Xz], most: int) -> bytes:
    """Unpack all streams of a file, one behind the other."""
    found: list[bytes] = []
    size, left = 0, file.content
    while left.rstrip(b"\0"):
        one: _Unpacker = kind()
        data = left
        while not one.eof:
            piece = one.step(data, _PIECE)
            data = b""
            if not piece and not one.eof:
                raise Unreadable(f"{file.name}: the compressed file ends too early; was it cut?")
            size += len(piece)
            if size > most:
                raise _too_large(file, most)
            found.append(piece)
        left = one.rest()
    return b"".join(found)


def _too_large(file: File, most: int) -> Unreadable:
    return Unreadable(f"{file.name}: the file holds more than {most:,} bytes; divide it")
