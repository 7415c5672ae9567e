"""A large key comes over piece by piece.

As one value it would have to fit, several times, into what a server lets a connection buffer, which is a quarter of a small
cache's memory. It is put together under a name that nobody has, and takes its place in one step at the end. One that changes
meanwhile has to come again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from drystone.l10_engines.cache.contents import (
    count_of,
    expiries,
    in_pairs,
    lists,
    scan,
    strings,
)
from drystone.l10_engines.cache.wire import Wire, Word

_Commands = Iterator[tuple[Word, ...]]


def is_divisible(kind: bytes) -> bool:
    """Tell whether keys of a type can come over piece by piece; a stream, with those who read it, cannot."""
    return kind in _READERS


def copy(source: Wire, target: Wire, key: bytes, kind: bytes) -> None:
    """Let the target hold what the source does.

    Raises:
        Refused: A server does not want to.
        Unavailable: It does not answer.
    """
    made = b"drystone-move:" + secrets.token_hex(16).encode()
    for command in _READERS[kind](source, key, made, count_of(source, key)):
        target.ask(*command)
    expires = source.ask("PEXPIRETIME", key)
    if target.ask("EXISTS", made) == 0:  # it was removed before the first piece
        target.ask("UNLINK", key)
        return
    if isinstance(expires, int) and expires >= 0:
        target.ask("PEXPIREAT", made, max(expires, 1))
    target.ask_all([("RENAME", made, key)])  # one that has expired by now is gone at both ends


def _of_string(wire: Wire, key: bytes, made: bytes, _count: int) -> _Commands:
    for part in strings(wire, key):
        yield ("APPEND", made, part)


def _of_list(wire: Wire, key: bytes, made: bytes, count: int) -> _Commands:
    for part in lists(wire, key, count):
        yield ("RPUSH", made, *part)


def _of_set(wire: Wire, key: bytes, made: bytes, count: int) -> _Commands:
    for part in scan(wire, "SSCAN", key, count):
        yield ("SADD", made, *part)


def _of_sorted_set(wire: Wire, key: bytes, made: bytes, count: int) -> _Commands:
    for part in scan(wire, "ZSCAN", key, count):
        scored = (word for member, score in in_pairs(part) for word in (score, member))
        yield ("ZADD", made, *scored)


def _of_hash(wire: Wire, key: bytes, made: bytes, count: int) -> _Commands:
    for part in scan(wire, "HSCAN", key, count):
        yield ("HSET", made, *part)
        for field, expires in zip(part[::2], expiries(wire, key, part[::2]), strict=False):
            if expires >= 0:
                yield ("HPEXPIREAT", made, expires, "FIELDS", 1, field)


_READERS: dict[bytes, Callable[[Wire, bytes, bytes, int], _Commands]] = {
    b"string": _of_string,
    b"list": _of_list,
    b"set": _of_set,
    b"zset": _of_sorted_set,
    b"hash": _of_hash,
}
