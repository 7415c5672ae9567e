"""The documents, on disk: one SQLite file, in which a group of changes is written whole or not at all.

It is what counts: the index of words is made of it, and can be made anew at any time. SQLite in its mode WAL with
``synchronous=FULL`` has a transaction on disk when it is committed, so what was answered survives the death of the process
and of the machine. Each document has a checksum. A document that is replaced or deleted stays until no search
can still find it.

How far the file got is written down beside it too (:class:`Mark`): SQLite takes a damaged end of its log for one that was
never written, and a client's answered write would be gone without a word.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.search.columns import Columns
from drystone.l10_engines.search.errors import Refused, damaged, illegal
from drystone.l10_engines.search.mapping import Mapping
from drystone.l10_engines.search.records import Alias, Document, Record

FORMAT = 1
"""Stands in the file as its ``user_version``."""

_TABLES = """
create table if not exists indices (
    number integer primary key autoincrement,
    name text not null unique,
    record blob not null,
    next_seq integer not null default 0,
    indexed_row integer not null default 0,
    indexed_seq integer not null default -1
);
create table if not exists aliases (
    alias text not null,
    number integer not null references indices on delete cascade,
    is_write integer,
    primary key (alias, number)
) without rowid;
create table if not exists documents (
    "row" integer primary key autoincrement,
    number integer not null,
    id text not null,
    seq integer not null,
    version integer not null,
    source blob not null,
    checksum integer not null,
    dead integer
);
create unique index if not exists living on documents (number, id) where dead is null;
create index if not exists dying on documents (number, dead) where dead is not null;
pragma user_version = 1;
"""


class _Stored(msgspec.Struct, frozen=True):
    """What of a record is one value of its row."""

    uuid: str
    created: int
    mapping: Mapping
    columns: Columns
    settings: dict[str, str]
    generation: int


_LIVING = (
    'select "row", id, seq, version, source, checksum from documents'
    " where number = ? and id = ? and dead is null"
)
_SINCE = (
    'select "row", id, seq, version, source, checksum from documents'
    ' where number = ? and "row" > ? and dead is null order by "row"'
)
ANSWER = 128 * 1024 * 1024
"""Bytes of documents that are read for one answer."""

_NAMES_AT = (
    'select id, seq from documents where "row" in (select value from json_each(?)) and dead is null'
)
_AT = (
    'select "row", id, seq, version, source, checksum from documents'
    ' where "row" in (select value from json_each(?))'
)


class Store:
    """The file. One thread writes; reads may come from any.

    Args:
        path: Of the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._writer = self._connect(path)
        self._writer.execute("pragma journal_mode = wal")
        self._writer.executescript(_TABLES)
        self._path = path
        self._mine = threading.local()

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        found = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        found.execute("pragma synchronous = full")
        found.execute("pragma foreign_keys = on")
        found.execute("pragma cache_size = -4096")
        return found

    def close(self) -> None:
        """Close the file, which then is all of it; what threads read by goes with them."""
        with suppress(sqlite3.Error):
            self._writer.execute("pragma wal_checkpoint(truncate)")
        self._writer.close()

    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self._connect(self._path)
        found: sqlite3.Connection = self._mine.connection
        return found

    # What the one thread does that writes.

    def begin(self) -> None:
        """Begin a group of changes."""
        self._writer.execute("begin immediate")

    def commit(self) -> None:
        """Have the group on disk."""
        self._writer.execute("commit")

    def roll_back(self) -> None:
        """Let the group never have been."""
        if self._writer.in_transaction:
            self._writer.execute("rollback")

    def mark(self) -> None:
        """Be able to go back to here within a group."""
        self._writer.execute("savepoint job")

    def go_back(self) -> None:
        """Go back to the mark."""
        self._writer.execute("rollback to job")
        self._writer.execute("release job")

    def keep(self) -> None:
        """Need the mark no more."""
        self._writer.execute("release job")

    def last_row(self) -> int:
        """Return how many documents were ever written."""
        found = self._writer.execute(
            "select seq from sqlite_sequence where name = 'documents'"
        ).fetchone()
        return int(found[0]) if found else 0

    def add(self, record: Record) -> int:
        """Add an index; return its number."""
        cursor = self._writer.execute(
            "insert into indices (name, record) values (?, ?)", (record.name, _packed(record))
        )
        return int(cursor.lastrowid or 0)

    def save(self, record: Record) -> None:
        """Write what is known of an index."""
        self._writer.execute(
            "update indices set record = ?, next_seq = ?, indexed_row = ?, indexed_seq = ? where number = ?",
            (
                _packed(record),
                record.next_seq,
                record.indexed_row,
                record.indexed_seq,
                record.number,
            ),
        )

    def advance(self, number: int, next_seq: int) -> None:
        """Write the number of the next change of an index alone."""
        self._writer.execute("update indices set next_seq = ? where number = ?", (next_seq, number))

    def drop(self, number: int) -> None:
        """Remove an index, its documents and its aliases."""
        self._writer.execute("delete from documents where number = ?", (number,))
        self._writer.execute("delete from indices where number = ?", (number,))

    def add_alias(self, alias: Alias) -> None:
        """Add an alias, or replace it."""
        self._writer.execute(
            "insert or replace into aliases values (?, ?, ?)",
            (alias.name, alias.number, alias.is_write),
        )

    def drop_alias(self, name: str, number: int) -> bool:
        """Remove an alias; return whether there was one."""
        statement = "delete from aliases where alias = ? and number = ?"
        return self._writer.execute(statement, (name, number)).rowcount > 0

    def put(self, number: int, identity: str, seq: int, version: int, source: bytes) -> int:
        """Write a document of which none is alive; return its row."""
        cursor = self._writer.execute(
            "insert into documents (number, id, seq, version, source, checksum) values (?, ?, ?, ?, ?, ?)",
            (number, identity, seq, version, source, zlib.crc32(source)),
        )
        return int(cursor.lastrowid or 0)

    def kill(self, row: int, seq: int) -> None:
        """Let a document be replaced or deleted by a change."""
        self._writer.execute('update documents set dead = ? where "row" = ?', (seq, row))

    def present(self, number: int, identity: str) -> Document | None:
        """Return the living document of a name, as the thread sees it that writes."""
        return _one(self._writer, number, identity)

    def purge(self, number: int, seq: int) -> None:
        """Remove documents that died by a change, or by one before it."""
        self._writer.execute("delete from documents where number = ? and dead <= ?", (number, seq))

    def unindexed(self, record: Record) -> Iterator[tuple[str, Document | None]]:
        """Return what changed since the index of words was written: names, each with what lives under it now."""
        gone = self._writer.execute(
            "select distinct id from documents where number = ? and dead > ?",
            (record.number, record.indexed_seq),
        )
        for (identity,) in gone.fetchall():
            yield identity, None
        cursor = self._writer.execute(
            _SINCE,
            (record.number, record.indexed_row),
        )
        while some := cursor.fetchmany(500):
            for row in some:
                document = _document(row)
                yield document.id, document

    def records(self) -> list[Record]:
        """Return every index."""
        found = self._writer.execute(
            "select number, name, record, next_seq, indexed_row, indexed_seq from indices order by number"
        )
        return [_unpacked(row) for row in found]

    def aliases(self) -> list[Alias]:
        """Return every alias."""
        found = self._writer.execute(
            "select alias, number, is_write from aliases order by alias, number"
        )
        return [Alias(n, number, None if w is None else bool(w)) for n, number, w in found]

    def used(self) -> int:
        """Return how many bytes of the file hold something."""
        said = ("pragma page_size", "pragma page_count", "pragma freelist_count")
        size, pages, free = (int(self._writer.execute(one).fetchone()[0]) for one in said)
        return size * (pages - free)

    # What any thread may ask.

    def get(self, number: int, identity: str) -> Document | None:
        """Return the living document of a name."""
        return _one(self._reader(), number, identity)

    def at(self, rows: Iterable[int]) -> dict[int, Document]:
        """Return documents by their rows, dead ones too.

        Raises:
            Refused: They have more bytes together than one answer may have.
        """
        wanted = msgspec.json.encode(list(rows)).decode()
        found: dict[int, Document] = {}
        size = 0
        for row in self._reader().execute(_AT, (wanted,)):
            size += len(row[4])
            if size > ANSWER:
                raise illegal(
                    f"the documents have more than {ANSWER} bytes together; ask for fewer"
                )
            found[row[0]] = _document(row)
        return found

    def names_at(self, rows: Iterable[int]) -> list[tuple[str, int]]:
        """Return what the living documents of some rows are called, each with the change that wrote it."""
        wanted = msgspec.json.encode(list(rows)).decode()
        return self._reader().execute(_NAMES_AT, (wanted,)).fetchall()


def _one(connection: sqlite3.Connection, number: int, identity: str) -> Document | None:
    row = connection.execute(_LIVING, (number, identity)).fetchone()
    return None if row is None else _document(row)


def _document(row: tuple[Any, ...]) -> Document:
    if zlib.crc32(row[4]) != row[5]:
        raise damaged(f"the document '{row[1]}' is not what was written; restore a backup")
    return Document(*row[:5])


def _packed(record: Record) -> bytes:
    stored = _Stored(
        record.uuid,
        record.created,
        record.mapping,
        record.columns,
        record.settings,
        record.generation,
    )
    return msgspec.json.encode(stored)


def _unpacked(row: tuple[int, str, bytes, int, int, int]) -> Record:
    number, name, content, *progress = row
    said = msgspec.json.decode(content, type=_Stored)
    return Record(
        number,
        name,
        said.uuid,
        said.created,
        said.mapping,
        said.columns,
        said.settings,
        said.generation,
        *progress,
    )


def refusal_of(error: sqlite3.Error) -> Refused:
    """Return what a client is told when the file does not take a change.

    Args:
        error: What SQLite says.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return Refused(
            "cluster_block_exception",
            "the disk has no room for this; nothing of it was written. Writes work again when there is room",
            status=429,
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(f"the file of the documents is damaged ({error}); restore a backup")
    return Refused("exception", f"the documents cannot be written: {error}", status=500)
