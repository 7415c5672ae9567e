"""How an entry of the simulator is taken apart into what is small of it and its many parts, and put together again. Pure.

Parts are replaced and not changed, but for a few fields of a message. So a part is the same as before if it is the same object, and what is new
or gone is a difference of two sets of ``id``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Container, Iterator
from typing import Any

import msgspec

from drystone.l10_engines.aws.simulator import Collection

_JSON = b"\xc1"
"""A byte that MessagePack never begins with: what follows is JSON."""


class Piece(msgspec.Struct):
    """A part as it is in memory.

    Attributes:
        value: The part.
        name: What it is called on disk; empty for one of a list, which is numbered.
        group: In which list.
    """

    value: Any
    name: str = ""
    group: str = ""


def rest(collection: Collection, value: Any) -> Any:
    """Return what is small of an entry."""
    match collection.shape:
        case "whole":
            return value
        case "list":
            return []
        case "messages":
            return {name: one for name, one in value.items() if name != "messages"}
        case "shards":
            shards = {
                shard: {name: one for name, one in content.items() if name != "records"}
                for shard, content in value["shards"].items()
            }
            return {**value, "shards": shards}
        case "items":
            return {n: one for n, one in value.items() if n not in ("items", "_index_members")}


def handles(collection: Collection, value: Any) -> set[int]:
    """Return the ``id`` of every part. Dictionaries are copied first: a thread lets items end."""
    if collection.shape == "items":
        return {
            id(item) for below in list(value["items"].values()) for item in list(below.values())
        }
    return {id(part) for content in _lists(collection, value).values() for part in content}


def pieces(collection: Collection, value: Any, wanted: Container[int]) -> Iterator[Piece]:
    """Give parts, in their order.

    Args:
        collection: Of the entry.
        value: The entry.
        wanted: Which, by their ``id``.
    """
    if collection.shape == "items":
        for key, below in list(value["items"].items()):
            for sort, item in list(below.items()):
                if id(item) in wanted:
                    yield Piece(item, name=json.dumps([key, sort]))
    for group, content in _lists(collection, value).items():
        for part in content:
            if id(part) in wanted:
                yield Piece(part, group=group)


def added(
    collection: Collection, value: Any, known: Container[int], count: int
) -> list[Piece] | None:
    """Give the parts at the ends of an entry's lists that are not known, if no other went.

    Args:
        collection: Of the entry.
        value: The entry.
        known: The ``id`` of parts that are known.
        count: How many these are.

    Returns:
        The parts; None when something went, or the entry has no lists.
    """
    lists = _lists(collection, value)
    if not lists:
        return None
    found: list[Piece] = []
    for group, content in lists.items():
        new = list(itertools.takewhile(lambda part: id(part) not in known, reversed(content)))
        found += [Piece(part, group=group) for part in reversed(new)]
    return found if sum(map(len, lists.values())) == count + len(found) else None


def state(part: Any) -> object:
    """Return what changes in a message while it waits."""
    return (
        part["receipt_handle"],
        part["visible_at"],
        part["receive_count"],
        part["first_receive_at"],
    )


def put_together(collection: Collection, value: Any, found: list[tuple[str, Any]]) -> Any:
    """Give an entry its parts again.

    Args:
        collection: Of the entry.
        value: What was small of it; it is filled.
        found: The parts by their names, sorted by these.
    """
    match collection.shape:
        case "whole":
            pass
        case "list":
            value.extend(part for _, part in found)
        case "messages":
            value["messages"] = [part for _, part in found]
        case "shards":
            for shard in value["shards"].values():
                shard["records"] = []
            for name, record in found:
                value["shards"][name.rpartition("/")[0]]["records"].append(record)
        case "items":
            items: dict[str, dict[str, Any]] = {}
            for name, item in found:
                key, sort = json.loads(name)
                items.setdefault(key, {})[sort] = item
            value["items"] = items
    return value


def encode(value: Any) -> bytes:
    """Write a part or a rest."""
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError):  # JSON has larger numbers and halves of characters
        return _JSON + json.dumps(value).encode()


def decode(value: bytes) -> Any:
    """Read what :func:`encode` wrote."""
    return json.loads(value[1:]) if value.startswith(_JSON) else msgspec.msgpack.decode(value)


def _lists(collection: Collection, value: Any) -> dict[str, list[Any]]:
    match collection.shape:
        case "messages":
            return {"": value["messages"]}
        case "list":
            return {"": value}
        case "shards":
            return {shard: content["records"] for shard, content in sorted(value["shards"].items())}
        case _:
            return {}
