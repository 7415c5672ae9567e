"""What is said of a release before it is brought up: by rights, by its plan, by policies, and by what it waits for."""

from __future__ import annotations

import msgspec

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l25_deployer.api import PlanView, Source
from drystone.l50_orchestrator.ports import Action, Change, Declared, Environment, Finding
from drystone.l50_orchestrator.releases import admission, statements, store
from drystone.l50_orchestrator.releases.admission import Facts, Next
from drystone.l50_orchestrator.releases.bringing import mark_of
from drystone.l50_orchestrator.releases.counted import Counted
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.telling import Telling
from drystone.l50_orchestrator.releases.terms import Terms

_MOST_READ = 64
"""Of how many releases the terms are remembered; each may have megabytes."""

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


class Judging:
    """Judges releases.

    Args:
        parts: What releases need of others.
        reader: What is recorded.
    """

    def __init__(self, parts: Parts, reader: Reader) -> None:
        self._parts = parts
        self._reader = reader
        self._read: dict[str, Terms | None] = {}
        self._counted = Counted()

    async def judge(self, id_: str) -> Judged:
        """Ask rights, plan and policies, and keep what they said.

        Raises:
            Unavailable: One of them cannot say it now.
        """
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
        terms = await self.terms(record)
        return Judged(
            base=mark_of(present, asked.service),
            back_to=back.at_target if back is not None else 0,
            next=await self._weighed(record),
            goes_on=bool(asked.rest) or (terms is not None and terms.goes_on),
        )

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
        terms = await self.terms(record)
        if asked.kind == "rollback":
            view = PlanView(asked.service, name, asked.file, [], [], [], [], [], "")
        else:
            try:
                source = await self.source(record)
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
            declared=terms.declared if terms is not None else Declared(),
            artefact=asked.expected,
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

    async def weigh(self, id_: str) -> Next:
        """Tell whether it may be brought up now, and note what it waits for."""
        return await self._weighed(await self._reader.record(id_))

    async def _weighed(self, record: Record) -> Next:
        facts = await self._facts(record)
        id_, said = record.asked.id, admission.weigh(facts)
        if said.what == "wait" and said.why.startswith(admission.WAITS_FOR_WORDS):
            said = msgspec.structs.replace(said, why=said.why + await self._nobody(record, facts))
        if said.what == "wait" and said.why != record.why:
            async with self._parts.database.session() as session:
                await session.fetch(statements.SET_STATE, id=id_, state="waiting", why=said.why)
            await Telling(self._parts.database, id_).say("wait", "info", said.why)
        return said

    async def _nobody(self, record: Record, facts: Facts) -> str:
        """Say of whom nobody has the role to approve, so that the release would wait in vain; empty where somebody has."""
        asked, missing = record.asked, admission.missing(facts)
        able = await self._parts.gate.who_may(
            Action.APPROVE, missing, service=asked.service, environment=asked.environment
        )
        none = [name for name in missing if able is not None and name not in able]
        if not none:
            return ""
        return (
            f"; nobody of {', '.join(none)} may approve {asked.service} in {asked.environment}, which takes the role deployer:"
            f" an owner gives it with `drystone grants give team:{none[0]} deployer --over service:{asked.service}`"
        )

    async def _facts(self, record: Record) -> Facts:
        asked, terms = record.asked, await self.terms(record)
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
            counted=self._counted.present(asked.id, record.now),
        )

    async def terms(self, record: Record) -> Terms | None:
        """Return what a release's descriptor says of it; None where no descriptor is on record."""
        id_ = record.asked.id
        if id_ not in self._read:
            while len(self._read) >= _MOST_READ:
                self._read.pop(next(iter(self._read)))
            self._read[id_] = await self._reader.document(id_, "terms", Terms)
        return self._read[id_]

    async def source(self, record: Record) -> Source:
        """Return a release's descriptor as a target takes it."""
        asked = record.asked
        text = await self._reader.descriptor(asked.descriptor)
        place = await self._parts.registry.environment(asked.environment)
        return Source(text, asked.file, asked.folder, place.type, place.region)

    def forget(self, id_: str) -> None:
        """Forget the terms of a release that has ended."""
        self._read.pop(id_, None)
        self._counted.forget(id_)
