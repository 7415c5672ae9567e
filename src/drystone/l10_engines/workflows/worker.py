"""Carries workflows out, many at a time; as many workers as one likes share the work through the database.

A worker claims what is due and owns it for the length of a lease, which it renews. One that dies loses nothing: when
its leases end, others take up what it had. One that was stopped for longer, and goes on, finds every write refused.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import msgspec

from drystone.l00_kernel.ports import Log, NullLog
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows import places, statements, waking
from drystone.l10_engines.workflows.attempts import Attempts
from drystone.l10_engines.workflows.carrying import carry_out
from drystone.l10_engines.workflows.journal import Journal
from drystone.l10_engines.workflows.payloads import Failure
from drystone.l10_engines.workflows.replay import Claim, Lost, Parks, Replay, Rests, Row
from drystone.l10_engines.workflows.run import AnyDefinition, Run

_AGAIN_S = 0.2
_LEAST_PAUSE = timedelta(milliseconds=10)
"""What is due and still not claimed is under somebody's lock at the moment."""
_MOST_PRUNED = 500

_Codes = dict[str, list[str] | list[int]]


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker works.

    Attributes:
        lease: For how long a workflow is owned after the last renewal; so long its going on waits when the worker dies.
        concurrency: How many workflows run at once; those that sleep or wait do not count.
        poll: How often it looks without being told.
        hold: A pause that is not longer is waited for without giving the workflow away.
        patience: How many times in a row a workflow is taken up and comes no further, before it is parked: what it
            does next may kill whoever does it.
        grace: How long a step may take to come to its end when the worker is told to stop.
        keep: For how long workflows are remembered after their end; for ever when None.
    """

    lease: timedelta = timedelta(seconds=30)
    concurrency: int = 100
    poll: timedelta = timedelta(seconds=5)
    hold: timedelta = timedelta(seconds=1)
    patience: int = 10
    grace: timedelta = timedelta(seconds=10)
    keep: timedelta | None = None


class Worker:
    """Carries out workflows of the kinds that it knows.

    Args:
        database: Where the tables are.
        definitions: The kinds, one for each name and version.
        settings: How it works.
        log: Hears of what is lost, parked or not understood.
        name: Before its id, for those who look.
    """

    def __init__(
        self,
        database: Database,
        definitions: Sequence[AnyDefinition],
        *,
        settings: WorkerSettings | None = None,
        log: Log | None = None,
        name: str = "worker",
    ) -> None:
        self.id = f"{name}-{secrets.token_hex(8)}"
        self._database = database
        self._known = {(one.name, one.version): one for one in definitions}
        if len(self._known) != len(definitions):
            raise ValueError("two definitions have the same name and version")
        self._settings = settings or WorkerSettings()
        self._log = log or NullLog()
        self._journal = Journal(database, self.id, self._log)
        self._running: dict[tuple[str, int], tuple[Replay, asyncio.Task[None]]] = {}
        self._more = asyncio.Event()
        self._is_stopping = False

    @property
    def running(self) -> int:
        """How many workflows it carries out now."""
        return len(self._running)

    def stop(self) -> None:
        """Claim nothing more; :meth:`run` returns when steps that are under way have ended and all is given away."""
        self._is_stopping = True
        self._more.set()

    async def run(self) -> None:
        """Work until :meth:`stop`. When this is cancelled instead, what is under way goes on when its lease has ended."""
        async with asyncio.TaskGroup() as group:
            sides = [
                group.create_task(work())
                for work in (self._journal.run, self._listen, self._renew, self._prune)
            ]
            try:
                await self._claim_until_stopped(group)
                await self._give_away()
            finally:
                for task in [*(task for _, task in self._running.values()), *sides]:
                    task.cancel()
        with suppress(DatabaseUnavailable):
            await self._database.fetch(statements.GONE, owner=self.id)

    async def _claim_until_stopped(self, group: asyncio.TaskGroup) -> None:
        codes: _Codes = {
            "kinds": [name for name, _ in self._known],
            "versions": [version for _, version in self._known],
        }
        while not self._is_stopping:
            self._more.clear()
            room = self._settings.concurrency - len(self._running)
            pause = self._settings.poll
            if room > 0:
                try:
                    claimed = await self._claim(room, codes)
                    if not claimed:
                        pause = min(pause, await self._until_due(codes))
                except DatabaseUnavailable as e:
                    self._log.warning("nothing can be claimed now", error=e, worker=self.id)
                    claimed, pause = [], timedelta(seconds=_AGAIN_S)
                for replay in claimed:
                    task = group.create_task(self._carry_out(replay))
                    self._running[replay.claim.id, replay.claim.attempt] = (replay, task)
                if claimed and len(claimed) == room:
                    pause = self._settings.poll
                elif claimed:
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await self._more.wait()

    async def _claim(self, room: int, codes: _Codes) -> list[Replay]:
        """Claim and read in one transaction: what is owned is known, or it is not owned."""
        async with self._database.session() as session, session.transaction():
            rows = await session.fetch(
                statements.CLAIM, owner=self.id, most=room, lease=self._settings.lease, **codes
            )
            claims = [Claim(**dict(zip(Claim.__struct_fields__, row, strict=True))) for row in rows]
            journals = await self._read(session, [one.id for one in claims if one.reached])
        places.CLAIMED.reach()
        return [
            Replay(claim, journals.get(claim.id, {}), self._journal, self._settings.hold)
            for claim in claims
        ]

    async def _read(self, session: Session, ids: list[str]) -> dict[str, dict[int, Row]]:
        found: dict[str, dict[int, Row]] = {}
        if ids:
            for workflow, seq, kind, name, output, error in await session.fetch(
                statements.JOURNALS, ids=ids
            ):
                failure = msgspec.json.decode(error, type=Failure) if error else None
                row = Row(kind=kind, name=name, output=output, error=failure)
                found.setdefault(workflow, {})[seq] = row
        return found

    async def _until_due(self, codes: _Codes) -> timedelta:
        rows = await self._database.fetch(statements.NEXT_DUE, **codes)
        left = rows[0][0]
        return self._settings.poll if left is None else max(left, _LEAST_PAUSE)

    async def _carry_out(self, replay: Replay) -> None:
        claim = replay.claim
        try:
            await self._to_the_end(replay)
        except Parks as parks:
            trouble = msgspec.json.encode(parks.failure).decode()
            change = self._journal.update(
                statements.PARK, id=claim.id, attempt=claim.attempt, trouble=trouble
            )
            await self._journal.write(change)
            self._log.error("workflow parked", workflow=claim.id, why=parks.failure.sentence())
        except Rests:
            pass
        except Lost:
            self._log.warning("workflow lost to another worker", workflow=claim.id, worker=self.id)
        except Exception as e:  # noqa: BLE001 - one that cannot be carried out must not end the others
            # Nothing is written, so it is taken up again when the lease ends, and parked when that goes on.
            self._log.error("workflow left as it is", error=e, workflow=claim.id)
        finally:
            del self._running[claim.id, claim.attempt]
            self._more.set()

    async def _to_the_end(self, replay: Replay) -> None:
        claim = replay.claim
        if claim.stalled >= self._settings.patience:
            message = (
                f"{claim.stalled} workers in a row took it up and came no further than place {claim.reached}: what it does"
                " there may end them; mend it and resume, or abandon the workflow"
            )
            replay.leave(Parks("Stalled", message))
        attempts = Attempts(replay, self._journal, self._database)
        definition = self._known[claim.kind, claim.version]
        await carry_out(definition, Run(replay, attempts), replay, self._journal)

    async def _renew(self) -> None:
        """Renew the leases, say that this worker is there, and hear of what is lost or to be cancelled."""
        codes = [f"{name} {version}" for name, version in self._known]
        while True:
            mine = list(self._running)
            kept: dict[str, bool] = {}

            async def change(
                session: Session,
                mine: list[tuple[str, int]] = mine,
                kept: dict[str, bool] = kept,
            ) -> bool:
                await session.fetch(statements.SEEN, owner=self.id, codes=codes)
                if mine:
                    rows = await session.fetch(
                        statements.RENEW,
                        owner=self.id,
                        ids=[id_ for id_, _ in mine],
                        attempts=[attempt for _, attempt in mine],
                        lease=self._settings.lease,
                    )
                    kept.update(rows)
                return True

            await self._journal.write(change)
            for one in mine:
                if one in self._running:
                    self._heed(one, kept.get(one[0]))
            await asyncio.sleep(self._settings.lease.total_seconds() / 3)

    def _heed(self, one: tuple[str, int], is_cancelling: bool | None) -> None:
        """Do as the row of a workflow says: leave it when it is another's, or nobody's, by now."""
        replay, task = self._running[one]
        if is_cancelling is None:
            task.cancel()
            self._log.info("not owned any more", workflow=one[0], worker=self.id)
        elif is_cancelling:
            replay.is_cancelling = True

    async def _listen(self) -> None:
        await self._again_and_again(self._listen_once)

    async def _listen_once(self) -> None:
        session = await self._database.open()
        try:
            async for word in session.notified(waking.channel_of(self._database)):
                if word != waking.ENDED:
                    self._more.set()
        finally:
            await session.close()

    async def _prune(self) -> None:
        if self._settings.keep is not None:
            await self._again_and_again(self._prune_once)

    async def _prune_once(self) -> None:
        while await self._database.fetch(
            statements.PRUNE, kept=self._settings.keep, most=_MOST_PRUNED
        ):
            pass
        await asyncio.sleep(self._settings.poll.total_seconds())

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except DatabaseUnavailable as e:
                self._log.warning("the database is away", error=e, worker=self.id)
                await asyncio.sleep(_AGAIN_S)

    async def _give_away(self) -> None:
        """Let each workflow come to the end of its present step and be free; what takes longer is given away as it is."""
        for replay, _ in self._running.values():
            replay.is_wanted_elsewhere = True
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.grace.total_seconds())
        for replay, task in list(self._running.values()):
            task.cancel()
            await asyncio.wait([task])
            change = self._journal.update(
                statements.RELEASE, id=replay.claim.id, attempt=replay.claim.attempt
            )
            await self._journal.write(change)
