"""The journal of one workflow while it is carried out: what stands in it, what is its next place, and whether to go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NoReturn

import msgspec

from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows import places, statements
from drystone.l10_engines.workflows.errors import WorkflowTooLong
from drystone.l10_engines.workflows.journal import Entry, Journal
from drystone.l10_engines.workflows.payloads import Failure

MOST_STEPS = 10_000
MOST_JOURNAL = 16 * 1024 * 1024
"""Characters of all outputs of one workflow together: each taking up reads them all."""


class Kind(StrEnum):
    """What stands at a place of the journal."""

    STEP = "step"
    SLEEP = "sleep"
    WAIT = "wait"
    NOW = "now"
    CHILD = "child"
    TURN = "turn"
    UNDO = "undo"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What stands there."""

    kind: str
    name: str
    output: str | None = None
    error: Failure | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that a worker owns for the length of a lease.

    Attributes:
        id: Its id.
        kind: Name of its definition.
        version: Version of its definition.
        input: As JSON.
        queue: Its queue.
        parent: Its parent.
        attempt: Which taking up this is; with the worker's id it is what the fence asks for.
        reached: How many places the journal had.
        stalled: How many times in a row before it had no more than that.
        signals: How many had come.
        is_cancelling: Whether somebody wants it cancelled.
        failing: Place of the step that failed last.
        tries: How often that one failed.
        at: When it was claimed, by the database's clock.
    """

    id: str
    kind: str
    version: int
    input: str
    queue: str | None
    parent: str | None
    attempt: int
    reached: int
    stalled: int
    signals: int
    is_cancelling: bool
    failing: int | None
    tries: int
    at: datetime


class Leave(BaseException):
    """Ends the function where it stands. No exception of its own, so that nobody takes it for a failure."""


class Rests(Leave):
    """It sleeps, waits, or is left to another worker."""


class Lost(Leave):
    """Another worker may own it: the lease ended."""


class Turns(Leave):
    """From here on all is undone."""


class Parks(Leave):
    """It cannot go on; somebody has to look."""

    def __init__(self, code: str, message: str, step: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(code=f"workflows.{code}", message=message, step=step)


class Replay:
    """Hands out the places of the journal, one after the other.

    Args:
        claim: What is carried out.
        rows: What stands in the journal, by place.
        journal: The worker's.
        hold: A rest that is not longer is waited for here, without giving the workflow away.
    """

    def __init__(
        self, claim: Claim, rows: dict[int, Row], journal: Journal, hold: timedelta
    ) -> None:
        self.claim = claim
        self.next = 0
        self.turn: Row | None = None
        self.left: Leave | None = None
        self.is_cancelling = claim.is_cancelling
        self.is_wanted_elsewhere = False
        self._rows = rows
        self._journal = journal
        self._hold = hold
        self._since = time.monotonic()
        self._is_busy = False
        self._is_undoing = False
        self._size = sum(len(row.output or "") for row in rows.values())

    def row(self, seq: int) -> Row | None:
        """Return what stands at a place."""
        return self._rows.get(seq)

    def moment(self) -> datetime:
        """Return the present moment by the database's clock, as far as it was asked at the claim."""
        return self.claim.at + timedelta(seconds=time.monotonic() - self._since)

    async def call(self, kind: Kind, name: str, make: Callable[[int], Awaitable[Row]]) -> Row:
        """Return what stands at the next place, or make it.

        Args:
            kind: What the function asks for there.
            name: Its name.
            make: Does it and writes it at the place it is given.

        Raises:
            WorkflowTooLong: The journal is full.
            Leave: The function does not go on.
        """
        self._check(kind, name)
        seq = self.next
        row = self._rows.get(seq)
        if row is not None and row.kind == Kind.TURN:
            self.leave(Turns())
        if row is not None and (row.kind, row.name) != (kind, name):
            self.leave(self._differs(seq, f"{kind} {name!r}"))
        if row is None:
            await self._check_may_begin()
        self.next = seq + 1
        self._is_busy = True
        try:
            return row if row is not None else await make(seq)
        finally:
            self._is_busy = False

    def _check(self, kind: Kind, name: str) -> None:
        if self.left is not None:
            raise self.left
        if self._is_busy:
            message = (
                f"{kind} {name!r} was begun while another was under way; their order would be an accident: call one"
                " after the other, or give parts to children"
            )
            self.leave(Parks("TwoAtOnce", message))

    async def _check_may_begin(self) -> None:
        if self.is_wanted_elsewhere:
            await self.release()
        self.heed_cancel()
        if self._is_undoing:
            return
        if self.next >= MOST_STEPS or self._size > MOST_JOURNAL:
            raise WorkflowTooLong(
                f"{self.claim.id} has {self.next} steps with {self._size} characters and may have {MOST_STEPS} and"
                f" {MOST_JOURNAL}; let children do parts of it",
                workflow=self.claim.id,
            )

    @property
    def is_to_turn(self) -> bool:
        """Whether somebody wants it cancelled, and it is not being undone already."""
        return self.is_cancelling and not self._is_undoing

    def heed_cancel(self) -> None:
        """See to it that nothing new is begun when the workflow is to be cancelled.

        Raises:
            Leave: It is.
        """
        if self.is_to_turn:
            self.leave(Turns())

    def check_end(self) -> None:
        """See to it that the function has come by everything that stands in the journal.

        Raises:
            Leave: There is more.
        """
        row = self._rows.get(self.next)
        if row is not None and row.kind == Kind.TURN:
            self.leave(Turns())
        if row is not None:
            self.leave(self._differs(self.next, "the end of the function"))

    def _differs(self, seq: int, asked: str) -> Parks:
        row = self._rows[seq]
        return Parks(
            "Nondeterministic",
            f"at place {seq} the journal has {row.kind} {row.name!r} and the code comes to {asked}: it is not the code"
            f" that began this. Bring back the code of {self.claim.kind} version {self.claim.version} and resume, or"
            " abandon the workflow; a change of the steps needs a new version",
        )

    def leave(self, how: Leave) -> NoReturn:
        """End the function, now and whenever it calls again.

        Raises:
            Leave: Always.
        """
        self.left = how
        raise how

    async def begin_undoing(self, state: str, error: Failure | None) -> Row:
        """Go over to undoing, once and for all; what the journal has decided before holds.

        Args:
            state: How the workflow is to end.
            error: Why, when it failed.
        """
        self.left = None
        self._is_busy = False
        self._is_undoing = True
        row = self._rows.get(self.next)
        if row is None:
            text = msgspec.json.encode(error).decode() if error else None
            row = await self.write(self.next, Kind.TURN, state, error=text)
            places.TURNED.reach()
        self.next += 1
        return row

    async def write(
        self,
        seq: int,
        kind: Kind,
        name: str,
        *,
        output: str | None = None,
        error: str | None = None,
        tries: int = 1,
    ) -> Row:
        """Write a place.

        Raises:
            Leave: The workflow is not owned any more; nothing was written.
        """
        entry = self.entry(seq, kind, name, output=output, error=error, tries=tries)
        if not await self._journal.write(entry):
            self.leave(Lost())
        return self.keep(entry)

    def entry(
        self,
        seq: int,
        kind: Kind,
        name: str,
        *,
        output: str | None = None,
        error: str | None = None,
        tries: int = 1,
    ) -> Entry:
        """Return what would be written at a place."""
        return Entry(
            workflow=self.claim.id,
            attempt=self.claim.attempt,
            seq=seq,
            kind=kind,
            name=name,
            output=output,
            error=error,
            tries=tries,
        )

    def keep(self, entry: Entry) -> Row:
        """Remember what was written."""
        error = msgspec.json.decode(entry.error, type=Failure) if entry.error else None
        row = Row(kind=entry.kind, name=entry.name, output=entry.output, error=error)
        self._rows[entry.seq] = row
        self._size += len(entry.output or "")
        places.STEP_WRITTEN.reach()
        return row

    async def write_taken(self, seq: int, name: str, payload: str, number: int) -> Row:
        """Write what a signal carried, and mark the signal as taken, in one transaction.

        Raises:
            Leave: As :meth:`write`.
        """
        entry = self.entry(seq, Kind.WAIT, name, output=payload)

        async def change(session: Session) -> bool:
            async with session.transaction():
                if not await self._journal.insert(session, [entry]):
                    return False
                await session.fetch(statements.TAKE_SIGNAL, id=self.claim.id, number=number)
            return True

        if not await self._journal.write(change):
            self.leave(Lost())
        return self.keep(entry)

    async def note_trouble(self, seq: int, tries: int, failure: Failure) -> None:
        """Remember that a step failed, for the next one who takes the workflow up and for whoever looks.

        Raises:
            Leave: As :meth:`write`.
        """
        trouble = msgspec.json.encode(failure).decode()
        await self._change(
            self._journal.update(
                statements.WRITE_TROUBLE, **self._mine(), seq=seq, tries=tries, trouble=trouble
            )
        )
        places.TROUBLE_WRITTEN.reach()

    async def rest_until(self, until: datetime, waits_for: str) -> None:
        """Go on at a moment: here when it is near, else whoever takes the workflow up then.

        Raises:
            Leave: It is far.
        """
        left = until - self.moment()
        if left > self._hold:
            await self.rest(until, waits_for)
        if left > timedelta():
            await asyncio.sleep(left.total_seconds())

    async def rest(
        self, until: datetime | None, waits_for: str, *, signals: int | None = None
    ) -> NoReturn:
        """Give the workflow away until a moment, a signal beyond those that have come, or a wish to cancel.

        Raises:
            Leave: Always.
        """
        await self._change(
            self._journal.update(
                statements.REST,
                **self._mine(),
                until=until,
                waits_for=waits_for,
                signals=signals,
                heeds_cancel=not self._is_undoing,
            )
        )
        places.REST_WRITTEN.reach()
        self.leave(Rests())

    async def release(self) -> NoReturn:
        """Give the workflow to whoever is next.

        Raises:
            Leave: Always.
        """
        await self._change(self._journal.update(statements.RELEASE, **self._mine()))
        self.leave(Rests())

    async def _change(self, change: Callable[[Session], Awaitable[bool]]) -> None:
        if not await self._journal.write(change):
            self.leave(Lost())

    def _mine(self) -> dict[str, object]:
        return {"id": self.claim.id, "attempt": self.claim.attempt}
