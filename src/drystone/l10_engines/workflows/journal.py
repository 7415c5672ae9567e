"""What one worker writes, in batches: many workflows share one transaction and so one sync of the disk.

Nothing waits for a batch to fill. What comes while one is written is the next one, so that a lone step is written at
once, and a thousand workflows at a time take hardly more transactions than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import LiteralString

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ports import Log
from drystone.l10_engines.postgres.database import Asked, Database, Session
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows import statements, waking

MOST_AT_ONCE = 500
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the journal."""

    workflow: str
    attempt: int
    seq: int
    kind: str
    name: str
    output: str | None = None
    error: str | None = None
    tries: int = 1


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow ended."""

    workflow: str
    attempt: int
    state: str
    result: str | None = None
    error: str | None = None
    queue: str | None = None
    parent: str | None = None

    @property
    def concerns_others(self) -> bool:
        """Whether another workflow goes on because of it."""
        return self.queue is not None or self.parent is not None


Change = Callable[[Session], Awaitable[bool]]
"""Makes one change in a transaction of its own; whether the fence let it through."""


class Journal:
    """The only way in which a worker writes about workflows that it owns. Each method tells whether the fence let it.

    While the server is away it goes on trying: whether a write still may land is for the database to say, by the
    lease, when it is back.

    Args:
        database: Where the tables are.
        owner: Id of the worker.
        log: Hears when the server is away.
    """

    def __init__(self, database: Database, owner: str, log: Log) -> None:
        self._database = database
        self._owner = owner
        self._log = log
        self._waiting: list[tuple[Entry | Ending | Change, asyncio.Future[bool]]] = []
        self._some = asyncio.Event()
        self._session: Session | None = None

    async def write(self, what: Entry | Ending | Change) -> bool:
        """Write a step, an end, or make another change.

        Raises:
            StatementRefused: The server will never take it.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((what, future))
        self._some.set()
        return await future

    def update(self, statement: LiteralString, **values: object) -> Change:
        """Return the change that one fenced statement makes; it returns a row if it may."""

        async def change(session: Session) -> bool:
            return bool(await session.fetch(statement, owner=self._owner, **values))

        return change

    async def run(self) -> None:
        """Write what is given to :meth:`write`, until this is cancelled."""
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                while batch := self._waiting[:MOST_AT_ONCE]:
                    del self._waiting[: len(batch)]
                    await self._write([one for one in batch if not one[1].cancelled()])
        finally:
            for _, future in self._waiting:
                future.cancel()
            if self._session is not None:
                await self._session.close()

    async def _write(
        self, batch: list[tuple[Entry | Ending | Change, asyncio.Future[bool]]]
    ) -> None:
        """Write steps and ends of others together, then the rest one by one."""
        together = [one for one in batch if _is_plain(one[0])]
        if together:
            await self._settle(together)
        for one in batch:
            if not _is_plain(one[0]):
                await self._settle([one])

    async def _settle(
        self, batch: Sequence[tuple[Entry | Ending | Change, asyncio.Future[bool]]]
    ) -> None:
        """Write, and tell who waits; what cannot be written together is tried one by one, so that it harms no other."""
        try:
            done = await self._persist([what for what, _ in batch])
        except PlatformError as e:
            if len(batch) == 1:
                _set(batch[0][1], e)
                return
            for one in batch:
                await self._settle([one])
            return
        for (_, future), landed in zip(batch, done, strict=True):
            _set(future, landed)

    async def _persist(self, whats: list[Entry | Ending | Change]) -> list[bool]:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                if self._session is None or not self._session.is_usable:
                    self._session = await self._database.open()
                return await self._try(self._session, whats)
            except DatabaseUnavailable as e:
                self._log.warning("the journal cannot be written now", error=e, owner=self._owner)
                if self._session is not None:
                    with suppress(DatabaseUnavailable):
                        await self._session.close()
                    self._session = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _try(self, session: Session, whats: list[Entry | Ending | Change]) -> list[bool]:
        match whats:
            case [Ending() as ending] if ending.concerns_others:
                return [await self._end_with_others(session, ending)]
            case [change] if not isinstance(change, Entry | Ending):
                return [await change(session)]
        entries = [one for one in whats if isinstance(one, Entry)]
        endings = [one for one in whats if isinstance(one, Ending)]
        if not endings:
            landed = set(await self.insert(session, entries))
        else:
            async with session.transaction():
                landed = set(await self.insert(session, entries)) if entries else set()
                landed |= await self._ends(session, endings)
        return [one.workflow in landed for one in whats if isinstance(one, Entry | Ending)]

    async def insert(self, session: Session, entries: list[Entry]) -> dict[str, bool]:
        """Write steps in a session; by id of those workflows that this worker owns, whether it was not there before."""
        rows = await session.fetch(
            statements.WRITE_STEPS,
            owner=self._owner,
            workflows=[one.workflow for one in entries],
            attempts=[one.attempt for one in entries],
            seqs=[one.seq for one in entries],
            kinds=[one.kind for one in entries],
            names=[one.name for one in entries],
            outputs=[one.output for one in entries],
            errors=[one.error for one in entries],
            tries=[one.tries for one in entries],
        )
        return {str(workflow): bool(is_new) for workflow, is_new in rows}

    async def _ends(self, session: Session, endings: list[Ending]) -> set[str]:
        rows, _ = await session.fetch_each(*self._of(endings))
        return {str(row[0]) for row in rows}

    def _of(self, endings: list[Ending]) -> tuple[Asked, Asked]:
        values = {
            "owner": self._owner,
            "workflows": [one.workflow for one in endings],
            "attempts": [one.attempt for one in endings],
            "states": [one.state for one in endings],
            "results": [one.result for one in endings],
            "errors": [one.error for one in endings],
        }
        return (statements.END, values), waking.notice(self._database, waking.ENDED)

    async def _end_with_others(self, session: Session, ending: Ending) -> bool:
        several: list[Asked] = [*self._of([ending])]
        if ending.queue is not None:
            several.insert(0, (statements.LOCK_QUEUE, {"queue": ending.queue}))
        async with session.transaction():
            if not (await session.fetch_each(*several))[-2]:
                return False
            outcome = waking.outcome(ending.state, ending.result, ending.error)
            await waking.let_others_go_on(
                session,
                self._database,
                waking.Ended(ending.workflow, ending.queue, ending.parent, outcome),
            )
        return True


def _is_plain(what: Entry | Ending | Change) -> bool:
    return isinstance(what, Entry) or (isinstance(what, Ending) and not what.concerns_others)


def _set(future: asyncio.Future[bool], result: bool | PlatformError) -> None:
    if future.done():  # whoever waited was cancelled meanwhile
        return
    if isinstance(result, PlatformError):
        future.set_exception(result)
    else:
        future.set_result(result)
