"""Has what a request changed on disk before the request is answered: all that came while the last group was written are the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.journal import Journal
from drystone.l10_engines.aws.keeping import Kept
from drystone.l10_engines.aws.simulator import COLLECTIONS, Collection


class Keeper:
    """Writes groups of changes, one after the other.

    Args:
        kept: What is on disk.
        journal: The file.
        failed: Called once when a group could not be written: memory is then ahead of the disk for good.
    """

    def __init__(self, kept: Kept, journal: Journal, failed: Callable[[Exception], None]) -> None:
        self._kept = kept
        self._journal = journal
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._touched: set[tuple[Collection, str]] = set()
        self._changed: set[tuple[Collection, str]] = set()
        self._next: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    def size(self, account: str) -> int:
        """Return how many bytes an account holds on disk."""
        return self._kept.size(account)

    async def settle(
        self, touched: Iterable[Collection], account: str, *, is_grown: bool = False
    ) -> None:
        """Return when everything that these collections hold of an account is on disk.

        Args:
            touched: The collections.
            account: The account.
            is_grown: Whether messages or records were added alone, which is cheaper to see.

        Raises:
            sqlite3.Error: It cannot be written.
            OSError: It cannot be written.
        """
        these = {(collection, account) for collection in touched}
        self._touched |= these
        if not is_grown:
            self._changed |= these
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
            grown, self._changed = touched - self._changed, set()
            self._writing, self._next = self._next, None
            try:
                if changes := self._kept.changes(touched, grown):
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
