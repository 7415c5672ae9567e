"""Keeps what the services hold: sees what a request changed, and has it on disk before the request is answered.

The simulator holds its state in memory. Beside each entry stands a shadow of what is on disk, part by part: the messages of
a queue, the items of a table, the records of a stream. What a request changed is found by comparing the two, which costs
0.1 to 0.5 µs a part and no copy, since parts are replaced and not changed, but for a few fields of a message. Changes of all requests that
came while the last group was written go to disk as the next group.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import msgspec

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.journal import Change, Journal, Place
from drystone.l10_engines.aws.simulator import COLLECTIONS, Collection

_JSON = b"\xc1"
"""A byte that MessagePack never begins with: what follows is JSON."""

_MESSAGE_STATE = ("receipt_handle", "visible_at", "receive_count", "first_receive_at")
"""What changes in a message while it waits."""


class _Part(msgspec.Struct):
    value: Any
    print: object
    size: int


class _Entry:
    """What is on disk of one entry."""

    def __init__(self) -> None:
        self.rest = b""
        self.parts: dict[str, _Part] = {}
        self.names: dict[int, str] = {}
        self.number = 0


class Kept:
    """What is on disk of everything.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._shadow: dict[tuple[str, str, str, str], _Entry] = {}
        self._sizes: dict[str, int] = {}

    def size(self, account: str) -> int:
        """Return how many bytes an account holds on disk."""
        return self._sizes.get(account, 0)

    def load(self) -> None:
        """Give the services what was on disk, before the first request."""
        by_name = {collection.name: collection for collection in COLLECTIONS}
        rests: dict[Collection, dict[tuple[str, str, str], Any]] = {}
        parts: dict[tuple[Collection, str, str, str], list[tuple[str, Any]]] = {}
        for place, value in self._journal.read():
            collection = by_name.get(place.store)
            if collection is None:
                continue
            found = _decode(value)
            if place.part:
                key = (collection, place.account, place.region, place.entry)
                parts.setdefault(key, []).append((place.part, found))
            else:
                at = (place.account, place.region, place.entry)
                rests.setdefault(collection, {})[at] = found
        for (collection, account, region, entry), pieces in parts.items():
            whole = rests.get(collection, {})
            if (account, region, entry) in whole:
                _put_together(collection, whole[account, region, entry], pieces)
        for collection, found in rests.items():
            for value in found.values():
                _with_places(collection, value)
        simulator.restore(rests)
        for collection in COLLECTIONS:
            for (account, region, entry), value in simulator.entries(collection):
                names = iter(
                    name for name, _ in parts.get((collection, account, region, entry), ())
                )
                shadow = _Entry()
                self._shadow[collection.name, account, region, entry] = shadow
                self._prime(collection, account, shadow, value, names)

    def _prime(
        self, collection: Collection, account: str, shadow: _Entry, value: Any, names: Iterator[str]
    ) -> None:
        rest, pieces = _taken_apart(collection, value)
        shadow.rest = _encode(rest)
        size = len(shadow.rest)
        for name, group, part in pieces:
            called = name or next(names, "") or _numbered(shadow, group)
            shadow.number = max(shadow.number, 0 if name else int(called.rpartition("/")[2]) + 1)
            length = len(_encode(part))
            shadow.parts[called] = _Part(part, _print(collection, part), length)
            if not name:
                shadow.names[id(part)] = called
            size += length
        self._sizes[account] = self._sizes.get(account, 0) + size

    def changes(self, touched: Iterable[tuple[Collection, str]]) -> list[Change]:
        """Give what is other than on disk, and take it for written.

        Args:
            touched: Collections and accounts to look at.
        """
        found: list[Change] = []
        for collection, account in touched:
            seen = set()
            for (_, region, entry), value in simulator.entries(collection, account):
                key = (collection.name, account, region, entry)
                seen.add(key)
                shadow = self._shadow.setdefault(key, _Entry())
                found += self._compare(collection, key, shadow, value)
            gone = [
                key
                for key in self._shadow
                if key[0] == collection.name and key[1] == account and key not in seen
            ]
            for key in gone:
                shadow = self._shadow.pop(key)
                self._grow(account, -len(shadow.rest))
                found.append(Change(Place(*key, ""), None))
                for name, part in shadow.parts.items():
                    self._grow(account, -part.size)
                    found.append(Change(Place(*key, name), None))
        return found

    def _compare(
        self, collection: Collection, key: tuple[str, str, str, str], shadow: _Entry, value: Any
    ) -> Iterator[Change]:
        rest, pieces = _taken_apart(collection, value)
        encoded = _encode(rest)
        if encoded != shadow.rest:
            self._grow(key[1], len(encoded) - len(shadow.rest))
            shadow.rest = encoded
            yield Change(Place(*key, ""), encoded)
        seen = set()
        for name, group, part in pieces:
            called = name or shadow.names.get(id(part)) or _numbered(shadow, group)
            seen.add(called)
            known, state = shadow.parts.get(called), _print(collection, part)
            if known is not None and known.value is part and known.print == state:
                continue
            content = _encode(part)
            if known is not None:
                shadow.names.pop(id(known.value), None)
            self._grow(key[1], len(content) - (known.size if known else 0))
            shadow.parts[called] = _Part(part, state, len(content))
            if not name:
                shadow.names[id(part)] = called
            yield Change(Place(*key, called), content)
        if len(seen) < len(shadow.parts):
            for called in shadow.parts.keys() - seen:
                part = shadow.parts.pop(called)
                shadow.names.pop(id(part.value), None)
                self._grow(key[1], -part.size)
                yield Change(Place(*key, called), None)

    def _grow(self, account: str, by: int) -> None:
        self._sizes[account] = self._sizes.get(account, 0) + by


def _numbered(shadow: _Entry, group: str) -> str:
    shadow.number += 1
    return f"{group}/{shadow.number - 1:016d}"


def _print(collection: Collection, part: Any) -> object:
    return (
        tuple(part.get(name) for name in _MESSAGE_STATE) if collection.shape == "messages" else None
    )


def _taken_apart(collection: Collection, value: Any) -> tuple[Any, Iterable[tuple[str, str, Any]]]:
    """Part an entry: what is small of it, and its parts, each with a name of its own or the group that it is numbered in."""
    match collection.shape:
        case "whole":
            return value, ()
        case "list":
            return [], [("", "", part) for part in value]
        case "messages":
            rest = {name: one for name, one in value.items() if name != "messages"}
            return rest, [("", "", part) for part in list(value["messages"])]
        case "shards":
            shards = {
                shard: {name: one for name, one in content.items() if name != "records"}
                for shard, content in value["shards"].items()
            }
            return {**value, "shards": shards}, [
                ("", shard, record)
                for shard, content in value["shards"].items()
                for record in list(content["records"])
            ]
        case "items":
            rest = {n: one for n, one in value.items() if n not in ("items", "_index_members")}
            return rest, [
                (json.dumps([key, sort]), "", item)
                for key, below in list(value["items"].items())
                for sort, item in list(below.items())
            ]


def _put_together(collection: Collection, value: Any, pieces: list[tuple[str, Any]]) -> None:
    match collection.shape:
        case "whole":
            pass
        case "list":
            value.extend(part for _, part in pieces)
        case "messages":
            value["messages"] = [part for _, part in pieces]
        case "shards":
            for name, record in pieces:
                value["shards"][name.rpartition("/")[0]].setdefault("records", []).append(record)
        case "items":
            items: dict[str, dict[str, Any]] = {}
            value["items"] = items
            for name, item in pieces:
                key, sort = json.loads(name)
                items.setdefault(key, {})[sort] = item


def _with_places(collection: Collection, value: Any) -> None:
    """Give an entry without parts the places where they would be."""
    match collection.shape:
        case "messages":
            value.setdefault("messages", [])
        case "shards":
            for shard in value["shards"].values():
                shard.setdefault("records", [])
        case "items":
            value.setdefault("items", {})
        case _:
            pass


def _encode(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError):  # JSON has larger numbers and halves of characters
        return _JSON + json.dumps(value).encode()


def _decode(value: bytes) -> Any:
    return json.loads(value[1:]) if value.startswith(_JSON) else msgspec.msgpack.decode(value)


class Keeper:
    """Writes groups of changes, one after the other.

    Args:
        kept: What is on disk.
        journal: The file.
        failed: Called once when a group could not be written: memory is then ahead of the disk for good.
    """

    def __init__(self, kept: Kept, journal: Journal, failed: Any) -> None:
        self._kept = kept
        self._journal = journal
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._touched: set[tuple[Collection, str]] = set()
        self._next: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def settle(self, touched: Iterable[Collection], account: str) -> None:
        """Return when everything that these collections hold of an account is on disk.

        Raises:
            sqlite3.Error: It cannot be written.
            OSError: It cannot be written.
        """
        self._touched.update((collection, account) for collection in touched)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        waiting = self._next
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="journal")
        await asyncio.shield(waiting)

    async def settled(self) -> None:
        """Return when all that was changed before is on disk, so that nobody is told what may not be so."""
        for waiting in (self._writing, self._next):
            if waiting is not None and not waiting.done():
                await asyncio.shield(waiting)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._touched and self._next is not None:
            touched, self._touched = self._touched, set()
            self._writing, self._next = self._next, None
            try:
                if changes := self._kept.changes(touched):
                    await loop.run_in_executor(self._thread, self._journal.write, changes)
            except Exception as e:  # noqa: BLE001 - whatever it is, nothing may be acknowledged any more
                self._writing.set_exception(e)
                self._failed(e)
                return
            self._writing.set_result(None)

    async def close(self) -> None:
        """Write what is left."""
        accounts = {key[0] for one in COLLECTIONS for key, _ in simulator.entries(one)}
        for account in accounts:
            with suppress(Exception):
                await self.settle(COLLECTIONS, account)
        self._thread.shutdown()
