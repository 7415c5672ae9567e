"""Tries of one step, until it succeeds or fails for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

from drystone.l00_kernel.errors import DeadlineExceeded
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows import places, statements
from drystone.l10_engines.workflows.journal import Entry, Journal
from drystone.l10_engines.workflows.model import Retries
from drystone.l10_engines.workflows.payloads import Failure, encode, failure_of
from drystone.l10_engines.workflows.replay import Kind, Lost, Parks, Replay, Row

_PAUSE_S = 0.2


class Step:
    """What a step is told of itself.

    Attributes:
        key: ``<workflow>:<place>``, the same at each try, whoever tries; what has the effect can tell by it that it
            had it already.
        tries: Which try this is, from 1 on.
    """

    def __init__(self, key: str, tries: int, replay: Replay) -> None:
        self.key = key
        self.tries = tries
        self._replay = replay

    @property
    def is_cancelling(self) -> bool:
        """Whether somebody wants the workflow cancelled: a long step may end early by raising."""
        return self._replay.is_cancelling


class Attempts:
    """Does steps of one workflow.

    Args:
        replay: The workflow.
        journal: The worker's.
        database: Where the tables are.
    """

    def __init__(self, replay: Replay, journal: Journal, database: Database) -> None:
        self.database = database
        self._replay = replay
        self._journal = journal

    async def make(
        self,
        seq: int,
        kind: Kind,
        name: str,
        once: Callable[[Step], Awaitable[str]],
        *,
        retries: Retries,
        limit: timedelta | None = None,
        parks: bool = False,
    ) -> Row:
        """Try until it succeeds or fails for good, and write that.

        Args:
            seq: Its place.
            kind: What it is.
            name: Its name.
            once: One try; its output as JSON.
            retries: When there is another.
            limit: How long one may take.
            parks: Whether a failure is nothing that the workflow can live with.

        Raises:
            Leave: The function does not go on.
        """

        async def limited(step: Step) -> str:
            timer = asyncio.timeout(None if limit is None else limit.total_seconds())
            try:
                async with timer:
                    return await once(step)
            except TimeoutError as e:
                if not timer.expired():
                    raise
                raise DeadlineExceeded(f"a try of step {name} took longer than {limit}") from e

        output, error, tries = await self._try(seq, name, limited, retries)
        if error is not None and parks:
            said = msgspec.json.decode(error, type=Failure)
            how = "mend the cause and resume, or undo it by hand and abandon the workflow"
            self._replay.leave(
                Parks("UndoFailed", f"{said.code}: {said.message}; {how}", step=name)
            )
        places.STEP_DONE.reach()
        return await self._replay.write(seq, kind, name, output=output, error=error, tries=tries)

    async def transact(
        self,
        seq: int,
        kind: Kind,
        name: str,
        do: Callable[[Session, Step], Awaitable[Any]],
        retries: Retries,
    ) -> Row:
        """Do a step whose effect and whose place in the journal are one transaction.

        Where the answer to a commit was lost, it has landed or not: the journal says which.

        Raises:
            Leave: The function does not go on.
        """
        written: list[Entry] = []

        async def once(step: Step) -> str:
            database, replay = self.database, self._replay
            async with database.session() as session:
                if found := await session.fetch(statements.ONE_STEP, id=replay.claim.id, seq=seq):
                    output, tries = found[0]
                else:
                    async with session.transaction():
                        output, tries = (
                            encode(await do(session, step), f"{name}'s output"),
                            step.tries,
                        )
                        entry = replay.entry(seq, kind, name, output=output, tries=tries)
                        places.STEP_DONE.reach()
                        is_new = (await self._journal.insert(session, [entry])).get(replay.claim.id)
                        if is_new is None:
                            replay.leave(Lost())
                        if not is_new:
                            raise DatabaseUnavailable("an earlier try lands at this moment")
            written[:] = [replay.entry(seq, kind, name, output=output, tries=tries)]
            return str(output)

        _, error, tries = await self._try(seq, name, once, retries)
        if error is not None:
            return await self._replay.write(seq, kind, name, error=error, tries=tries)
        return self._replay.keep(written[0])

    async def _try(
        self, seq: int, name: str, once: Callable[[Step], Awaitable[str]], retries: Retries
    ) -> tuple[str | None, str | None, int]:
        claim = self._replay.claim
        tries = claim.tries if claim.failing == seq else 0
        while True:
            tries += 1
            places.STEP_BEGUN.reach()
            try:
                return await once(Step(f"{claim.id}:{seq}", tries, self._replay)), None, tries
            except Exception as e:  # noqa: BLE001 - whatever a step raises is its outcome, and goes into the journal
                failure = failure_of(e, name)
                pause = retries.pause_after(tries, e)
            if pause is None or self._replay.is_to_turn:
                return None, msgspec.json.encode(failure).decode(), tries
            await self._replay.note_trouble(seq, tries, failure)
            await self._replay.rest_until(self._replay.moment() + pause, f"another try of {name}")

    async def next_signal(self, name: str) -> tuple[int | None, str, int]:
        """Return number and payload of the next signal of this name, and how many have come in all."""
        while True:
            try:
                rows = await self.database.fetch(
                    statements.NEXT_SIGNAL, id=self._replay.claim.id, name=name
                )
            except DatabaseUnavailable:
                await asyncio.sleep(
                    _PAUSE_S
                )  # the lease is the limit: who has lost it is cancelled
                continue
            if not rows:
                self._replay.leave(Lost())
            number, payload, come = rows[0]
            return number, payload, come
