"""Knows what is on disk of what the services hold, and what is other in memory.

The simulator holds its state in memory. Beside each entry stands a shadow of what is on disk, part by part: the messages of
a queue, the items of a table, the records of a stream. What a request changed is found by comparing the two, which costs
no copy and a fraction of a microsecond a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

import msgspec

from drystone.l10_engines.aws import parts, simulator
from drystone.l10_engines.aws.journal import Change, Journal, Place
from drystone.l10_engines.aws.parts import Piece, decode, encode
from drystone.l10_engines.aws.simulator import COLLECTIONS, Collection

_At = tuple[str, str, str, str]
"""Collection, account, region and entry."""


class _Part(msgspec.Struct):
    """What is on disk of a part.

    Attributes:
        name: What it is called there.
        value: What it was made of; kept, so that no other object gets its ``id``.
        state: What changes in it without its being replaced.
        size: Bytes on disk.
    """

    name: str
    value: Any
    state: object
    size: int


class _Entry:
    """What is on disk of one entry: its rest, and its parts by the ``id`` of what they were made of."""

    def __init__(self) -> None:
        self.rest = b""
        self.parts: dict[int, _Part] = {}
        self.number = 0

    def named(self, piece: Piece) -> str:
        """Return a name for a part that is new; names of a list sort as parts came."""
        if piece.name:
            return piece.name
        self.number += 1
        return f"{piece.group}/{self.number - 1:016d}"


class Kept:
    """What is on disk of everything.

    Args:
        journal: The file.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._shadow: dict[_At, _Entry] = {}
        self._sizes: dict[str, int] = {}

    def size(self, account: str) -> int:
        """Return how many bytes an account holds on disk."""
        return self._sizes.get(account, 0)

    def load(self) -> None:
        """Give the services what was on disk, before the first request."""
        by_name = {collection.name: collection for collection in COLLECTIONS}
        rests: dict[_At, Any] = {}
        found: dict[_At, list[tuple[str, Any]]] = {}
        for place, value in self._journal.read():
            at = (place.store, place.account, place.region, place.entry)
            if place.store in by_name and place.part:
                found.setdefault(at, []).append((place.part, decode(value)))
            elif place.store in by_name:
                rests[at] = decode(value)
        kept: dict[Collection, dict[tuple[str, str, str], Any]] = {}
        for at, rest in rests.items():
            collection = by_name[at[0]]
            whole = parts.put_together(collection, rest, found.get(at, []))
            kept.setdefault(collection, {})[at[1:]] = whole
        simulator.restore(kept)
        for collection in COLLECTIONS:
            for key, value in simulator.entries(collection):
                at = (collection.name, *key)
                self._prime(collection, at, value, [name for name, _ in found.get(at, ())])

    def _prime(self, collection: Collection, at: _At, value: Any, names: list[str]) -> None:
        shadow = self._shadow[at] = _Entry()
        shadow.rest = encode(parts.rest(collection, value))
        size = len(shadow.rest)
        pieces = parts.pieces(collection, value, parts.handles(collection, value))
        for piece, name in zip(pieces, names, strict=True):
            if not piece.name:
                shadow.number = max(shadow.number, int(name.rpartition("/")[2]) + 1)
            length = len(encode(piece.value))
            state = parts.state(piece.value) if collection.shape == "messages" else None
            shadow.parts[id(piece.value)] = _Part(piece.name or name, piece.value, state, length)
            size += length
        self._grow(at[1], size)

    def changes(
        self,
        touched: Iterable[tuple[Collection, str]],
        grown: Set[tuple[Collection, str]] = frozenset(),
    ) -> list[Change]:
        """Give what is other than on disk, and take it for written.

        Args:
            touched: Collections and accounts to look at.
            grown: Those among them in which messages were added alone.
        """
        found: list[Change] = []
        for collection, account in touched:
            is_grown = (collection, account) in grown or collection.shape in ("list", "shards")
            seen = set()
            for key, value in simulator.entries(collection, account):
                at = (collection.name, *key)
                seen.add(at)
                shadow = self._shadow.setdefault(at, _Entry())
                found += self._compare(collection, at, shadow, value, is_grown=is_grown)
            gone = [
                at
                for at in self._shadow
                if at[0] == collection.name and at[1] == account and at not in seen
            ]
            for at in gone:
                shadow = self._shadow.pop(at)
                self._grow(account, -len(shadow.rest))
                found.append(Change(Place(*at, ""), None))
                found += self._dropped(at, shadow, list(shadow.parts))
        return found

    def _compare(
        self, collection: Collection, at: _At, shadow: _Entry, value: Any, *, is_grown: bool
    ) -> Iterator[Change]:
        encoded = encode(parts.rest(collection, value))
        if encoded != shadow.rest:
            self._grow(at[1], len(encoded) - len(shadow.rest))
            shadow.rest = encoded
            yield Change(Place(*at, ""), encoded)
        if collection.shape == "whole":
            return
        known = shadow.parts
        added = parts.added(collection, value, known, len(known)) if is_grown else None
        if added is not None:
            yield from self._put(collection, at, shadow, added)
            return
        now = parts.handles(collection, value)
        # An item that is replaced goes and comes under one name: what goes is written first.
        yield from self._dropped(at, shadow, list(known.keys() - now))
        other = now - known.keys()
        if collection.shape == "messages":
            other |= {
                handle for handle, part in known.items() if parts.state(part.value) != part.state
            }
        if other:
            yield from self._put(collection, at, shadow, parts.pieces(collection, value, other))

    def _put(
        self, collection: Collection, at: _At, shadow: _Entry, pieces: Iterable[Piece]
    ) -> Iterator[Change]:
        for piece in pieces:
            known = shadow.parts.get(id(piece.value))
            name = known.name if known else shadow.named(piece)
            content = encode(piece.value)
            self._grow(at[1], len(content) - (known.size if known else 0))
            state = parts.state(piece.value) if collection.shape == "messages" else None
            shadow.parts[id(piece.value)] = _Part(name, piece.value, state, len(content))
            yield Change(Place(*at, name), content)

    def _dropped(self, at: _At, shadow: _Entry, gone: Iterable[int]) -> Iterator[Change]:
        for handle in gone:
            part = shadow.parts.pop(handle)
            self._grow(at[1], -part.size)
            yield Change(Place(*at, part.name), None)

    def _grow(self, account: str, by: int) -> None:
        self._sizes[account] = self._sizes.get(account, 0) + by
