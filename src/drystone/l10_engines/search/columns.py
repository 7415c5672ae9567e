"""In which columns of the index the fields lie.

The schema of an index of tantivy is fixed when it is made, and fields come with documents. So it is made with spare columns of
each kind, which fields take as they come; when none is left, the index is made anew from the documents, with more of them.
A column that nobody uses costs a byte for each document at most.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from tantivy import Schema, SchemaBuilder

from drystone.l10_engines.search.mapping import Field

IDENTITY, ROW, HAS = "_id", "_row", "_has"
"""Columns of every index: what a document is called, where it lies, and which of its fields have a value."""

_SPARE = {"text:standard": 6, "keyword": 12, "int": 8, "float": 6}


class Columns(msgspec.Struct, frozen=True):
    """The columns of one index.

    Attributes:
        kinds: By name of a column, in order: ``keyword``, ``int``, ``float``, or ``text:`` and an analyzer.
        held: By path of a field, the name of its column.
        several: Fields of which some document has several values.
    """

    kinds: dict[str, str] = {}
    held: dict[str, str] = {}
    several: tuple[str, ...] = ()

    def analyzers(self) -> set[str]:
        """Return the analyzers of all columns."""
        return {kind.partition(":")[2] for kind in self.kinds.values() if kind.startswith("text:")}


def with_fields(columns: Columns, fields: Iterable[Field]) -> tuple[Columns, bool]:
    """Give every field a column.

    Args:
        columns: Those that there are.
        fields: All fields of the index.

    Returns:
        The columns, and whether there are more of them than before, so that the index is to be made anew.
    """
    kinds, held = dict(columns.kinds), dict(columns.held)
    taken = set(held.values())
    free: dict[str, list[str]] = {}
    for name, kind in reversed(kinds.items()):
        if name not in taken:
            free.setdefault(kind, []).append(name)
    grown = False
    for field in fields:
        if field.path in held:
            continue
        if not free.get(field.column):
            grown = True
            free[field.column] = _more(kinds, field.column)
        held[field.path] = free[field.column].pop()
    return Columns(kinds, held, columns.several), grown


def _more(kinds: dict[str, str], kind: str) -> list[str]:
    """Add columns of a kind, twice as many as there are."""
    before = sum(1 for other in kinds.values() if other == kind)
    letter = kind[0]
    numbered = sum(1 for other in kinds if other[0] == letter)
    names = [f"{letter}{numbered + n}" for n in range(max(before, 1))]
    kinds.update(dict.fromkeys(names, kind))
    return names[::-1]


def fresh(fields: Iterable[Field]) -> Columns:
    """Return columns for a new index, some of them spare.

    Args:
        fields: Those that are known of it.
    """
    kinds: dict[str, str] = {}
    for kind, count in _SPARE.items():
        kinds |= {f"{kind[0]}{n}": kind for n in range(count)}
    return with_fields(Columns(kinds), fields)[0]


def schema(columns: Columns) -> Schema:
    """Return the schema of an index.

    Args:
        columns: Its columns.
    """
    builder = SchemaBuilder()
    builder.add_text_field(IDENTITY, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_integer_field(ROW, indexed=True, fast=True)
    builder.add_text_field(HAS, tokenizer_name="raw", index_option="basic")
    for name, kind in columns.kinds.items():
        if kind == "keyword":
            builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
        elif kind == "int":
            builder.add_integer_field(name, indexed=True, fast=True)
        elif kind == "float":
            builder.add_float_field(name, indexed=True, fast=True)
        else:
            builder.add_text_field(name, tokenizer_name=kind.partition(":")[2])
    return builder.build()
