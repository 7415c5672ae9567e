"""A copy of what a cache holds in a file, and a cache that is made of it; blocking calls.

Each entry is copied as the server writes it down (DUMP), with the moment at which it ends, and with a checksum of its own that the server sees to when
it is restored. Each is as it was when it was read: a cache has no moment of which all of it is. What ends by itself is copied and not counted, since it may have ended
when somebody counts again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import msgspec

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.moving import NEVER, CacheEnd, Value

_LENGTH = 8
_AT_ONCE = 4 << 20
"""Bytes of values that are restored at the same time."""


class Entries(msgspec.Struct, frozen=True):
    """How many entries there are that do not end, and a sum of their names that does not depend on the order."""

    count: int
    digest: str


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    database: int
    key: bytes
    payload: bytes
    expires: int


class _Adding:
    def __init__(self) -> None:
        self._count = self._sum = 0

    def add(self, database: int, key: bytes, expires: int) -> None:
        if expires == NEVER:
            said = msgspec.msgpack.encode([database, key])
            self._count += 1
            self._sum += int.from_bytes(hashlib.sha256(said).digest()[:8], "big")

    def entries(self) -> Entries:
        return Entries(self._count, str(self._sum))


def dump(access: CacheAccess, file: Path) -> Entries:
    """Copy every entry of a cache into a file that does not exist yet.

    Raises:
        Unavailable: The server does not answer.
        Refused: It does not want to.
        OSError: There is no room.
    """
    adding = _Adding()
    with closing(CacheEnd(access)) as end, file.open("xb") as out:
        for entry in _all(end):
            adding.add(entry.database, entry.key, entry.expires)
            said = msgspec.msgpack.encode(entry)
            out.write(len(said).to_bytes(_LENGTH, "big"))
            out.write(said)
    return adding.entries()


def load(file: Path, access: CacheAccess) -> None:
    """Write every entry of a copy into a cache.

    Raises:
        Unavailable: The server does not answer, or the file is no copy.
        Refused: It does not want to.
    """
    with closing(CacheEnd(access)) as end, file.open("rb") as content:
        _write(end, _read(content))


def contents(access: CacheAccess) -> Entries:
    """Read back what a cache holds, as :func:`dump` counts it.

    Raises:
        Unavailable: The server does not answer.
    """
    adding = _Adding()
    with closing(CacheEnd(access)) as end:
        for entry in _all(end):
            adding.add(entry.database, entry.key, entry.expires)
    return adding.entries()


def take_over(source: CacheAccess, target: CacheAccess) -> None:
    """Let a cache hold what another one holds, and nothing else; may be repeated.

    Raises:
        Unavailable: A server does not answer.
        Refused: It does not want to.
    """
    with closing(CacheEnd(source)) as one, closing(CacheEnd(target)) as other:
        other.clear()
        _write(other, _all(one))


def _all(end: CacheEnd) -> Iterator[_Entry]:
    for database in sorted(end.databases()):
        end.select(database)
        seen = set[bytes]()
        for page in end.pages():
            new = [key for key in page if key not in seen]
            seen.update(new)
            for portion in end.portions(new):
                values = end.values(portion.keys)
                for key, value in zip(portion.keys, values, strict=True):
                    if value is not None:
                        yield _Entry(database, key, value.payload, value.expires)


def _read(content: IO[bytes]) -> Iterator[_Entry]:
    while length := content.read(_LENGTH):
        try:
            yield msgspec.msgpack.decode(content.read(int.from_bytes(length, "big")), type=_Entry)
        except msgspec.MsgspecError as e:
            raise Unavailable(f"this is no copy of a cache: {e}") from e


def _write(end: CacheEnd, entries: Iterator[_Entry]) -> None:
    database, together, size = -1, list[tuple[bytes, Value | None]](), 0
    for entry in entries:
        if entry.database != database or size > _AT_ONCE:
            if together:
                end.write(together)
            together, size = [], 0
        if entry.database != database:
            database = entry.database
            end.select(database)
        together.append((entry.key, Value(entry.payload, entry.expires)))
        size += len(entry.payload)
    if together:
        end.write(together)
