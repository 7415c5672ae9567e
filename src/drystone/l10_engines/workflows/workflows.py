"""For those who start workflows, speak to them and look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from drystone.l10_engines.postgres.database import Database, Row, Session
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l10_engines.workflows import statements, waking
from drystone.l10_engines.workflows.endings import Endings
from drystone.l10_engines.workflows.errors import (
    NotParked,
    TooManySignals,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowHasEnded,
    WorkflowNotFound,
)
from drystone.l10_engines.workflows.model import (
    State,
    StepView,
    Stuck,
    WorkflowView,
)
from drystone.l10_engines.workflows.payloads import Failure, decode, encode
from drystone.l10_engines.workflows.run import Definition
from drystone.l10_engines.workflows.starting import Start, check_name, start

I = TypeVar("I")  # noqa: E741 - input
R = TypeVar("R")

MOST_SIGNALS = 1000
"""Of one workflow, in its whole life."""

_PART = "workflows"
_UNCLAIMED = timedelta(minutes=1)
"""So long something may be due before it counts as stuck."""


async def prepare(database: Database) -> list[str]:
    """Make the tables of workflows in a schema, or bring them to the present version; names of the steps that took.

    Raises:
        MigrationsDiverged: They are of a newer version.
        DatabaseUnavailable: The server cannot do it now.
    """
    return await migrate(database, _PART, steps_of("drystone.l10_engines.workflows"))


class Workflows:
    """The workflows of one schema.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._endings = Endings(database)

    async def start(
        self, definition: Definition[I, Any], id_: str, given: I, *, queue: str | None = None
    ) -> bool:
        """Start a workflow; whether it was not started before.

        Args:
            definition: What it is. Some worker knows it, or it waits for one.
            id_: Under which it is known. Starting the same twice starts it once, so a caller who is not sure tries again.
            given: Its input.
            queue: Of the workflows in one queue, one at a time is open, in the order of their starts.

        Raises:
            AlreadyStarted: Something else has this id.
            WorkflowRefused: The id or the queue cannot be one.
            PayloadTooLarge: The input is too large.
            DatabaseUnavailable: The server cannot do it now.
        """
        async with self._database.session() as session, session.transaction():
            return await self.start_within(session, definition, id_, given, queue=queue)

    async def start_within(
        self,
        session: Session,
        definition: Definition[I, Any],
        id_: str,
        given: I,
        *,
        queue: str | None = None,
    ) -> bool:
        """As :meth:`start`, within a transaction of the caller's in the same schema: both take effect, or none."""
        what = Start(
            id=id_,
            kind=definition.name,
            version=definition.version,
            input=encode(given, f"the input of {id_}"),
            queue=queue,
        )
        return await start(session, self._database, what)

    async def result(
        self, id_: str, *, gives: type[R], within: timedelta = timedelta(minutes=1)
    ) -> R:
        """Wait for the end of a workflow, and return its result.

        Raises:
            WorkflowNotFound: There is none.
            WorkflowFailed: It failed.
            WorkflowCancelled: It was cancelled.
            DeadlineExceeded: It has not ended in time; it goes on.
        """
        ended = await self._endings.wait(id_, within)
        if ended.error is not None:
            raise WorkflowFailed(f"{id_} failed: {ended.error.sentence()}", workflow=id_)
        if ended.state == State.CANCELLED:
            raise WorkflowCancelled(f"{id_} was cancelled", workflow=id_)
        return decode(bytes(ended.result).decode(), gives, f"the result of {id_}")

    async def signal(
        self, id_: str, name: str, payload: object = None, *, key: str | None = None
    ) -> None:
        """Send a signal; it waits in the journal until the workflow asks for one of its name.

        Args:
            id_: The workflow.
            name: What the workflow waits for.
            payload: What it carries.
            key: Two signals with one key are one, so a sender who is not sure sends again.

        Raises:
            WorkflowNotFound: There is no such workflow.
            WorkflowHasEnded: Nobody will ask for it.
            TooManySignals: It has had :data:`MOST_SIGNALS`.
            PayloadTooLarge: The payload is too large.
        """
        check_name(name, "signal")
        text = encode(payload, f"the payload of {name}")
        async with self._database.session() as session, session.transaction():
            if await session.fetch(
                statements.SIGNAL, id=id_, name=name, payload=text, key=key, most=MOST_SIGNALS
            ):
                await waking.notify(session, self._database, waking.DUE)
                return
            found = await session.fetch(statements.SIGNALLED, id=id_, key=key)
        if not found:
            raise WorkflowNotFound(f"there is no workflow {id_}", workflow=id_)
        has_ended, come, is_known = found[0]
        if is_known:
            return
        if has_ended:
            raise WorkflowHasEnded(
                f"{id_} has ended; the signal {name} comes too late", workflow=id_
            )
        raise TooManySignals(f"{id_} has had {come} signals, the most one may have", workflow=id_)

    async def cancel(self, id_: str, reason: str) -> None:
        """Ask a workflow to end: it comes to the end of its present step, and what it did is undone.

        One that is being undone already is left to it; a parked one is taken up again.

        Raises:
            WorkflowNotFound: There is none.
            WorkflowHasEnded: There is nothing to cancel.
        """
        async with self._changing(id_) as session:
            if await session.fetch(statements.CANCEL, id=id_, reason=reason[:500]):
                return
        raise await self._why_not(id_)

    async def resume(self, id_: str) -> None:
        """Take up a parked workflow again: what stood in its way was mended.

        Raises:
            WorkflowNotFound: There is none.
            NotParked: It is not parked.
        """
        async with self._changing(id_) as session:
            if await session.fetch(statements.RESUME, id=id_):
                return
        one = await self.show(id_)
        raise NotParked(f"{id_} is {one.state} and not parked", workflow=id_)

    async def abandon(self, id_: str, reason: str) -> None:
        """End a workflow as failed, without undoing anything: a person did, or will.

        Raises:
            WorkflowNotFound: There is none.
            WorkflowHasEnded: It has ended by itself.
        """
        error = msgspec.json.encode(
            Failure(code="workflows.Abandoned", message=reason[:500])
        ).decode()
        async with self._changing(id_) as session:
            found = await session.fetch(statements.QUEUE_AND_PARENT, id=id_)
            queue, parent = found[0] if found else (None, None)
            if queue is not None:
                await session.fetch(statements.LOCK_QUEUE, queue=queue)
            if await session.fetch(statements.ABANDON, id=id_, error=error):
                how = waking.outcome(State.FAILED, None, error)
                await waking.let_others_go_on(
                    session, self._database, waking.Ended(id_, queue, parent, how)
                )
                await waking.notify(session, self._database, waking.ENDED)
                return
        raise await self._why_not(id_)

    async def show(self, id_: str) -> WorkflowView:
        """Return what is known of a workflow.

        Raises:
            WorkflowNotFound: There is none.
        """
        rows = await self._database.fetch(statements.SHOW, id=id_)
        if not rows:
            raise WorkflowNotFound(f"there is no workflow {id_}, or it was forgotten", workflow=id_)
        return _view(rows[0])

    async def steps(self, id_: str, *, after: int = -1, most: int = 200) -> list[StepView]:
        """Return what its journal has, from behind a place on."""
        rows = await self._database.fetch(statements.STEPS, id=id_, after=after, most=most)
        return [
            StepView(
                seq=seq,
                kind=kind,
                name=name,
                attempt=attempt,
                tries=tries,
                error=_failure(error),
                ended_at=at,
            )
            for seq, kind, name, attempt, tries, error, at in rows
        ]

    async def find(
        self,
        *,
        state: State | None = None,
        kind: str | None = None,
        queue: str | None = None,
        before: int | None = None,
        most: int = 100,
    ) -> list[WorkflowView]:
        """Return workflows, the latest first; ``before`` takes the last one's number for what is behind it."""
        rows = await self._database.fetch(
            statements.LIST, state=state, kind=kind, queue=queue, before=before, most=most
        )
        return [_view(row) for row in rows]

    async def stuck(self, *, unclaimed: timedelta = _UNCLAIMED, most: int = 100) -> list[Stuck]:
        """Return those that do not go on by themselves, or fail again and again, and why; the oldest first.

        Args:
            unclaimed: How long something may be due without anybody taking it up.
            most: How many at most.
        """
        rows = await self._database.fetch(statements.STUCK, patience=unclaimed, most=most)
        if not rows:
            return []
        found = await self._database.fetch(statements.KNOWN_CODES, patience=unclaimed)
        known = [str(row[0]) for row in found]
        return [
            Stuck(
                id=row[0], kind=row[1], version=row[2], state=State(row[3]), reason=_why(row, known)
            )
            for row in rows
        ]

    async def forget(self, *, kept: timedelta, most: int = 500) -> int:
        """Forget workflows that ended longer ago; how many, at most ``most``."""
        return len(await self._database.fetch(statements.PRUNE, kept=kept, most=most))

    @asynccontextmanager
    async def _changing(self, id_: str) -> AsyncIterator[Session]:
        async with self._database.session() as session, session.transaction():
            yield session
            await waking.notify(session, self._database, waking.DUE)

    async def _why_not(self, id_: str) -> WorkflowNotFound | WorkflowHasEnded:
        try:
            one = await self.show(id_)
        except WorkflowNotFound as e:
            return e
        return WorkflowHasEnded(f"{id_} has ended: {one.state}", workflow=id_)


def _failure(text: str | None) -> Failure | None:
    return msgspec.json.decode(text, type=Failure) if text else None


def _view(row: Row) -> WorkflowView:
    names = WorkflowView.__struct_fields__
    values = dict(zip(names, row, strict=True))
    values["state"] = State(values["state"])
    values["trouble"], values["error"] = _failure(values["trouble"]), _failure(values["error"])
    return WorkflowView(**values)


def _why(row: Row, known: list[str]) -> str:
    _, kind, version, _, trouble, tries, stalled, why, behind = row
    said = _failure(trouble)
    if why == "parked":
        return said.sentence() if said else "parked"
    if why == "queued":
        return f"behind {behind}, which is parked"
    if why == "failing" and said:
        return f"failed {tries} times and is tried again: {said.sentence()}"
    if f"{kind} {version}" in known:
        return f"due, and not taken up by those who know it, {stalled} times in vain: too few workers, or they end"
    return f"no worker knows {kind} version {version}; those that are there know: {', '.join(known) or 'nothing'}"
