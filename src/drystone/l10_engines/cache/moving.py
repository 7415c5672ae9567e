"""One end of a move of keys: what it holds, and how a key comes over; blocking calls.

A key comes over as the server itself writes it down (DUMP), with the moment at which it expires, and takes the place of what
was there (RESTORE): any type, in one step, as often as one likes. Large ones come in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from typing_extensions import override

from drystone.l10_engines.cache import pieces
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.contents import digest
from drystone.l10_engines.cache.resp import Refused
from drystone.l10_engines.cache.wire import Changes, Wire, bytes_in, number_in, page_in

NEVER = -1
"""When a key expires that does not."""

PAGE = 500
"""Keys that are asked for at once."""

AT_ONCE = 4 << 20
"""Bytes of values that are on their way at the same time; a larger one comes in pieces, unless it is a stream."""


class Portion(msgspec.Struct, frozen=True):
    """Keys whose values can be on their way at the same time.

    Attributes:
        keys: At least one.
        kind: The type of a key that comes alone and in pieces; nothing for others.
    """

    keys: list[bytes]
    kind: bytes = b""


class Value(msgspec.Struct, frozen=True):
    """What a key holds, as its server writes it down.

    Attributes:
        payload: For RESTORE.
        expires: Milliseconds since 1970, or ``NEVER``.
    """

    payload: bytes
    expires: int


class About(msgspec.Struct, frozen=True):
    """What a server tells of itself.

    Attributes:
        version: Of Redis, which Valkey tells as well, for clients.
        life: Another one after each start.
        is_alone: Whether it is neither a replica nor one of a cluster.
        is_durable: Whether what it holds outlives it.
        has_functions: Whether it holds functions, which are no keys.
        evicted: Keys that it has dropped since it started, to make room.
    """

    version: str
    life: str
    is_alone: bool
    is_durable: bool
    has_functions: bool
    evicted: int


class CacheEnd:
    """A server and who may use it. Not to be shared between threads.

    Every method raises ``Unavailable`` when the server does not answer, and ``Refused`` when it does not want to.

    Args:
        access: Who may read it; at the new end also write.
    """

    def __init__(self, access: CacheAccess) -> None:
        self.access = access
        self._wire: Wire | None = None

    @override
    def __str__(self) -> str:
        return f"{self.access.host}:{self.access.port}/{self.access.database}"

    def open(self) -> None:
        """Connect, anew if need be, and hear from now on what others change."""
        self.close()
        self._wire = Wire(self.access)
        self._wire.listen()

    def close(self) -> None:
        """End the connection. Idempotent."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    @property
    def _open(self) -> Wire:
        if self._wire is None:
            self.open()
        assert self._wire is not None  # noqa: S101 - opened above
        return self._wire

    def about(self) -> About:
        """Return what the server tells of itself."""
        said = self._info("server") | self._info("replication") | self._info("persistence")
        said |= self._info("cluster") | self._info("stats")
        (functions,) = self._open.ask_all([("FUNCTION", "LIST")])
        return About(
            version=said.get("redis_version", ""),
            life=said.get("run_id", ""),
            is_alone=said.get("role") == "master" and said.get("cluster_enabled") != "1",
            is_durable=said.get("aof_enabled") == "1",
            has_functions=isinstance(functions, list) and bool(functions),
            evicted=int(told) if (told := said.get("evicted_keys", "")).isdecimal() else 0,
        )

    def databases(self) -> set[int]:
        """Return the numbers of the databases that hold keys."""
        names = (name.removeprefix("db") for name in self._info("keyspace"))
        return {int(name) for name in names if name.isdecimal()}

    def select(self, database: int) -> None:
        """Take what follows for this database."""
        self._open.ask("SELECT", database)

    def clear(self) -> None:
        """Remove every key of every database."""
        self._open.ask("FLUSHALL", "SYNC")

    def may_restore(self) -> None:
        """Make sure that keys may be restored here; nothing is."""
        try:
            self._open.ask("RESTORE", "drystone", 0, b"nothing")
        except Refused as e:
            if "payload" not in str(e):
                raise

    def take_changes(self) -> Changes:
        """Return which keys others have changed since the last time."""
        return self._open.take_changes()

    def pages(self) -> Iterator[list[bytes]]:
        """List the keys of the database; one that is there all the while is listed once at least."""
        cursor: bytes = b"0"
        while True:
            cursor, found = page_in(self._open.ask("SCAN", cursor, "COUNT", PAGE))
            if found:
                yield list(dict.fromkeys(found))
            if cursor == b"0":
                return

    def portions(self, keys: Sequence[bytes]) -> Iterator[Portion]:
        """Divide keys by the memory that they take here."""
        sizes = self._open.ask_all([("MEMORY", "USAGE", key) for key in keys])
        together, total = list[bytes](), 0
        for key, size in zip(keys, sizes, strict=True):
            known = size if isinstance(size, int) else 0
            if known > AT_ONCE and pieces.is_divisible(kind := self._kind(key)):
                yield Portion([key], kind)
                continue
            if together and total + known > AT_ONCE:
                yield Portion(together)
                together, total = [], 0
            together.append(key)
            total += known
        if together:
            yield Portion(together)

    def _kind(self, key: bytes) -> bytes:
        return bytes_in(self._open.ask("TYPE", key))

    def copy(self, key: bytes, kind: bytes, target: CacheEnd) -> None:
        """Let a key at the target hold what it holds here, piece by piece."""
        pieces.copy(self._open, target._open, key, kind)

    def expires(self, key: bytes) -> int:
        """Return when a key expires: milliseconds since 1970, ``NEVER``, or less when it is not there."""
        return number_in(self._open.ask("PEXPIRETIME", key))

    def values(self, keys: Sequence[bytes]) -> list[Value | None]:
        """Return what keys hold; None for one that is not there."""
        asked = [(name, key) for key in keys for name in ("DUMP", "PEXPIRETIME")]
        said = _all(self._open.ask_all(asked))
        pairs = zip(said[::2], said[1::2], strict=True)
        return [
            Value(payload, expires)
            if isinstance(payload, bytes) and isinstance(expires, int) and expires >= NEVER
            else None
            for payload, expires in pairs
        ]

    def write(self, pairs: Sequence[tuple[bytes, Value | None]]) -> None:
        """Let keys hold these values in place of what they held; None removes one."""
        _all(self._open.ask_all([_restoring(key, value) for key, value in pairs]))

    def present(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell of each key whether it is there."""
        return [said == 1 for said in _all(self._open.ask_all([("EXISTS", key) for key in keys]))]

    def digest(self, key: bytes) -> bytes:
        """Return a digest of what a key means, the same at servers that write it down differently; see `contents.py`."""
        return digest(self._open, key)

    def _info(self, section: str) -> dict[str, str]:
        said = self._open.ask("INFO", section)
        text = said.decode(errors="replace") if isinstance(said, bytes) else ""
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _restoring(key: bytes, value: Value | None) -> tuple[bytes | str | int, ...]:
    if value is None:
        return ("UNLINK", key)
    if value.expires == NEVER:
        return ("RESTORE", key, 0, value.payload, "REPLACE")
    # A moment of 0 would mean never.
    return ("RESTORE", key, max(value.expires, 1), value.payload, "REPLACE", "ABSTTL")


def _all(answers: Sequence[object]) -> Sequence[object]:
    """Return answers of which none is a refusal.

    Raises:
        Refused: The first that is.
    """
    for answer in answers:
        if isinstance(answer, Refused):
            raise answer
    return answers
