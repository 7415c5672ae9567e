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
from drystone.l50_orchestrator.ports import Action, Change, Finding
from drystone.l50_orchestrator.releases import admission, statements, store
from drystone.l50_orchestrator.releases.admission import Facts, Next
from drystone.l50_orchestrator.releases.bringing import Bringing, Brought, mark
from drystone.l50_orchestrator.releases.ending import Ended, Ending
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
        before: Id of the release that serves by the record.
        back_to: Of a way back: the target's number of the release that is to serve again.
    """

    refused: str = ""
    base: str = ""
    before: str = ""
    back_to: int = 0


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
        self._ending = Ending(parts, self.definition)

    async def wake(self, id_: str) -> None:
        """Let a release that waits look again now; one that does not wait finds every change by itself."""
        with suppress(WorkflowHasEnded, WorkflowNotFound, TooManySignals):
            await self._workflows.signal(id_, WORD, payload=True)

    async def _carry(self, run: Run, id_: str) -> str:
        try:
            ended = await self._to_its_end(run, id_)
        except StepFailed as e:
            # What a step met was nothing that passes. Whether the target has begun is not known, so it takes back.
            said = await run.step(
                "take back", self._take_back(id_, str(e)), returns=Brought, retries=STUBBORN
            )
            ended = _after_failure(said, str(e))

        async def record(session: Session, _: Step) -> str:
            return await self._ending.end(session, id_, ended)

        return await run.transact("record", record, returns=str, retries=STUBBORN)

    async def _to_its_end(self, run: Run, id_: str) -> Ended:
        judged = await self._admit(run, id_)
        if isinstance(judged, Ended):
            return judged
        up = await run.step("bring up", self._bring(id_, judged), returns=Brought, retries=STUBBORN)
        if up.state != "holding":
            return _at_once(up)
        phase = await run.step("roll out", self._roll(id_, up), returns=str, retries=STUBBORN)
        if phase == "promoted":
            done = await run.step("settle", self._settle(id_), returns=Brought, retries=STUBBORN)
            if done.state != "holding":
                return Ended("served" if done.state == "serving" else "failed", done.detail, done)
            phase = f"the target will not give it all traffic: {done.detail}"
        back = self._take_back(id_, phase)
        away = await run.step("withdraw", back, returns=Brought, retries=STUBBORN)
        return _withdrawn(phase, away)

    async def _admit(self, run: Run, id_: str) -> Judged | Ended:
        """Wait until it may be brought up; how it ended where it never may."""
        judged = await run.step("judge", self._judge(id_), returns=Judged, retries=STUBBORN)
        waited = False
        while not judged.refused:
            said = await run.step("weigh", self._weigh(id_), returns=Next, retries=STUBBORN)
            if said.what == "end":
                return Ended(said.state, said.why)
            if said.what == "go":
                break
            waited = True
            try:
                await run.wait(WORD, carries=bool, within=said.within)
            except WaitTimedOut:
                continue
        if waited:  # rights, policies and what serves may have changed meanwhile
            judged = await run.step(
                "judge again", self._judge(id_), returns=Judged, retries=STUBBORN
            )
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
            before = await self._reader.serving(asked.environment, asked.service) or ""
            refused = await self._refused(record, environment.name)
            async with self._parts.database.session() as session:
                await session.fetch(statements.SET_BEFORE, id=id_, before=before)
            if refused:
                return Judged(refused)
            base = await mark(target, asked.environment, asked.service)
            back = await self._reader.record(asked.returns_to) if asked.returns_to else None
            return Judged("", base, before, back.at_target if back is not None else 0)

        return judge

    async def _refused(self, record: Record, name: str) -> str:
        """Return why a release is refused, by rights, plan or policies; empty when it is not."""
        asked, parts = record.asked, self._parts
        try:
            actor = await parts.gate.require(
                record.context(), _ACTIONS[asked.kind], service=asked.service, environment=name
            )
        except Unavailable:
            raise
        except PlatformError as e:
            return e.message
        environment = await parts.registry.environment(name)
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
            kind="promotion"
            if asked.kind == "promotion"
            else "rollback"
            if asked.kind == "rollback"
            else "deploy",
            stacks=terms.stacks if terms is not None else {},
            plan=view,
            at=await self._reader.now(),
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
        async with self._parts.database.session() as session, session.transaction():
            await store.put(session, record.asked.id, "plan", view)
            await store.put(session, record.asked.id, "findings", findings)
        for one in findings:
            telling.add("admit", "info", f"{one.effect}: {one.policy}: {one.text}")
        await telling.flush()

    def _weigh(self, id_: str) -> Callable[[Step], Awaitable[Next]]:
        async def weigh(_: Step) -> Next:
            record = await self._reader.record(id_)
            said = admission.weigh(await self._facts(record))
            if said.what == "wait" and said.why != record.why:
                async with self._parts.database.session() as session:
                    await session.fetch(statements.SET_STATE, id=id_, state="waiting", why=said.why)
                await Telling(self._parts.database, id_).say("wait", "info", said.why)
            return said

        return weigh

    async def _facts(self, record: Record) -> Facts:
        asked, terms = record.asked, await self._terms(record)
        async with self._parts.database.session() as session:
            rows = await session.fetch(statements.NOW)
            given = await store.orders(session, asked.id, 0)
            words = await store.approvals(session, asked.id)
            after = terms.after if terms is not None else ""
            there = await store.interval(session, record, after) if after else ()
        ends = [(verb, by) for _, verb, by in given if verb == "abort"]
        pauses = [(verb, by) for _, verb, by in given if verb in {"pause", "resume"}]
        order, by = (ends or pauses or [("", "")])[-1]
        facts = Facts(
            now=rows[0][0],
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

    def _roll(self, id_: str, up: Brought) -> Callable[[Step], Awaitable[str]]:
        async def roll(_: Step) -> str:
            record = await self._reader.record(id_)
            if said := _other(record, up):
                return said
            terms = await self._terms(record)
            if terms is None or terms.rollout is None:
                return "promoted"
            return await (await self._bringing(record)).roll(terms.rollout)

        return roll

    def _settle(self, id_: str) -> Callable[[Step], Awaitable[Brought]]:
        async def settle(_: Step) -> Brought:
            return await (await self._bringing(await self._reader.record(id_))).settle()

        return settle

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
        return await self._reader.document(record.asked.id, "terms", Terms)

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


def _withdrawn(phase: str, away: Brought) -> Ended:
    """Return the end of what was held and is not wanted."""
    if away.state == "serving":
        return Ended("served", f"it was to be withdrawn ({phase}), and serves all the same", away)
    match phase:
        case "rolled-back" | "aborted":
            return Ended(phase, "", away)
        case _:
            return Ended("failed", phase, away)


def _after_failure(said: Brought, why: str) -> Ended:
    if said.state == "serving":
        return Ended("served", f"it serves, although not all went well: {why}", said)
    return Ended("failed", why, said)
