"""The one thread that writes: it takes what waits as one group, has it on disk with one sync, and then answers.

So many clients share the price of a sync, each index is changed by nobody else, and what a group makes of the indices
replaces what searches go by all at once. The same thread lets searches see what was written, a second later or when somebody
waits for it.
"""

from __future__ import annotations

import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import Refused, damaged, no_room
from drystone.l10_engines.search.following import Following
from drystone.l10_engines.search.live import Live
from drystone.l10_engines.search.reading import Reader
from drystone.l10_engines.search.records import Alias, Mark, Record
from drystone.l10_engines.search.store import Store, refusal_of

T = TypeVar("T")

DOCUMENTS, MARK, WORDS = "documents.sqlite", "written", "words"
"""What lies in the folder: the documents, how many there were, and the folders of the indices of words."""

_GROUP = 64
_WAITING = 1000


class Catalog(msgspec.Struct, frozen=True):
    """The indices and aliases at one moment."""

    records: dict[int, Record]
    aliases: tuple[Alias, ...]


class _Job(msgspec.Struct):
    """What is to be done, and who waits for it; without work, an index is to be opened."""

    work: Callable[[Draft], Any] | None
    done: Future[Any]
    visible: bool = False
    grows: bool = False
    number: int = 0

    def answer(self, answer: Any) -> None:
        if isinstance(answer, BaseException):
            self.done.set_exception(answer)
        else:
            self.done.set_result(answer)


class Keeper:
    """Keeps the indices of a folder.

    Args:
        folder: Holds everything.
        most: Bytes that documents and words may take.

    Raises:
        Refused: Documents that were answered are gone.
    """

    def __init__(self, folder: Path, most: int) -> None:
        try:
            self.store = Store(folder / DOCUMENTS)
            records = {record.number: record for record in self.store.records()}
            self.catalog = Catalog(records, tuple(self.store.aliases()))
        except sqlite3.Error as e:
            raise refusal_of(e) from e
        self._most = most
        self._mark = Mark(folder / MARK)
        written, there = self._mark.read(), self.store.last_row()
        if written > there:
            raise damaged(
                f"{written} documents were written and {there} are there: the end of {DOCUMENTS}-wal is damaged. Restore a"
                f" backup; or remove the file '{MARK}' beside it to go on without the last {written - there}"
            )
        self._readers: dict[int, Reader] = {}
        self.words = Following(folder / WORDS, self.store, records.values(), self._note)
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    def submit(
        self, work: Callable[[Draft], T], *, visible: bool = False, grows: bool = True
    ) -> Future[T]:
        """Have something done.

        Args:
            work: What; it may refuse, and then nothing of it is kept.
            visible: Whether searches are to see it before it is answered.
            grows: Whether it needs room.

        Raises:
            Refused: Too much waits, or there is no room left.
        """
        return self._queued(_Job(work, Future(), visible, grows))

    def open(self, number: int) -> Future[Live]:
        """Open an index for searches, which fails with KeyError when it is gone."""
        return self._queued(_Job(None, Future(), number=number))

    def _queued(self, job: _Job) -> Future[Any]:
        try:
            self._jobs.put_nowait(job)
        except queue.Full as e:
            raise Refused(
                "rejected_execution_exception",
                "too many writes wait; come back in a moment",
                status=429,
            ) from e
        return job.done

    def opened(self, number: int) -> Live | None:
        """Return an index that is open."""
        return self.words.open.get(number)

    def trouble(self) -> dict[int, str]:
        """Say which indices searches see an old state of, and why."""
        return {number: one.trouble for number, one in list(self.words.open.items()) if one.trouble}

    def close(self) -> None:
        """Do what waits, and end."""
        self._jobs.put(None)
        self._thread.join()
        self.store.close()
        self._mark.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._taken()
            try:
                if jobs:
                    self._do(jobs)
                due = set(self.words.overdue()) if is_open else self.words.waiting()
                # At the end nothing is opened any more: what is missing then is made when it is opened again.
                due = due if is_open else due & self.words.open.keys()
                self.words.refresh(self.catalog.records, due)
                if not jobs and not self.words.waiting():
                    self.words.rest()
            except BaseException as e:  # noqa: BLE001 - also a panic of tantivy: the thread must go on, whoever waits is told
                print(f"writer: {e!r}", file=sys.stderr, flush=True)  # noqa: T201
                for job in jobs:
                    if not job.done.done():
                        job.answer(e)
        self.words.rest()

    def _taken(self) -> tuple[list[_Job], bool]:
        """Return what waits, once something does or is due, and whether there will be more."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=self.words.patience())
            while job is not None:
                jobs.append(job)
                if len(jobs) == _GROUP:
                    return jobs, True
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs, True
        return jobs, False

    def _do(self, jobs: list[_Job]) -> None:
        """Do a group of jobs, have it on disk, and answer."""
        jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
        for job in jobs:
            if job.work is None:  # before the group, or it would see half of it
                record = self.catalog.records.get(job.number)
                job.answer(KeyError(job.number) if record is None else self.words.opened(record))
        jobs = [job for job in jobs if job.work is not None]
        draft = Draft(self.store, self.catalog.records, self.catalog.aliases, self._readers)
        try:
            self.store.begin()
            answers = [self._one(job, draft) for job in jobs]
            for number in draft.touched & draft.records.keys():
                self.store.advance(number, draft.records[number].next_seq)
            self.store.commit()
        except sqlite3.Error as e:
            self.store.roll_back()
            self._readers.clear()
            for job in jobs:
                job.answer(refusal_of(e))
            return
        self._mark.write(self.store.last_row())
        gone = self.catalog.records.keys() - draft.records.keys()
        self.catalog = Catalog(draft.records, draft.aliases)
        self.words.follow(draft, gone)
        if any(job.visible for job in jobs):
            self.words.refresh(self.catalog.records, draft.touched & self.words.waiting())
        for job, answer in zip(jobs, answers, strict=True):
            job.answer(answer)

    def _one(self, job: _Job, draft: Draft) -> Any:
        if job.grows and self.words.used > self._most:
            return no_room(
                f"this search holds {self.words.used} bytes, and {self._most} are its 'storage'; delete documents or raise it"
            )
        before = draft.state()
        self.store.mark()
        try:
            answer = job.work(draft) if job.work else None
        except sqlite3.Error:
            raise
        except Exception as e:  # noqa: BLE001 - it is the job's own, and its answer
            self.store.go_back()
            draft.restore(before)
            return e
        self.store.keep()
        return answer

    def _note(self, record: Record) -> None:
        records = {**self.catalog.records, record.number: record}
        self.catalog = Catalog(records, self.catalog.aliases)
