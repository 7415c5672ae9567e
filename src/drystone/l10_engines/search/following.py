"""What lets searches see what was written: the open indices of words, and when each is to be brought up to date."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from drystone.l10_engines.search import live
from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import Refused
from drystone.l10_engines.search.live import Live
from drystone.l10_engines.search.records import Record
from drystone.l10_engines.search.store import Store, refusal_of

REST = 5.0
"""Seconds after which an index that could not be brought up to date is tried again."""

_WRITERS = 6


class Following:
    """The open indices of words; the thread that writes calls everything here.

    Args:
        folder: Holds their folders.
        store: Holds the documents.
        records: The indices that there are.
        note: Told how far an index is.
    """

    def __init__(
        self, folder: Path, store: Store, records: Iterable[Record], note: Callable[[Record], None]
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        live.strays(folder, records)
        self._folder = folder
        self._store = store
        self._note = note
        self._due: dict[int, float] = {}
        self.open: dict[int, Live] = {}
        self.held = 0
        """Searches that go on over an old state, for which documents that died stay."""
        self.used = store.used()

    def opened(self, record: Record) -> Live | Exception:
        """Return an index, opened if it was not; what is wrong when it cannot be."""
        found = self.open.get(record.number)
        if found is None:
            try:
                found = self.open[record.number] = Live(self._folder, record, self._store)
                self._save(found.record)
            except Refused as e:
                self.open.pop(record.number, None)
                return e
        return found

    def follow(self, draft: Draft, gone: Iterable[int]) -> None:
        """Learn what a group of changes made.

        Args:
            draft: The group, which is on disk.
            gone: Numbers of indices that are removed.
        """
        gone = set(gone)
        for number in gone:
            self._due.pop(number, None)
            one = self.open.pop(number, None)
            if one is not None:
                one.remove()
        if gone:
            self._measure()
        for number in draft.grown & draft.records.keys() & self.open.keys():
            self._guarded(number, self.open[number].rebuild, draft.records[number])
        for change in draft.changes:
            one = self.open.get(change.number)
            if one is None or one.trouble or change.number in draft.grown:
                continue
            one.record = draft.records[change.number]
            try:
                one.change(change.id, change.document, change.read)
            except BaseException as e:  # noqa: BLE001 - also a panic of tantivy; it is made good by opening it again
                one.trouble = str(e) or type(e).__name__
        for number in draft.touched & draft.records.keys():
            after = interval(draft.records[number].settings)
            self._due.setdefault(number, time.monotonic() + after)

    def patience(self) -> float:
        """Return the seconds until something is due."""
        return max(0.0, min([*self._due.values(), time.monotonic() + REST]) - time.monotonic())

    def overdue(self) -> list[int]:
        """Return the indices that are due."""
        return [number for number, at in self._due.items() if at <= time.monotonic()]

    def waiting(self) -> set[int]:
        """Return the indices of which searches do not see everything."""
        return set(self._due)

    def refresh(self, records: dict[int, Record], numbers: Iterable[int]) -> None:
        """Bring indices up to date.

        Args:
            records: What is known of each.
            numbers: Which ones.
        """
        wanted = set(numbers)
        for number in wanted:
            self._due.pop(number, None)
            one = self.open.get(number)
            if number not in records:
                continue
            if one is None:
                self.opened(records[number])  # which brings it up to date
                continue
            self._guarded(number, one.refresh, records[number])
            if one.trouble:
                self._due[number] = time.monotonic() + REST
        if wanted:
            self.rest(_WRITERS)
            self._measure()

    def rest(self, most: int = 0) -> None:
        """Let no more than some indices hold memory for changes."""
        writing = [
            one for number, one in self.open.items() if one.is_writing() and number not in self._due
        ]
        for one in writing[: max(0, len(writing) - most)]:
            one.rest()

    def _measure(self) -> None:
        self.used = self._store.used() + sum(one.used() for one in self.open.values())

    def _guarded(self, number: int, work: Callable[[Record], Record], record: Record) -> None:
        try:
            self._save(work(record))
        except BaseException as e:  # noqa: BLE001 - also a panic of tantivy; it is tried again
            self.open[number].trouble = str(e) or type(e).__name__
            print(self.open[number].trouble, file=sys.stderr, flush=True)  # noqa: T201 - the log of an engine

    def _save(self, record: Record) -> None:
        """Write down how far an index of words is; should that fail, some of it is done again."""
        try:
            self._store.begin()
            self._store.save(record)
            if not self.held:
                self.open[record.number].purge()
            self._store.commit()
        except sqlite3.Error as e:
            self._store.roll_back()
            raise refusal_of(e) from e
        self._note(record)


def interval(settings: dict[str, str]) -> float:
    """Return after how many seconds searches see what was written; infinite when only by request.

    Args:
        settings: Of an index.
    """
    said = settings.get("index.refresh_interval", "1s")
    if said == "-1":
        return float("inf")
    for unit, seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        number = said.removesuffix(unit)
        if number != said and number.isdigit():
            return int(number) * seconds
    return 1.0
