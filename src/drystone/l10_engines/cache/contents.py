"""What a key means, whatever its server's version and way to keep it: a digest to compare two servers by.

Two servers write the same set down in different orders, since each has a secret of its own by which it keeps them. So each type is
read in parts of bounded size and digested in an order that does not depend on the server, or in none. It tells the truth
of a key that nobody changes meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from drystone.l10_engines.cache.resp import Refused
from drystone.l10_engines.cache.wire import Answer, Wire, Word, bytes_in, list_in, page_in

PIECE = 1 << 20
"""Bytes of a string that are asked for at once."""

_MOST_ITEMS = 1000
_NOT_THERE = b""
_COUNTING = ("LLEN", "SCARD", "ZCARD", "HLEN", "XLEN")


class UnknownType(Refused):
    """A key is of a type that this does not know, which a module of the server has brought along."""


def digest(wire: Wire, key: bytes) -> bytes:
    """Return the digest of what a key holds, without when it expires; empty when it is not there.

    Takes about 100 bytes of memory for each member of a set, hash or sorted set.

    Raises:
        UnknownType: It holds something of a type that is not known here.
        Refused: The server does not let it be read.
        Unavailable: It does not answer.
    """
    kind = bytes_in(wire.ask("TYPE", key))
    if kind == b"none":
        return _NOT_THERE
    reader = _READERS.get(kind)
    if reader is None:
        raise UnknownType(f"a key of type {kind.decode(errors='replace')[:40]}, which is not known")
    total = hashlib.sha256(kind)
    for part in reader(wire, key, count_of(wire, key)):
        total.update(part)
    return total.digest()


def count_of(wire: Wire, key: bytes) -> int:
    """Return how many members of a key to ask for at once: about a megabyte, if all are equally large."""
    size, *counts = wire.ask_all(
        [("MEMORY", "USAGE", key), *((command, key) for command in _COUNTING)]
    )
    members = next((one for one in counts if isinstance(one, int)), 1)  # the others are refused
    each = size // max(1, members) if isinstance(size, int) else 1
    return max(1, min(_MOST_ITEMS, PIECE // max(1, each)))


def _of_string(wire: Wire, key: bytes, _count: int) -> Iterator[bytes]:
    return strings(wire, key)


def strings(wire: Wire, key: bytes) -> Iterator[bytes]:
    """Return what a string holds, in parts."""
    at = 0
    while part := bytes_in(wire.ask("GETRANGE", key, at, at + PIECE - 1)):
        yield part
        at += len(part)


def lists(wire: Wire, key: bytes, count: int) -> Iterator[list[bytes]]:
    """Return what a list holds, about so many at once."""
    at = 0
    while part := [bytes_in(one) for one in list_in(wire.ask("LRANGE", key, at, at + count - 1))]:
        yield part
        at += len(part)


def scan(wire: Wire, command: str, key: bytes, count: int) -> Iterator[list[bytes]]:
    """List the members of a key, about so many at once; what is there all the while is told once at least."""
    cursor = b"0"
    while True:
        cursor, part = page_in(wire.ask(command, key, cursor, "COUNT", count))
        if part:
            yield part
        if cursor == b"0":
            return


def in_pairs(part: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Return members with what belongs to them."""
    return zip(part[::2], part[1::2], strict=False)


def _of_list(wire: Wire, key: bytes, count: int) -> Iterator[bytes]:
    for part in lists(wire, key, count):
        yield from (_sealed([one]) for one in part)


def _of_set(wire: Wire, key: bytes, count: int) -> Iterator[bytes]:
    yield _unordered(_sealed([one]) for part in scan(wire, "SSCAN", key, count) for one in part)


def _of_sorted_set(wire: Wire, key: bytes, count: int) -> Iterator[bytes]:
    yield _unordered(
        _sealed([member, _score(score)])
        for part in scan(wire, "ZSCAN", key, count)
        for member, score in in_pairs(part)
    )


def _score(written: bytes) -> bytes:
    """Write a score in one way; servers have several."""
    try:
        return repr(float(written)).encode()
    except ValueError:
        return written


def _of_hash(wire: Wire, key: bytes, count: int) -> Iterator[bytes]:
    def sealed() -> Iterator[bytes]:
        for part in scan(wire, "HSCAN", key, count):
            moments = expiries(wire, key, part[::2])
            for (field, value), expires in zip(in_pairs(part), moments, strict=False):
                yield _sealed([field, value, _text(expires)])

    yield _unordered(sealed())


def expiries(wire: Wire, key: bytes, fields: list[bytes]) -> list[int]:
    """Return when fields of a hash expire, in milliseconds since 1970, or a negative number.

    Servers before Redis 7.4 and Valkey 9 have none that do.
    """
    (said,) = wire.ask_all([("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)])
    if isinstance(said, list) and len(said) == len(fields):
        return [one if isinstance(one, int) else -1 for one in said]
    return [-1] * len(fields)


def _of_stream(wire: Wire, key: bytes, count: int) -> Iterator[bytes]:
    about = _named(wire.ask("XINFO", "STREAM", key))
    names = (b"length", b"last-generated-id", b"max-deleted-entry-id", b"entries-added")
    yield _sealed(_text(about.get(name)) for name in names)
    for entry in _from_first(wire, ("XRANGE", key), ("+", "COUNT", count)):
        yield _sealed(_text(one) for one in (entry[0], *list_in(entry[-1])))
    for said in list_in(wire.ask("XINFO", "GROUPS", key)):
        group = _named(said)
        marks = (b"name", b"last-delivered-id", b"entries-read")
        yield _sealed(_text(group.get(mark)) for mark in marks)
        yield from _of_group(wire, key, bytes_in(group.get(b"name")), count)


def _of_group(wire: Wire, key: bytes, group: bytes, count: int) -> Iterator[bytes]:
    """Digest who reads a stream and what was not acknowledged; for how long is another thing at every look."""
    consumers = list_in(wire.ask("XINFO", "CONSUMERS", key, group))
    yield _unordered(_sealed([_text(_named(one).get(b"name"))]) for one in consumers)
    for entry in _from_first(wire, ("XPENDING", key, group), ("+", count)):
        yield _sealed([_text(entry[0]), _text(entry[1]), _text(entry[-1])])


def _from_first(
    wire: Wire, before: tuple[Word, ...], behind: tuple[Word, ...]
) -> Iterator[list[Answer]]:
    """List entries, each of which begins with its number, some at once."""
    first = b"-"
    while part := list_in(wire.ask(*before, first, *behind)):
        entries = [list_in(one) for one in part]
        if any(len(entry) < 2 for entry in entries):
            return
        yield from entries
        first = b"(" + bytes_in(entries[-1][0])


_READERS: dict[bytes, Callable[[Wire, bytes, int], Iterator[bytes]]] = {
    b"string": _of_string,
    b"list": _of_list,
    b"set": _of_set,
    b"zset": _of_sorted_set,
    b"hash": _of_hash,
    b"stream": _of_stream,
}


def _sealed(parts: Iterable[bytes]) -> bytes:
    """Digest parts so that where one ends and the next begins matters."""
    sealed = hashlib.sha256()
    for part in parts:
        sealed.update(len(part).to_bytes(8, "big"))
        sealed.update(part)
    return sealed.digest()


def _unordered(digests: Iterator[bytes]) -> bytes:
    """Digest a set: what a server tells twice while it reorders itself counts once, and in no order."""
    once = {int.from_bytes(one[:16], "big") for one in digests}
    return _sealed([len(once).to_bytes(8, "big"), sum(once).to_bytes(40, "big")])


def _named(said: Answer) -> dict[bytes, Answer]:
    """Read a map of RESP3, which comes as names and values in turn."""
    parts = list_in(said)
    names = (bytes_in(name) for name in parts[::2])
    return dict(zip(names, parts[1::2], strict=False))


def _text(value: Answer) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
