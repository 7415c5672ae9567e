"""One taking up of a workflow: its function runs from the beginning, and what the journal has is not done again.

The function calls its :class:`Run` for everything that has an effect or differs each time. Each call has the next place
in the journal. Where the journal has that place, the call returns what stands there; where it does not, the thing is
done and then written, and only then the function goes on. So a function that is deterministic between its calls comes
to where it was, in any process, and what it did is in the journal or was under way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, overload

import msgspec

from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows import statements, waking
from drystone.l10_engines.workflows.attempts import Attempts, Step
from drystone.l10_engines.workflows.errors import (
    StepFailed,
    WaitTimedOut,
    WorkflowCancelled,
    WorkflowFailed,
)
from drystone.l10_engines.workflows.model import Retries, State
from drystone.l10_engines.workflows.payloads import decode, encode
from drystone.l10_engines.workflows.replay import Kind, Replay, Row
from drystone.l10_engines.workflows.starting import Start, check_name, start

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - input
R = TypeVar("R")

Compensation = Callable[[str, Any], Awaitable[None]]
"""Takes back what a step did. It is given the step's key and its output; None when the step failed, or may have been
begun by a worker that died: either may have done a part of it. It may run more than once, and must bear that there is
nothing to take back."""

_STANDARD = Retries()
_NOTHING: type[Any] = type(None)


class Run:
    """What the function of a workflow is given. Its calls come one after the other, never two at once.

    Every call may raise, beside what it says: what ends the function where it stands, when the workflow is to rest, to
    be undone or to be left to another worker. That is no :class:`Exception`; let it pass.
    """

    def __init__(self, replay: Replay, attempts: Attempts) -> None:
        self._replay = replay
        self._attempts = attempts
        self._undo: list[Callable[[], Awaitable[None]]] = []
        self._ended_children: set[str] = set()

    @property
    def id(self) -> str:
        """The workflow's id."""
        return self._replay.claim.id

    @overload
    async def step(
        self,
        name: str,
        do: Callable[[Step], Awaitable[None]],
        *,
        retries: Retries = ...,
        limit: timedelta | None = ...,
        compensate: Compensation | None = ...,
    ) -> None: ...

    @overload
    async def step(
        self,
        name: str,
        do: Callable[[Step], Awaitable[T]],
        *,
        returns: type[T],
        retries: Retries = ...,
        limit: timedelta | None = ...,
        compensate: Compensation | None = ...,
    ) -> T: ...

    async def step(
        self,
        name: str,
        do: Callable[[Step], Awaitable[Any]],
        *,
        returns: type[Any] = _NOTHING,
        retries: Retries = _STANDARD,
        limit: timedelta | None = None,
        compensate: Compensation | None = None,
    ) -> Any:
        """Do something once, as far as that can be: at least once, and always with the same key.

        Args:
            name: The same each time the function comes by.
            do: Does it. Who dies between the effect and the journal does it again: give ``key`` to whatever
                has the effect, so that it can tell.
            returns: Type of the output, which is what is read back from JSON, the first time too.
            retries: When to try again.
            limit: How long one try may take; a longer one counts as unavailable.
            compensate: Takes it back, if the workflow fails or is cancelled later on, or this step fails.

        Raises:
            StepFailed: It failed for good; the journal has it.
        """

        async def once(step: Step) -> str:
            return encode(await do(step), f"the output of step {name}")

        seq = self._replay.next
        if compensate is not None:
            self._undo.append(lambda: self._take_back(name, seq, compensate, returns))
        row = await self._replay.call(
            Kind.STEP,
            name,
            lambda seq: self._attempts.make(
                seq, Kind.STEP, name, once, retries=retries, limit=limit
            ),
        )
        return self._output(row, returns)

    async def transact(
        self,
        name: str,
        do: Callable[[Session, Step], Awaitable[T]],
        *,
        returns: type[T],
        retries: Retries = _STANDARD,
    ) -> T:
        """Change tables of the same schema exactly once: the changes and the journal's entry are one transaction.

        Args:
            name: As for :meth:`step`.
            do: Uses the session, which is in the transaction.
            returns: As for :meth:`step`.
            retries: As for :meth:`step`; a server that goes away in the middle is one reason.

        Raises:
            StepFailed: It failed for good; nothing of it was done.
        """
        row = await self._replay.call(
            Kind.STEP, name, lambda seq: self._attempts.transact(seq, Kind.STEP, name, do, retries)
        )
        return self._output(row, returns)

    async def now(self) -> datetime:
        """Return the moment, by the database's clock, at which the workflow first came by."""

        async def make(seq: int) -> Row:
            moment = encode(self._replay.moment(), "a moment")
            return await self._replay.write(seq, Kind.NOW, "now", output=moment)

        return self._output(await self._replay.call(Kind.NOW, "now", make), datetime)

    async def sleep(self, duration: timedelta) -> None:
        """Go on when so much time has passed since the workflow first came by; nothing is held meanwhile."""
        until = await self._time(Kind.SLEEP, "sleep", duration)
        if until > self._replay.moment():
            self._replay.heed_cancel()
        await self._replay.rest_until(until, "sleep")

    async def wait(self, signal: str, *, carries: type[T], within: timedelta | None = None) -> T:
        """Wait for a signal, and return what it carries; each one is taken once, in the order in which they came.

        Args:
            signal: Its name.
            carries: Type of its payload.
            within: How long; for ever when None.

        Raises:
            WaitTimedOut: None came.
        """
        check_name(signal, "signal")
        until = None
        if within is not None:
            until = await self._time(Kind.SLEEP, f"time for {signal}", within)
        row = await self._replay.call(Kind.WAIT, signal, lambda seq: self._take(seq, signal, until))
        if row.output is None:
            raise WaitTimedOut(f"no signal {signal} came to {self.id} in time", workflow=self.id)
        return self._output(row, carries)

    async def begin_child(
        self, definition: Definition[I, Any], given: I, *, queue: str | None = None
    ) -> str:
        """Start a workflow whose end :meth:`end_of` gives; its id. It is cancelled when this one is undone before.

        Args:
            definition: What it is.
            given: Its input.
            queue: Its queue.

        Raises:
            StepFailed: It cannot be started like this; see :func:`~drystone.l10_engines.workflows.starting.start`.
        """
        name = f"begin {definition.name}"

        async def once(session: Session, _: Step) -> str:
            what = Start(
                id=f"{self.id}/{seq}",
                kind=definition.name,
                version=definition.version,
                input=encode(given, f"the input of {definition.name}"),
                queue=queue,
                parent=self.id,
            )
            await start(session, self._attempts.database, what)
            return what.id

        seq = self._replay.next
        row = await self._replay.call(
            Kind.CHILD,
            name,
            lambda seq: self._attempts.transact(seq, Kind.CHILD, name, once, _STANDARD),
        )
        child = self._output(row, str)
        self._undo.append(lambda: self._end_child(child))
        return child

    async def end_of(self, child: str, *, gives: type[T]) -> T:
        """Wait for the end of a child, and return its result.

        Raises:
            WorkflowFailed: It failed.
            WorkflowCancelled: It was cancelled.
        """
        name = waking.end_of(child)
        row = await self._replay.call(Kind.WAIT, name, lambda seq: self._take(seq, name, None))
        self._ended_children.add(child)
        outcome = decode(row.output or "", waking.Outcome, f"the end of {child}")
        if outcome.error is not None:
            raise WorkflowFailed(f"{child} failed: {outcome.error.sentence()}", workflow=child)
        if outcome.state == State.CANCELLED:
            raise WorkflowCancelled(f"{child} was cancelled", workflow=child)
        return decode(bytes(outcome.result).decode(), gives, f"the result of {child}")

    async def undo_all(self) -> None:
        """Take back what was done, the last first; for whoever carries the workflow out."""
        for undo in reversed(self._undo):
            await undo()

    async def _take_back(
        self, name: str, of: int, compensate: Compensation, kind: type[Any]
    ) -> None:
        done = self._replay.row(of)
        is_done = done is not None and done.kind == Kind.STEP and done.error is None
        output = self._output(done, kind) if done is not None and is_done else None

        async def once(_: Step) -> str:
            await compensate(f"{self.id}:{of}", output)
            return "null"

        await self._undo_call(name, once)

    async def _undo_call(self, name: str, once: Callable[[Step], Awaitable[str]]) -> None:
        await self._replay.call(
            Kind.UNDO,
            name,
            lambda seq: self._attempts.make(
                seq, Kind.UNDO, name, once, retries=_STANDARD, parks=True
            ),
        )

    async def _end_child(self, child: str) -> None:
        if child in self._ended_children:
            return

        async def once(_: Step) -> str:
            database = self._attempts.database
            async with database.session() as session, session.transaction():
                await session.fetch(statements.CANCEL, id=child, reason=f"{self.id} is undone")
                await waking.notify(session, database, waking.DUE)
            return "null"

        await self._undo_call(f"cancel {child}", once)
        name = waking.end_of(child)
        await self._replay.call(Kind.WAIT, name, lambda seq: self._take(seq, name, None))

    async def _time(self, kind: Kind, name: str, duration: timedelta) -> datetime:
        """Return the moment, the same whenever the workflow comes by, at which so much time has passed."""

        async def make(seq: int) -> Row:
            until = encode(self._replay.moment() + duration, "a moment")
            return await self._replay.write(seq, kind, name, output=until)

        return self._output(await self._replay.call(kind, name, make), datetime)

    async def _take(self, seq: int, name: str, until: datetime | None) -> Row:
        """Take the next signal of this name into the journal, or rest until there is one."""
        number, payload, come = await self._attempts.next_signal(name)
        if number is not None:
            return await self._replay.write_taken(seq, name, payload, number)
        if until is not None and self._replay.moment() >= until:
            return await self._replay.write(seq, Kind.WAIT, name)
        return await self._replay.rest(until, f"signal {name}", signals=come)

    def _output(self, row: Row, kind: type[T]) -> T:
        if row.error is not None:
            raise StepFailed(
                f"{self.id}, {row.error.sentence()}",
                workflow=self.id,
                step=row.error.step,
                code=row.error.code,
            )
        return decode(row.output or "null", kind, f"the output of {row.name} of {self.id}")


class Definition(msgspec.Struct, Generic[I, R], frozen=True, kw_only=True):
    """A kind of workflow, in one version.

    Attributes:
        name: Of the kind.
        version: A change of the order or the names of steps needs a new one; while workflows of the old one are
            open, its code stays registered beside the new.
        takes: Type of the input.
        gives: Type of the result.
        run: The function. It does everything that has an effect, or that differs each time, in steps of its
            :class:`Run`, one after the other; between them it may compute.
    """

    name: str
    version: int
    takes: type[I]
    gives: type[R]
    run: Callable[[Run, I], Awaitable[R]]


AnyDefinition = Definition[Any, Any]
