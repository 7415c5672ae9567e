"""The workflow that every release is: admitted, waited for, brought up, rolled out, settled or withdrawn, recorded.

Whoever carries it out may die between any two statements. The journal has which steps ended; what a step had begun is asked of the
target, and where a rollout stands is in its own table. So another process goes on, and each release ends once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import msgspec

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows.attempts import Step
from drystone.l10_engines.workflows.errors import (
    StepFailed,
    TooManySignals,
    WaitTimedOut,
    WorkflowHasEnded,
    WorkflowNotFound,
)
from drystone.l10_engines.workflows.model import Retries
from drystone.l10_engines.workflows.run import Definition, Run
from drystone.l10_engines.workflows.worker import WorkerSettings
from drystone.l10_engines.workflows.workflows import Workflows
from drystone.l50_orchestrator.releases import statements
from drystone.l50_orchestrator.releases.admission import Next
from drystone.l50_orchestrator.releases.bringing import Bringing, Brought, Rolled
from drystone.l50_orchestrator.releases.ending import Ended, Ending, Follows
from drystone.l50_orchestrator.releases.judging import Judged, Judging
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.reminding import Reminders

T = TypeVar("T")

STUBBORN = Retries(times=1_000_000, first=timedelta(milliseconds=200), most=timedelta(minutes=1))
"""For what must come to an end: a target that is away comes back some day, and somebody sees that it is away."""

WORKING = WorkerSettings(concurrency=500, patience=100, grace=timedelta(seconds=1))
"""For a worker that carries releases out: a rollout holds a place as long as it lasts, is given away at once when the worker stops, and
may outlive many workers before it comes to its next step."""

WORD = "word"
"""The signal that says that something of a waiting release has changed."""


class Carrier:
    """Carries releases out.

    Args:
        parts: What it needs.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reader = Reader(parts.database)
        self.definition: Definition[str, str] = Definition(
            name="release", version=1, takes=str, gives=str, run=self._carry
        )
        self._workflows = Workflows(parts.database)
        self._judging = Judging(parts, self._reader)
        self._reminders = Reminders(self.wake)
        self._ending = Ending(parts, self.definition)

    async def wake(self, id_: str) -> None:
        """Let a release that waits look again now; one that does not wait finds every change by itself."""
        with suppress(WorkflowHasEnded, WorkflowNotFound, TooManySignals):
            await self._workflows.signal(id_, WORD, payload=True)

    async def _carry(self, run: Run, id_: str) -> str:
        try:
            ended = await self._to_its_end(run, id_)
            if ended.state == "served" and ended.goes_on:
                follows = await self._step(
                    run, "what follows", self._what_follows(id_), list[Follows]
                )
                ended = msgspec.structs.replace(ended, follows=follows)
        except StepFailed as e:
            # What a step met was nothing that passes. Whether the target has begun is not known, so it takes back.
            back = self._take_back(id_, str(e))
            try:
                said = await self._step(run, "take back", back, Brought)
                ended = _after_failure(said, str(e))
            except StepFailed as again:
                # As when its environment is gone, and so nobody is there to be asked.
                ended = Ended("failed", f"{e}; it could not be taken back: {again}")

        async def record(session: Session, _: Step) -> str:
            return await self._ending.end(session, id_, ended)

        # Whatever keeps the end from being written down, it is the end, and somebody has to see that it is not written.
        always = msgspec.structs.replace(STUBBORN, on=(Exception,))
        state = await run.transact("record", record, returns=str, retries=always)
        self._judging.forget(id_)
        self._reminders.forget(id_)
        return state

    async def _step(
        self, run: Run, name: str, do: Callable[[Step], Awaitable[T]], returns: type[T]
    ) -> T:
        """Do a step until it is done; meanwhile the release says what keeps it."""

        async def told(step: Step) -> T:
            try:
                return await do(step)
            except Unavailable as e:
                with suppress(DatabaseUnavailable):
                    why = f"{name}: {e.message}; it is tried again within a minute"
                    await self._parts.database.fetch(statements.SET_WHY, id=run.id, why=why)
                raise

        return await run.step(name, told, returns=returns, retries=STUBBORN)

    async def _to_its_end(self, run: Run, id_: str) -> Ended:
        judged = await self._admit(run, id_)
        if isinstance(judged, Ended):
            return judged
        goes_on = judged.goes_on
        up = await self._step(run, "bring up", self._bring(id_, judged), Brought)
        if up.state != "holding":
            return msgspec.structs.replace(_at_once(up), goes_on=goes_on)
        rolled = await self._step(run, "roll out", self._roll(id_, up), Rolled)
        if rolled.phase == "promoted":
            done = await self._step(run, "settle", self._settle(id_), Brought)
            if done.state != "holding":
                why = done.detail or rolled.why
                return Ended("served" if done.state == "serving" else "failed", why, done, goes_on)
            rolled = Rolled(f"the target will not give it all traffic: {done.detail}")
        back = self._take_back(id_, rolled.why or rolled.phase)
        away = await self._step(run, "withdraw", back, Brought)
        return _withdrawn(rolled, away)

    async def _admit(self, run: Run, id_: str) -> Judged | Ended:
        """Wait until it may be brought up; how it ended where it never may."""
        judged = await self._step(run, "judge", self._judge(id_), Judged)
        if judged.refused:
            return Ended("refused", judged.refused)
        said, waited = judged.next, False
        while said.what == "wait":
            waited = True
            with suppress(WaitTimedOut):
                await run.wait(WORD, carries=bool, within=said.within)
            said = await self._step(run, "weigh", self._weigh(id_), Next)
        if said.what == "end":
            return Ended(said.state, said.why)
        if waited:  # rights, policies and what serves may have changed meanwhile
            again = self._judge(id_)
            judged = await self._step(run, "judge again", again, Judged)
        return Ended("refused", judged.refused) if judged.refused else judged

    # Steps

    def _judge(self, id_: str) -> Callable[[Step], Awaitable[Judged]]:
        async def judge(_: Step) -> Judged:
            judged = await self._judging.judge(id_)
            self._remind(id_, judged.next)
            return judged

        return judge

    def _weigh(self, id_: str) -> Callable[[Step], Awaitable[Next]]:
        async def weigh(_: Step) -> Next:
            said = await self._judging.weigh(id_)
            self._remind(id_, said)
            return said

        return weigh

    def _remind(self, id_: str, said: Next) -> None:
        if said.what == "wait":
            self._reminders.set(id_, said.within)
        else:
            self._reminders.forget(id_)

    def _bring(self, id_: str, judged: Judged) -> Callable[[Step], Awaitable[Brought]]:
        async def bring(_: Step) -> Brought:
            record = await self._reader.record(id_)
            terms = await self._judging.terms(record)
            is_back = record.asked.kind == "rollback"
            is_held = terms is not None and terms.can_be_held
            is_held = is_held and bool((terms and terms.rollout) or record.asked.expected)
            up = await (await self._bringing(record)).up(
                None if is_back else await self._judging.source(record),
                hold=is_held and not is_back,
                base=judged.base,
                back_to=judged.back_to,
            )
            if up.state == "serving":  # nothing served that it could have been held beside
                return msgspec.structs.replace(up, detail=_other(record, up))
            return up

        return bring

    def _roll(self, id_: str, up: Brought) -> Callable[[Step], Awaitable[Rolled]]:
        async def roll(_: Step) -> Rolled:
            record = await self._reader.record(id_)
            if said := _other(record, up):
                return Rolled(said)
            terms = await self._judging.terms(record)
            if terms is None or terms.rollout is None:
                return Rolled("promoted")
            return await (await self._bringing(record)).roll(terms.rollout)

        return roll

    def _settle(self, id_: str) -> Callable[[Step], Awaitable[Brought]]:
        async def settle(_: Step) -> Brought:
            return await (await self._bringing(await self._reader.record(id_))).settle()

        return settle

    def _what_follows(self, id_: str) -> Callable[[Step], Awaitable[list[Follows]]]:
        async def what_follows(_: Step) -> list[Follows]:
            return await self._ending.what_follows(await self._reader.record(id_))

        return what_follows

    def _take_back(self, id_: str, reason: str) -> Callable[[Step], Awaitable[Brought]]:
        async def take_back(_: Step) -> Brought:
            bringing = await self._bringing(await self._reader.record(id_))
            return await bringing.withdraw(reason)

        return take_back

    async def _bringing(self, record: Record) -> Bringing:
        environment = await self._parts.registry.environment(record.asked.environment)
        target = self._parts.target(environment)
        return Bringing(self._parts.database, target, record, self._parts.pace)


def _other(record: Record, up: Brought) -> str:
    """Say that another artefact was built than the one that was promoted; nothing when it is the same."""
    expected = record.asked.expected
    if not expected or up.artefact in {"", expected}:
        return ""
    return f"what was built is {up.artefact}, and not {expected} as in the environment before: its folder has changed"


def _at_once(up: Brought) -> Ended:
    """Return the end of what took all traffic at once, or none."""
    match up.state:
        case "serving":
            return Ended("served", up.detail, up)
        case "withdrawn":
            return Ended("aborted", up.detail, up)
        case "moved":
            return Ended("refused", up.detail)
        case _:
            return Ended("failed", up.detail, up)


def _withdrawn(rolled: Rolled, away: Brought) -> Ended:
    """Return the end of what was held and is not wanted."""
    why = rolled.why or rolled.phase
    if away.state == "serving":
        return Ended("served", f"it was to be withdrawn ({why}), and serves all the same", away)
    match rolled.phase:
        case "rolled-back" | "aborted":
            return Ended(rolled.phase, why, away)
        case _:
            return Ended("failed", why, away)


def _after_failure(said: Brought, why: str) -> Ended:
    if said.state == "serving":
        return Ended("served", f"it serves, although not all went well: {why}", said)
    return Ended("failed", why, said)
