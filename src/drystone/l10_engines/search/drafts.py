"""What a group of changes makes of the indices, before it is on disk."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any

import msgspec
from msgspec import structs

from drystone.l10_engines.search import columns
from drystone.l10_engines.search.errors import Refused, illegal
from drystone.l10_engines.search.mapping import Mapping
from drystone.l10_engines.search.reading import Read, Reader
from drystone.l10_engines.search.records import Alias, Document, Record
from drystone.l10_engines.search.store import Store

MOST_INDICES = 200
"""Indices that a resource may have."""


class Change(msgspec.Struct, frozen=True):
    """What the index of words is to learn."""

    number: int
    id: str
    document: Document | None
    read: Read | None


class Draft:
    """What a group of changes makes of the indices; nothing of it counts until it is on disk.

    Args:
        store: Holds the documents.
        records: The indices that there are, by number.
        aliases: The aliases that there are.
        readers: Readers of documents by number, kept from group to group.
    """

    def __init__(
        self,
        store: Store,
        records: dict[int, Record],
        aliases: tuple[Alias, ...],
        readers: dict[int, Reader],
    ) -> None:
        self.store = store
        self.records = dict(records)
        self.aliases = aliases
        self.changes: list[Change] = []
        self.grown: set[int] = set()
        self.touched: set[int] = set()
        self._readers = readers

    def state(self) -> tuple[Any, ...]:
        """Return what :meth:`restore` goes back to."""
        return (
            dict(self.records),
            self.aliases,
            len(self.changes),
            set(self.grown),
            set(self.touched),
        )

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state."""
        self.records, self.aliases, count, self.grown, self.touched = state
        del self.changes[count:]

    def named(self, name: str) -> Record | None:
        """Return the index of this very name."""
        return next((record for record in self.records.values() if record.name == name), None)

    def put(self, record: Record) -> None:
        """Keep what is known of an index."""
        self.records[record.number] = record
        self.store.save(record)

    def reader(self, record: Record) -> Reader:
        """Return what reads the documents of an index."""
        found = self._readers.get(record.number)
        if found is None or found.mapping is not record.mapping:
            found = self._readers[record.number] = Reader(record.mapping)
        return found

    def target(self, name: str) -> Record:
        """Return the index that is written to by a name, which is made when there is none.

        Raises:
            Refused: The name is none, or is an alias of several indices.
        """
        found = self.named(name)
        if found is not None:
            return found
        held = [alias for alias in self.aliases if alias.name == name]
        chosen = [a for a in held if a.is_write] or (
            [] if any(a.is_write is False for a in held) else held
        )
        if len(chosen) == 1:
            return self.records[chosen[0].number]
        if held:
            raise illegal(
                f"no write index is defined for alias [{name}]. The write index may be explicitly disabled using"
                " is_write_index=false or the alias points to multiple indices without one being designated as a write index"
            )
        return create(self, name, Mapping(), {})

    def remap(self, record: Record, new: Mapping) -> Record:
        """Give an index other fields, and these columns; return what is known of it now."""
        found, grown = columns.with_fields(record.columns, new.fields().values())
        generation = record.generation
        if grown and record.number not in self.grown:
            self.grown.add(record.number)
            generation += 1
        record = structs.replace(record, mapping=new, columns=found, generation=generation)
        self.put(record)
        return record


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an index.

    Args:
        name: Which one.

    Raises:
        Refused: It cannot; the message says why.
    """
    why = ""
    if name != name.lower():
        why = "must be lowercase"
    elif any(letter in name for letter in ' "*\\<|,>/?') or not name.isprintable():
        why = 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'
    elif "#" in name or ":" in name:
        why = "must not contain '#' or ':'"
    elif name.startswith(("_", "-", "+")) or name in (".", ".."):
        why = "must not start with '_', '-', or '+', and is not a full stop"
    elif not 0 < len(name.encode()) <= 255:
        why = "has 1 to 255 bytes"
    if why:
        raise Refused(
            "invalid_index_name_exception",
            f"Invalid index name [{name[:80]}], {why}",
            index=name[:80],
        )


def create(draft: Draft, name: str, fields: Mapping, settings: dict[str, str]) -> Record:
    """Make an index.

    Args:
        draft: The group of changes.
        name: What it is called.
        fields: Those that are known.
        settings: As somebody gave them, flat.

    Raises:
        Refused: There is one of that name, or it is no name.
    """
    check_name(name)
    there = draft.named(name)
    if there is not None:
        raise Refused(
            "resource_already_exists_exception",
            f"index [{name}/{there.uuid}] already exists",
            index=name,
        )
    if any(alias.name == name for alias in draft.aliases):
        raise Refused(
            "invalid_index_name_exception",
            f"Invalid index name [{name}], already exists as alias",
            index=name,
        )
    if len(draft.records) >= MOST_INDICES:
        raise illegal(
            f"there are {MOST_INDICES} indices, as many as a resource may have; delete one first"
        )
    record = Record(
        0,
        name,
        base64.urlsafe_b64encode(secrets.token_bytes(15)).decode(),
        0,
        fields,
        columns.fresh(fields.fields().values()),
        settings,
    )
    number = draft.store.add(record)
    record = structs.replace(record, number=number, created=time.time_ns() // 1_000_000)
    draft.records[number] = record
    draft.store.save(record)
    draft.touched.add(number)
    return record
