"""The workflow that every release is: admitted, waited for, brought up, rolled out, settled or withdrawn, recorded.

Whoever carries it out may die between any two statements. The journal has which steps ended; what a step had begun is asked of the
target, and where a rollout stands is in its own table. So another process goes on, and each release ends once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import msgspec

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.postgres.database import Session
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
from drystone.l25_deployer.api import PlanView, Source
from drystone.l50_orchestrator.ports import Action, Change, Environment, Finding
from drystone.l50_orchestrator.releases import admission, statements, store
from drystone.l50_orchestrator.releases.admission import Facts, Next
from drystone.l50_orchestrator.releases.bringing import Bringing, Brought, Rolled, mark_of
from drystone.l50_orchestrator.releases.ending import Ended, Ending, Follows
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.store import Reader
from drystone.l50_orchestrator.releases.telling import Telling
from drystone.l50_orchestrator.releases.terms import Terms

STUBBORN = Retries(times=1_000_000, first=timedelta(milliseconds=200), most=timedelta(minutes=1))
"""For what must come to an end: a target that is away comes back some day, and somebody sees that it is away."""

WORKING = WorkerSettings(concurrency=500, patience=100, grace=timedelta(seconds=1))
"""For a worker that carries releases out: a rollout holds a place as long as it lasts, is given away at once when the worker stops, and
may outlive many workers before it comes to its next step."""

_MOST_READ = 64
"""Of how many releases the terms are remembered; each may have megabytes."""

WORD = "word"
"""The signal that says that something of a waiting release has changed."""

_ACTIONS = {
    "deploy": Action.DEPLOY,
    "promotion": Action.PROMOTE,
    "rollback": Action.ROLL_BACK,
    "adopted": Action.DEPLOY,
}


class Judged(msgspec.Struct, frozen=True):
    """What was said of a release before it is brought up.

    Attributes:
        refused: Why it is not; empty when it is.
        base: What serves at the target.
        back_to: Of a way back: the target's number of the release that is to serve again.
        next: Whether it may be brought up now.
        goes_on: Whether something may follow by itself when it serves.
    """

    refused: str = ""
    base: str = ""
    back_to: int = 0
    next: Next = Next("go")
    goes_on: bool = False


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
        self._read: dict[str, Terms | None] = {}
        self._ending = Ending(parts, self.definition)

    async def wake(self, id_: str) -> None:
        """Let a release that waits look again now; one that does not wait finds every change by itself."""
        with suppress(WorkflowHasEnded, WorkflowNotFound, TooManySignals):
            await self._workflows.signal(id_, WORD, payload=True)

    async def close(self) -> None:
        """Close what is idle of the database; what is under way goes on elsewhere."""
        await self._parts.database.close()

    async def _carry(self, run: Run, id_: str) -> str:
        try:
            ended = await self._to_its_end(run, id_)
            if ended.state == "served" and ended.goes_on:
                follows = await run.step(
                    "what follows",
                    self._what_follows(id_),
                    returns=list[Follows],
                    retries=STUBBORN,
                )
                ended = msgspec.structs.replace(ended, follows=follows)
        except StepFailed as e:
            # What a step met was nothing that passes. Whether the target has begun is not known, so it takes back.
            back = self._take_back(id_, str(e))
            said = await run.step("take back", back, returns=Brought, retries=STUBBORN)
            ended = _after_failure(said, str(e))

        async def record(session: Session, _: Step) -> str:
            return await self._ending.end(session, id_, ended)

        state = await run.transact("record", record, returns=str, retries=STUBBORN)
        self._read.pop(id_, None)
        return state

    async def _to_its_end(self, run: Run, id_: str) -> Ended:
        judged = await self._admit(run, id_)
        if isinstance(judged, Ended):
            return judged
        goes_on = judged.goes_on
        up = await run.step("bring up", self._bring(id_, judged), returns=Brought, retries=STUBBORN)
        if up.state != "holding":
            return msgspec.structs.replace(_at_once(up), goes_on=goes_on)
        rolled = await run.step("roll out", self._roll(id_, up), returns=Rolled, retries=STUBBORN)
        if rolled.phase == "promoted":
            done = await run.step("settle", self._settle(id_), returns=Brought, retries=STUBBORN)
            if done.state != "holding":
                why = done.detail or rolled.why
                return Ended("served" if done.state == "serving" else "failed", why, done, goes_on)
            rolled = Rolled(f"the target will not give it all traffic: {done.detail}")
        back = self._take_back(id_, rolled.why or rolled.phase)
        away = await run.step("withdraw", back, returns=Brought, retries=STUBBORN)
        return _withdrawn(rolled, away)

    async def _admit(self, run: Run, id_: str) -> Judged | Ended:
        """Wait until it may be brought up; how it ended where it never may."""
        judged = await run.step("judge", self._judge(id_), returns=Judged, retries=STUBBORN)
        if judged.refused:
            return Ended("refused", judged.refused)
        said, waited = judged.next, False
        while said.what == "wait":
            waited = True
            with suppress(WaitTimedOut):
                await run.wait(WORD, carries=bool, within=said.within)
            said = await run.step("weigh", self._weigh(id_), returns=Next, retries=STUBBORN)
        if said.what == "end":
            return Ended(said.state, said.why)
        if waited:  # rights, policies and what serves may have changed meanwhile
            again = self._judge(id_)
            judged = await run.step("judge again", again, returns=Judged, retries=STUBBORN)
        return Ended("refused", judged.refused) if judged.refused else judged

    # Steps

    def _judge(self, id_: str) -> Callable[[Step], Awaitable[Judged]]:
        async def judge(_: Step) -> Judged:
            record = await self._reader.record(id_)
            asked = record.asked
            environment = await self._parts.registry.environment(asked.environment)
            target = self._parts.target(environment)
            present = await target.present(asked.environment, asked.service)
            keys = [one.key for one in present if one.key and one.service == asked.service]
            if unknown := set(keys) - await self._reader.known(keys):
                version = next(one.version for one in present if one.key in unknown)
                return Judged(
                    f"the target serves version {version}, of which the record knows nothing, as after a restore of its"
                    " database: look at `disagreements`, and adopt it or roll back at the target first"
                )
            refused = await self._refused(record, environment)
            async with self._parts.database.session() as session:
                await session.fetch(statements.SET_BEFORE, id=id_)
            if refused:
                return Judged(refused)
            back = await self._reader.record(asked.returns_to) if asked.returns_to else None
            terms = await self._terms(record)
            return Judged(
                base=mark_of(present, asked.service),
                back_to=back.at_target if back is not None else 0,
                next=await self._weighed(record),
                goes_on=bool(asked.rest) or (terms is not None and terms.goes_on),
            )

        return judge

    async def _refused(self, record: Record, environment: Environment) -> str:
        """Return why a release is refused, by rights, plan or policies; empty when it is not."""
        asked, parts, name = record.asked, self._parts, environment.name
        try:
            actor = await parts.gate.require(
                record.context(), _ACTIONS[asked.kind], service=asked.service, environment=name
            )
        except Unavailable:
            raise
        except PlatformError as e:
            return e.message
        terms = await self._terms(record)
        if asked.kind == "rollback":
            view = PlanView(asked.service, name, asked.file, [], [], [], [], [], "")
        else:
            try:
                source = await self._source(record)
                plan = parts.target(environment).plan
                view = await plan(record.context(), source, name, asked.version)
            except Unavailable:
                raise
            except PlatformError as e:
                return e.message
        change = Change(
            service=asked.service,
            environment=environment,
            team=asked.team,
            actor=actor,
            kind="deploy" if asked.kind == "adopted" else asked.kind,
            stacks=terms.stacks if terms is not None else {},
            plan=view,
            at=record.now,
        )
        findings = await parts.guard.judge(change)
        await self._keep(record, view, findings)
        if asked.kind == "rollback":
            return ""
        reasons = [f"{one.policy}: {one.text}" for one in findings if one.effect == "refuse"]
        if unnamed := [one for one in view.confirm if one not in asked.confirm]:
            reasons.append(
                f"it would delete the data of {', '.join(unnamed)}: ask again with these names if you mean it"
            )
        return "\n".join([*view.refused, *reasons])

    async def _keep(self, record: Record, view: PlanView, findings: list[Finding]) -> None:
        telling = Telling(self._parts.database, record.asked.id)
        async with self._parts.database.session() as session:
            await store.put(session, record.asked.id, plan=view, findings=findings)
        for one in findings:
            telling.add("admit", "info", f"{one.effect}: {one.policy}: {one.text}")
        await telling.flush()

    def _weigh(self, id_: str) -> Callable[[Step], Awaitable[Next]]:
        async def weigh(_: Step) -> Next:
            return await self._weighed(await self._reader.record(id_))

        return weigh

    async def _weighed(self, record: Record) -> Next:
        id_, said = record.asked.id, admission.weigh(await self._facts(record))
        if said.what == "wait" and said.why != record.why:
            async with self._parts.database.session() as session:
                await session.fetch(statements.SET_STATE, id=id_, state="waiting", why=said.why)
            await Telling(self._parts.database, id_).say("wait", "info", said.why)
        return said

    async def _facts(self, record: Record) -> Facts:
        asked, terms = record.asked, await self._terms(record)
        async with self._parts.database.session() as session:
            given = await store.orders(session, asked.id, 0)
            is_asked = terms is not None and bool(terms.approve)
            words = await store.approvals(session, asked.id) if is_asked else ()
            after = terms.after if terms is not None else ""
            there = await store.interval(session, record, after) if after else ()
        ends = [(verb, by) for _, verb, by in given if verb == "abort"]
        pauses = [(verb, by) for _, verb, by in given if verb in {"pause", "resume"}]
        order, by = (ends or pauses or [("", "")])[-1]
        facts = Facts(
            now=record.now,
            asked_at=record.asked_at,
            is_way_back=terms is None or asked.kind == "rollback",
            order=order,  # type: ignore[arg-type]
            order_by=by,
        )
        if terms is None:
            return facts
        return msgspec.structs.replace(
            facts,
            after=after,
            soak=terms.soak,
            served_there=there,
            approve=terms.approve,
            approvals=words,
            windows=terms.windows,
        )

    def _bring(self, id_: str, judged: Judged) -> Callable[[Step], Awaitable[Brought]]:
        async def bring(_: Step) -> Brought:
            record = await self._reader.record(id_)
            terms = await self._terms(record)
            is_back = record.asked.kind == "rollback"
            is_held = bool(terms and terms.rollout) or bool(record.asked.expected)
            up = await (await self._bringing(record)).up(
                None if is_back else await self._source(record),
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
            terms = await self._terms(record)
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

    async def _terms(self, record: Record) -> Terms | None:
        """Return what a release's descriptor says of it; None where no descriptor is on record."""
        id_ = record.asked.id
        if id_ not in self._read:
            while len(self._read) >= _MOST_READ:
                self._read.pop(next(iter(self._read)))
            self._read[id_] = await self._reader.document(id_, "terms", Terms)
        return self._read[id_]

    async def _source(self, record: Record) -> Source:
        text = await self._reader.descriptor(record.asked.descriptor)
        return Source(text, record.asked.file, record.asked.folder)


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
