"""Reads what PostgreSQL's output plugin ``pgoutput`` writes of changes (documentation, 54.9, protocol version 1)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

UNCHANGED = object()
"""In place of a value that lies outside its row and was not touched."""

Value: TypeAlias = object
"""Its text form, None, or :data:`UNCHANGED`."""

_BEGIN, _COMMIT, _PLACE = (struct.Struct(form) for form in ("!qqi", "!bqqq", "!bq"))


class Garbled(ValueError):
    """These bytes are no message of this protocol."""


class Begin(msgspec.Struct, frozen=True):
    """A transaction begins; ``end`` is where its commit lies in the log."""

    end: int


class Commit(msgspec.Struct, frozen=True):
    """It ends; ``end`` lies behind it."""

    end: int


class Relation(msgspec.Struct, frozen=True):
    """What a table looks like from now on.

    Attributes:
        id: By which changes name it.
        schema: Its schema.
        name: Its name.
        columns: Names of its columns that are sent.
        key: Those by which a row is found.
        is_full: Whether the whole row is its key.
    """

    id: int
    schema: str
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    is_full: bool


class Change(msgspec.Struct, frozen=True):
    """A row has come, changed or gone.

    Attributes:
        kind: Which of these.
        relation: The table's id.
        new: Its values; None when it has gone.
        old: What it is found by, where that is said; an update that leaves the key says nothing of it.
    """

    kind: Literal["insert", "update", "delete"]
    relation: int
    new: tuple[Value, ...] | None
    old: tuple[Value, ...] | None


class Truncate(msgspec.Struct, frozen=True):
    """Tables were emptied."""

    relations: tuple[int, ...]
    cascades: bool
    restarts: bool


class Note(msgspec.Struct, frozen=True):
    """Somebody put a message into the log (``pg_logical_emit_message``)."""

    prefix: str
    content: bytes


Message: TypeAlias = Begin | Commit | Relation | Change | Truncate | Note | None


def read(data: bytes) -> Message:
    """Read one message; None for one that says nothing of rows.

    Raises:
        Garbled: It ends too early or is of no known kind.
    """
    try:
        return _read(_Bytes(data))
    except (struct.error, IndexError, UnicodeDecodeError) as e:
        raise Garbled(f"a change of {len(data)} bytes cannot be read: {e}") from e


class _Bytes:
    """Takes one field after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        found = form.unpack_from(self._data, self._at)
        self._at += form.size
        return found

    def number(self, form: str) -> int:
        return self.take(struct.Struct("!" + form))[0]

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise IndexError("a text has no end")
        found = self._data[self._at : end].decode()
        self._at = end + 1
        return found

    def raw(self, length: int) -> bytes:
        found = self._data[self._at : self._at + length]
        if length < 0 or len(found) < length:
            raise IndexError("a value has no end")
        self._at += length
        return found


def _read(data: _Bytes) -> Message:
    kind = chr(data.number("B"))
    reader = _READERS.get(kind)
    if reader is None:
        raise Garbled(f"a change of kind {kind!r} is not known")
    return reader(data)


def _insert(data: _Bytes) -> Change:
    relation, _ = data.number("I"), data.number("B")
    return Change("insert", relation, _row(data), None)


def _delete(data: _Bytes) -> Change:
    relation, _ = data.number("I"), data.number("B")
    return Change("delete", relation, None, _row(data))


def _truncate(data: _Bytes) -> Truncate:
    count, options = data.number("I"), data.number("B")
    relations = tuple(data.number("I") for _ in range(count))
    return Truncate(relations, bool(options & 1), bool(options & 2))


def _note(data: _Bytes) -> Note:
    data.take(_PLACE)
    return Note(data.text(), data.raw(data.number("I")))


def _relation(data: _Bytes) -> Relation:
    number, schema, name = data.number("I"), data.text(), data.text()
    identity, count = chr(data.number("B")), data.number("H")
    columns, key = [], []
    for _ in range(count):
        is_key = data.number("B") & 1
        column = data.text()
        data.take(struct.Struct("!Ii"))
        columns.append(column)
        if is_key:
            key.append(column)
    return Relation(
        number, schema or "pg_catalog", name, tuple(columns), tuple(key), identity == "f"
    )


def _update(data: _Bytes) -> Change:
    relation, kind = data.number("I"), chr(data.number("B"))
    old = None
    if kind in "KO":
        old = _row(data)
        data.number("B")
    return Change("update", relation, _row(data), old)


def _row(data: _Bytes) -> tuple[Value, ...]:
    return tuple(_value(data) for _ in range(data.number("H")))


def _value(data: _Bytes) -> Value:
    kind = chr(data.number("B"))
    if kind == "n":
        return None
    if kind == "u":
        return UNCHANGED
    if kind != "t":
        raise Garbled(f"a value of form {kind!r} was not asked for")
    return data.raw(data.number("I")).decode()


_READERS: dict[str, Callable[[_Bytes], Message]] = {
    "B": lambda data: Begin(data.take(_BEGIN)[0]),
    "C": lambda data: Commit(data.take(_COMMIT)[2]),
    "R": _relation,
    "I": _insert,
    "U": _update,
    "D": _delete,
    "T": _truncate,
    "M": _note,
    "O": lambda _: None,
    "Y": lambda _: None,
}
