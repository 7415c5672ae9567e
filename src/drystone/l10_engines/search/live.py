"""The index of words of one index, by tantivy: made of the documents, and brought up to date with them.

One thread calls what changes it; a searcher that somebody took stays as it was. Should the index of words be damaged, gone,
or behind, it is made of the documents again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import tantivy
from msgspec import json, structs

from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.search import analysis, columns
from drystone.l10_engines.search.errors import Refused
from drystone.l10_engines.search.reading import Read, Reader, Value
from drystone.l10_engines.search.records import Document, Record
from drystone.l10_engines.search.store import Store

HEAP = 15_000_000
"""Bytes that tantivy gathers for one index before it writes them; the fewest that it accepts."""


class Snapshot:
    """An index of words as it was at one moment.

    Args:
        record: What is known of the index.
        searcher: Of tantivy.
        schema: Of tantivy.
    """

    def __init__(self, record: Record, searcher: tantivy.Searcher, schema: tantivy.Schema) -> None:
        self.record = record
        self.searcher = searcher
        self.schema = schema
        self.fields = record.mapping.fields()


class Live:
    """One index, open.

    Args:
        folder: Holds the folders of all indices.
        record: What is known of it.
        store: Holds the documents.
    """

    def __init__(self, folder: Path, record: Record, store: Store) -> None:
        self._folder = folder
        self._store = store
        self._writer: tantivy.IndexWriter | None = None
        self._purged = -1
        self.record = record
        self.trouble = ""
        self._open()

    def _place(self) -> Path:
        return self._folder / f"{self.record.number}-{self.record.generation}"

    def _open(self) -> None:
        """Open what is there, or make it, and bring it up to date.

        Raises:
            Refused: There is no room for it.
        """
        try:
            try:
                self._index = self._made()
                self._take()
            except Exception as e:  # noqa: BLE001 - whatever is wrong with it, it is made anew
                print(  # noqa: T201 - the log of an engine
                    f"the words of {self.record.name} are made anew: {e}",
                    file=sys.stderr,
                    flush=True,
                )
                remove_tree(self._place())
                self.record = structs.replace(self.record, indexed_row=0, indexed_seq=-1)
                self._index = self._made()
                self._take()
            self._catch_up()
        except (OSError, ValueError) as e:
            raise _no_room(self.record.name, e) from e

    def _made(self) -> tantivy.Index:
        place = self._place()
        if not place.exists():
            self.record = structs.replace(self.record, indexed_row=0, indexed_seq=-1)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._schema = columns.schema(self.record.columns)
        index = tantivy.Index(self._schema, path=str(place))
        analysis.register(index, self.record.columns.analyzers())
        return index

    def _take(self) -> None:
        self._index.reload()
        self.snapshot = Snapshot(self.record, self._index.searcher(), self._schema)

    def _catch_up(self) -> None:
        """Index what was written and is not in the index of words."""
        reader, some = Reader(self.record.mapping, is_lenient=True), False
        is_again = self.snapshot.searcher.num_docs > 0
        last_row, last_seq = self._store.last_row(), self.record.next_seq - 1
        for identity, document in self._store.unindexed(self.record):
            some = True
            read = None
            if document is not None:
                read = _read(reader, document)
            self.change(identity, document, read, is_again=is_again)
        if some:
            self._commit()
        self.record = structs.replace(self.record, indexed_row=last_row, indexed_seq=last_seq)
        self._take()

    def change(
        self, identity: str, document: Document | None, read: Read | None, *, is_again: bool = False
    ) -> None:
        """Let a search find a document from the next refresh on, or find it no more.

        Args:
            identity: What it is called.
            document: None when it is deleted.
            read: What it says.
            is_again: Whether the index of words may have it already.

        Raises:
            ValueError: tantivy cannot do so.
        """
        if self._writer is None:
            self._writer = self._index.writer(HEAP, 1)
        if document is None or read is None or document.version > 1 or is_again:
            self._writer.delete_documents_by_term(columns.IDENTITY, identity)
        if document is not None and read is not None:
            self._writer.add_document(self._words(document, read))

    def _words(self, document: Document, read: Read) -> tantivy.Document:
        held, has = self.record.columns.held, []
        said: dict[str, list[Value]] = {
            columns.IDENTITY: [document.id],
            columns.ROW: [document.row],
        }
        for path, values in read.values.items():
            if values and path in held:
                said[held[path]] = (
                    sorted(values) if len(values) > 1 and held[path][0] != "t" else values
                )
                has.append(path)
                while (cut := path.rfind(".")) > 0:
                    path = path[:cut]  # noqa: PLW2901 - what it lies in has a value, too
                    has.append(path)
        return tantivy.Document(**said, **{columns.HAS: has})

    def _commit(self) -> None:
        if self._writer is not None:
            self._writer.commit()

    def refresh(self, record: Record) -> Record:
        """Let searches see what was written.

        Args:
            record: What is known now.

        Returns:
            The same, with how far the index of words is.

        Raises:
            Refused: There is no room; it is tried again later.
        """
        self.record = record
        try:
            if self.trouble:
                self.rest()
                self._open()
            else:
                self._commit()
                self.record = structs.replace(
                    record, indexed_row=self._store.last_row(), indexed_seq=record.next_seq - 1
                )
                self._take()
        except (OSError, ValueError, RuntimeError) as e:
            self.trouble = str(e)
            raise _no_room(record.name, e) from e
        self.trouble = ""
        return self.record

    def purge(self) -> None:
        """Remove documents that died and that no search can find any more."""
        before, self._purged = self._purged, self.record.indexed_seq
        self._store.purge(self.record.number, before)

    def rebuild(self, record: Record) -> Record:
        """Make the index of words anew, in another folder.

        Args:
            record: With the columns that it is to have.

        Returns:
            The same, with where it lies.

        Raises:
            Refused: There is no room for it.
        """
        before = self._place()
        self.rest()
        self.record = structs.replace(record, indexed_row=0, indexed_seq=-1)
        self._open()
        if before != self._place():
            remove_tree(before)
        return self.record

    def rest(self) -> None:
        """Hold no memory for changes; what was not refreshed is read again from the documents."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(ValueError, RuntimeError):
                writer.wait_merging_threads()

    def is_writing(self) -> bool:
        """Tell whether memory is held for changes."""
        return self._writer is not None

    def used(self) -> int:
        """Return the bytes of its files."""
        return sum(_size(file) for file in self._place().glob("*"))

    def remove(self) -> None:
        """Remove the files."""
        self.rest()
        remove_tree(self._place())


def _read(reader: Reader, document: Document) -> Read:
    """Read a document that was accepted, by the fields that there are now; at worst it is found by its name alone."""
    try:
        return reader.read(json.decode(document.source), document.id)
    except Refused:
        return Read({}, {})


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _no_room(name: str, error: Exception) -> Refused:
    return Refused(
        "cluster_block_exception",
        f"the words of [{name}] cannot be written ({error}); documents are kept, and searched again when there is room",
        status=429,
        index=name,
    )


def strays(folder: Path, records: Iterable[Record]) -> None:
    """Remove folders of indices that are gone.

    Args:
        folder: Holds the folders of all indices.
        records: Those that there are.
    """
    wanted = {f"{record.number}-{record.generation}" for record in records}
    for place in folder.glob("*"):
        if place.name not in wanted:
            remove_tree(place)
