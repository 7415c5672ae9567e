"""What is done at the target: bring a release up, part the traffic, give it all of it or take it away.

Each of these may be begun by one process and ended by another. The target knows the release by its id: what was done under it is
found again and not done twice. What the target says in the end is what counts, not what a stream said that broke off.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Literal

import msgspec

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.api import Progress, Source
from drystone.l50_orchestrator.releases import looking, statements, store
from drystone.l50_orchestrator.releases.parts import Pace
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.telling import Telling
from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.errors import ObservationUnfit
from drystone.l50_orchestrator.rollout.machine import Order
from drystone.l50_orchestrator.rollout.plan import Plan
from drystone.l50_orchestrator.target import Outcome, Present, Signals, Target

_FIRST = timedelta(seconds=15)
"""Of a step, in which a rollout is looked at more often."""


class Brought(msgspec.Struct, frozen=True):
    """What came of bringing a release up.

    Attributes:
        state: As the target tells; ``moved`` when something else serves than when it was admitted, and nothing was done.
        release: The target's number.
        artefact: Digest of what it runs.
        detail: Why it failed.
    """

    state: Literal["holding", "serving", "failed", "withdrawn", "moved"]
    release: int = 0
    artefact: str = ""
    detail: str = ""


class Rolled(msgspec.Struct, frozen=True):
    """How a rollout ended.

    Attributes:
        phase: ``promoted``, ``rolled-back`` or ``aborted``; anything else says why it was not even begun.
        why: Why it ended so.
    """

    phase: str
    why: str = ""


class Bringing:
    """One release at its target.

    Args:
        database: Where the tables are.
        target: Where it runs.
        record: The release.
        pace: How often something is looked at.
    """

    def __init__(self, database: Database, target: Target, record: Record, pace: Pace) -> None:
        self._database = database
        self._reader = Reader(database)
        self._target = target
        self._record = record
        self._pace = pace
        self._where = (record.asked.environment, record.asked.service)
        self._key = record.asked.id
        self._telling = Telling(database, record.asked.id)

    async def up(self, source: Source | None, *, hold: bool, base: str, back_to: int) -> Brought:
        """Bring it up.

        Args:
            source: Its descriptor; None for a way back.
            hold: Whether it gets no traffic yet.
            base: What served when it was admitted, as :func:`mark` writes it.
            back_to: The target's number of the release to return to.

        Raises:
            Unavailable: The target cannot tell now what became of it.
        """
        outcome = await self._outcome()
        said = ""
        if outcome.state == "unknown":
            if await self._abort() is not None:
                return Brought("withdrawn", detail="aborted before anything was brought up")
            if (now := await mark(self._target, *self._where)) != base:
                return Brought("moved", detail=_moved(base, now))
        if outcome.state in {"unknown", "running"}:
            await self._to("starting")
            said = await self._drain(self._begin(source, hold=hold, back_to=back_to), heeds=True)
            outcome = await self._outcome()
        if outcome.state == "unknown" and said:
            return Brought("failed", detail=said)
        return _brought(outcome, said)

    async def roll(self, plan: Plan) -> Rolled:
        """Part the traffic step by step, until the rollout is over; how it ended.

        Raises:
            Unavailable: The database or the target cannot do it now.
        """
        await self._to("rolling")
        kept = await self._reader.rollout(self._key) or await self._begun(plan)
        state, seen, taken = kept.state, kept.seen, kept.orders
        brought: machine.Wanted | None = None
        told = len(state.turns) if kept.orders or kept.seen != looking.NOTHING else 0
        while True:
            async with self._database.session() as session:
                given = await store.orders(session, self._key, taken)
            for number, verb, by in given:
                state = machine.ordered(state, Order(state.at, verb, by))  # type: ignore[arg-type]
                taken = number
            if not state.is_over:
                state, seen = await self._look(state, seen)
            await self._keep(state, seen, taken)
            for turn in state.turns[told:]:
                self._telling.add(
                    "rollout", "info", f"{100 * turn.share:.3g}% of the traffic: {turn.why}"
                )
            told = len(state.turns)
            await self._telling.flush()
            if state.phase == "rolled-back":
                await self._witness(state, seen, taken)
            if state.is_over:
                return Rolled(state.phase, state.why)
            if state.wanted != brought:
                await self._shift(state.wanted)
                brought = state.wanted
            await self._until_next(taken, state)

    async def settle(self) -> Brought:
        """Give it all traffic for good. It still holds, with the reason, where the target will not do that."""
        await self._to("settling")
        said = ""
        if (outcome := await self._outcome()).state == "holding":
            said = await self._drain(
                self._target.settle(self._record.context(), *self._where, self._key)
            )
            outcome = await self._outcome()
            if outcome.state == "holding" and not said:
                raise Unavailable(f"the target has not settled {self._record.name} yet")
        return _brought(outcome, said)

    async def withdraw(self, reason: str) -> Brought:
        """Take it away; what served before serves."""
        await self._to("withdrawing")
        stream = self._target.withdraw(self._record.context(), *self._where, self._key, reason)
        said = await self._drain(stream)
        outcome = await self._outcome()
        if outcome.state == "unknown":
            return Brought("withdrawn", detail=reason)  # it was never there
        if outcome.state == "holding":
            raise Unavailable(f"the target has not withdrawn {self._record.name} yet: {said}")
        return _brought(outcome, said)

    def _begin(self, source: Source | None, *, hold: bool, back_to: int) -> AsyncIterator[Progress]:
        ctx, asked = self._record.context(), self._record.asked
        if source is None:
            return self._target.roll_back(ctx, self._key, *self._where, back_to)
        return self._target.deploy(
            ctx,
            self._key,
            source,
            asked.environment,
            asked.version,
            hold=hold,
            confirm=asked.confirm,
            artefact=asked.expected,
        )

    async def _drain(self, stream: AsyncIterator[Progress], *, heeds: bool = False) -> str:
        """Read a stream to its end, heeding an order to abort; why it failed, empty when it did not.

        Raises:
            Unavailable: It broke off, and the target goes on or not.
        """

        async def read() -> None:
            async for one in stream:
                self._telling.progress(one)

        reading = asyncio.ensure_future(read())
        is_ordered = False
        try:
            while not (await asyncio.wait({reading}, timeout=self._pace.orders.total_seconds()))[0]:
                await self._telling.flush()
                if heeds and not is_ordered and (by := await self._abort()) is not None:
                    is_ordered = True
                    reason = f"aborted by {by}"
                    await self._drain(
                        self._target.withdraw(
                            self._record.context(), *self._where, self._key, reason
                        )
                    )
            await reading
        except Unavailable:
            raise
        except PlatformError as e:
            await self._telling.say("target", "failed", e.message)
            return e.message
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()
        await self._telling.flush()
        return ""

    async def _look(self, state: machine.State, seen: Signals) -> tuple[machine.State, Signals]:
        """Look once more; where nothing can be seen, nothing changes."""
        try:
            now = await self._target.signals(*self._where, self._key)
            return machine.looked(state, looking.look_of(state.plan, seen, now)), now
        except (Unavailable, ObservationUnfit) as e:
            self._telling.add("rollout", "info", f"cannot be looked at now: {e.message}")
            return state, seen

    async def _witness(self, state: machine.State, seen: Signals, taken: int) -> None:
        """Keep what went wrong with a release that is to go, once it gets nothing more: proxies write some of it down later."""
        try:
            await self._shift(state.wanted)
            await asyncio.sleep(self._pace.evidence.total_seconds())
            now = await self._target.signals(*self._where, self._key)
            last = looking.look_of(state.plan, seen, now)
            await self._keep(machine.witnessed(state, last), now, taken)
        except PlatformError as e:
            self._telling.add(
                "rollout", "info", f"not all of what went wrong is known: {e.message}"
            )

    async def _shift(self, wanted: machine.Wanted) -> None:
        await self._target.shift(
            *self._where,
            self._key,
            share=wanted.share,
            cohort=wanted.cohort,
            header=wanted.header,
            by=wanted.by,
        )

    async def _until_next(self, taken: int, state: machine.State) -> None:
        """Wait until it is time to look, or somebody gave an order.

        Args:
            taken: Number of the latest order that was carried out.
            state: Of the rollout.
        """
        left = self._pace.look
        if state.held < _FIRST or state.crossing.trial is not None:
            left = min(left, self._pace.first)
        while left > timedelta():
            pause = min(left, self._pace.orders)
            await asyncio.sleep(pause.total_seconds())
            left -= pause
            async with self._database.session() as session:
                if await store.orders(session, self._key, taken):
                    return

    async def _begun(self, plan: Plan) -> store.Kept:
        """Begin a rollout. Orders to pause that were taken back before it began are over."""
        begun = machine.begin(plan, seed=secrets.randbits(53))
        kept = store.Kept(begun, looking.NOTHING, 0, timedelta())
        async with self._database.session() as session:
            await session.fetch(
                statements.BEGIN_ROLLOUT,
                release=self._key,
                state=store.pack(kept.state),
                seen=store.pack(kept.seen),
            )
            given = await store.orders(session, self._key, 0)
        over = [number for number, verb, _ in given if verb == "resume"]
        return msgspec.structs.replace(kept, orders=max(over, default=0))

    async def _keep(self, state: machine.State, seen: Signals, taken: int) -> None:
        async with self._database.session() as session:
            await session.fetch(
                statements.KEEP_ROLLOUT,
                release=self._key,
                state=store.pack(state),
                seen=store.pack(seen),
                orders=taken,
            )

    async def _abort(self) -> str | None:
        """Return who ordered to abort."""
        async with self._database.session() as session:
            given = await store.orders(session, self._key, 0)
        return next((by for _, verb, by in given if verb == "abort"), None)

    async def _to(self, state: str) -> None:
        async with self._database.session() as session:
            await session.fetch(statements.SET_STATE, id=self._key, state=state, why="")

    async def _outcome(self) -> Outcome:
        return await self._target.outcome(*self._where, self._key)


async def mark(target: Target, environment: str, service: str) -> str:
    """Write down what serves at a target, so that it can be told whether something else does later."""
    return mark_of(await target.present(environment, service), service)


def mark_of(found: list[Present], service: str) -> str:
    """Return the mark of what a target says."""
    return " ".join(f"{one.release}:{one.key}" for one in found if one.service == service)


def _moved(base: str, now: str) -> str:
    before, after = (one.partition(":")[0] or "nothing" for one in (base, now))
    return (
        f"the target serves release {after} and not {before} as when this was admitted: somebody else changed it; nothing"
        " was done, ask again"
    )


def _brought(outcome: Outcome, said: str) -> Brought:
    match outcome.state:
        case "unknown" | "running":
            raise Unavailable(f"the target does not tell yet what became of it: {said}")
        case state:
            return Brought(state, outcome.release, outcome.artefact, outcome.detail or said)
