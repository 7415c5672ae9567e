"""A copy of one resource in a file, and a resource that is made of it, beside everything else in its account.

A copy is what the simulator holds of the resource at one moment: nothing else happens while it is taken. Of a table it is the items, of a queue the messages, of a stream the
records, of a key the key. What the resource is declared to be is not in it: that stays as the descriptor says it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

import msgspec

from drystone.l10_engines.aws import parts, simulator
from drystone.l10_engines.aws.declarations import Declaration, Key, Queue, Stream, Table
from drystone.l10_engines.aws.declaring import key_name, letters_name, queue_name
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.orders import Contents
from drystone.l10_engines.aws.simulator import COLLECTIONS, Collection

_FORMAT = 1
_ALIASES = "kms.aliases"
_BY_NAME = {one.name: one for one in COLLECTIONS}


class _Entry(msgspec.Struct, frozen=True):
    """One entry of the simulator.

    Attributes:
        collection: Of which collection.
        key: By which it is found there.
        rest: What is small of it.
        parts: The others, in their order.
    """

    collection: str
    key: str
    rest: bytes
    parts: list[tuple[str, bytes]]


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds."""

    format: int = _FORMAT
    entries: list[_Entry]

    def contents(self) -> Contents:
        """Return how much it holds, and a sum of that which does not depend on the order."""
        count = total = 0
        for entry in self.entries:
            is_small = _BY_NAME[entry.collection].shape == "whole"
            content = [("", entry.rest)] if is_small else entry.parts
            for name, value in content:
                count += entry.collection != _ALIASES  # which is how a key is called
                said = msgspec.msgpack.encode([entry.collection, name, value])
                total += int.from_bytes(hashlib.sha256(said).digest()[:8], "big")
        return Contents(count, str(total))


def taken(account: str, name: str, wanted: Declaration) -> Copy:
    """Copy a resource as it is at this moment.

    Args:
        account: Number of the account.
        name: What the resource is called there.
        wanted: What it is declared to be.

    Raises:
        NotDeclarable: Such a resource keeps nothing, or it is not there.
    """
    found = list(_entries(account, name, wanted))
    if not found:
        raise NotDeclarable(f"there is nothing to copy of {name}: it is not there")
    return Copy(entries=[_copied(*one) for one in found])


def _copied(collection: Collection, key: str, value: Any) -> _Entry:
    pieces = []
    if collection.shape != "whole":
        every = parts.pieces(collection, value, parts.handles(collection, value))
        # The names of a list's parts sort as the parts came.
        pieces = [
            (one.name or f"{one.group}/{number:016d}", parts.encode(one.value))
            for number, one in enumerate(every)
        ]
    rest = parts.encode(parts.rest(collection, value))
    return _Entry(collection.name, key, rest, pieces)


def read(file: Path) -> Copy:
    """Read a copy from a file.

    Raises:
        NotDeclarable: It is none that this version knows.
        OSError: It cannot be read.
    """
    try:
        copy = msgspec.msgpack.decode(file.read_bytes(), type=Copy)
    except msgspec.MsgspecError as e:
        raise NotDeclarable(f"{file.name} is no copy: {e}") from e
    if copy.format != _FORMAT or any(one.collection not in _BY_NAME for one in copy.entries):
        raise NotDeclarable(f"{file.name} was written by a newer version of the platform; use that")
    return copy


def write(copy: Copy, file: Path) -> None:
    """Write a copy into a file that does not exist yet, for its owner alone.

    Raises:
        OSError: There is no room.
    """
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(msgspec.msgpack.encode(copy))


def put_in_place(copy: Copy, account: str, name: str, wanted: Declaration) -> None:
    """Let a resource hold what a copy does, and nothing else; in memory alone.

    Raises:
        NotDeclarable: The resource is not there.
    """
    there = {
        (collection.name, called(key)): value
        for collection, key, value in _entries(account, name, wanted)
    }
    if not there:
        raise NotDeclarable(f"nothing can be brought back into {name}: it is not there")
    for entry in copy.entries:
        collection = _BY_NAME[entry.collection]
        content = [(part, parts.decode(value)) for part, value in entry.parts]
        whole = parts.put_together(collection, parts.decode(entry.rest), content)
        live = there.get((entry.collection, called(entry.key)))
        if isinstance(wanted, Key):
            simulator.put_key(account, collection, entry.key, whole)
        elif live is not None:
            _replace(collection, live, whole)


def called(key: str) -> str:
    """Return the last part of a key, which a queue's name is; the number of its account comes before that."""
    return key.rpartition("/")[2]


def _replace(collection: Collection, live: dict[str, Any], copied: dict[str, Any]) -> None:
    match collection.shape:
        case "messages":
            live["fifo_seq"] = max(live["fifo_seq"], copied["fifo_seq"])
            live["messages"] = copied["messages"]
        case "items":
            items = defaultdict[str, dict[str, Any]](dict, copied["items"])
            live["ItemCount"] = sum(map(len, items.values()))
            live["TableSizeBytes"] = copied["TableSizeBytes"]
            live.pop("_index_members", None)  # made anew when it is asked for
            live["items"] = items
        case "shards":
            live["shards"] = copied["shards"]
        case "whole" | "list":
            raise AssertionError(collection.name)
        case _:
            assert_never(collection.shape)


def _entries(
    account: str, name: str, wanted: Declaration
) -> Iterator[tuple[Collection, str, dict[str, Any]]]:
    """Give what the simulator holds of a resource.

    Raises:
        NotDeclarable: Such a resource keeps nothing.
    """
    match wanted:
        case Queue():
            names = {queue_name(name, wanted), letters_name(name, wanted)}
            yield from _named("sqs.queues", account, names)
        case Table():
            yield from _named("dynamodb.tables", account, {name})
        case Stream():
            yield from _named("kinesis.streams", account, {name})
        case Key():
            for collection, key, value in _named(_ALIASES, account, {name}):
                if key.endswith(f":{key_name(name)}"):
                    yield collection, key, value
                    yield from _named("kms.keys", account, {str(value)})
        case _:
            raise NotDeclarable(f"{name} keeps nothing that could be copied")


def _named(
    collection: str, account: str, names: set[str]
) -> Iterator[tuple[Collection, str, dict[str, Any]]]:
    one = _BY_NAME[collection]
    for (_, _, key), value in simulator.entries(one, account):
        if called(key) in names:
            yield one, key, value
