"""The end of a release: one transaction writes it down, notes it in the audit log, and begins what follows by itself."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec

from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows.run import Definition
from drystone.l10_engines.workflows.workflows import Workflows
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.releases import store
from drystone.l50_orchestrator.releases.api import State
from drystone.l50_orchestrator.releases.bringing import Brought
from drystone.l50_orchestrator.releases.errors import ReleaseUnknown
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.records import Asked, Record
from drystone.l50_orchestrator.releases.store import Reader
from drystone.l50_orchestrator.releases.terms import Terms, terms_of

_NO_TIME = timedelta()


class Ended(msgspec.Struct, frozen=True):
    """How a release ended.

    Attributes:
        state: In which state.
        why: Why.
        up: What the target told of it.
    """

    state: State
    why: str = ""
    up: Brought | None = None


class Ending:
    """Ends releases.

    Args:
        parts: What carrying out a release needs of others.
        definition: The workflow that releases are.
    """

    def __init__(self, parts: Parts, definition: Definition[str, str]) -> None:
        self._parts = parts
        self._reader = Reader(parts.database)
        self._start = Start(Workflows(parts.database), definition)

    async def end(self, session: Session, id_: str, ended: Ended) -> str:
        """Write down how a release ended; the state in which it is. Everything is in the session's transaction."""
        record = await store.find(session, id_)
        if record is None:
            raise ReleaseUnknown(f"the release {id_} has gone")
        up = ended.up or Brought("failed")
        why = ended.why or await self._why(record)
        is_new = await store.end(
            session, id_, ended.state, why, at_target=up.release, artefact=up.artefact
        )
        if not is_new:
            return record.state
        asked = record.asked
        if ended.state == "served":
            await store.serves(session, asked.environment, asked.service, id_)
            await self._parts.registry.appeared(session, asked.service, asked.environment)
            if asked.kind != "rollback":
                await self._go_on(session, record, up.artefact)
        first = why.partition("\n")[0]
        word = ended.state if not first else f"{ended.state}: {first}"
        await store.note_events(session, id_, [(_NO_TIME, "end", "info", word)])
        await self._parts.book.note(
            session,
            asked.actor,
            f"release.{ended.state}",
            f"{asked.environment}/{asked.service}",
            release=id_,
            number=record.number,
            version=asked.version,
            why=first[:500],
        )
        return ended.state

    async def _why(self, record: Record) -> str:
        kept = await self._reader.rollout(record.asked.id)
        return kept.state.why if kept is not None else ""

    async def _go_on(self, session: Session, record: Record, artefact: str) -> None:
        """Begin the release in the next region, and in environments whose descriptor asks for it."""
        text = await self._reader.descriptor(record.asked.descriptor)
        if record.asked.rest:
            name, *rest = record.asked.rest
            environment = await self._parts.registry.environment(name)
            terms = self._terms(record, text, environment)
            agreed = msgspec.structs.replace(terms, approve=(), after="", soak=None)
            following = self._following(record, environment, tuple(rest), artefact)
            await self._add(session, following, agreed)
        if "soak" not in text:
            return
        for environment in await self._parts.registry.every_environment():
            terms = self._terms(record, text, environment)
            is_next = terms.after == record.asked.environment and terms.soak is not None
            if is_next and environment.name not in record.asked.rest:
                following = self._following(record, environment, (), artefact)
                await self._add(session, following, terms)

    def _terms(self, record: Record, text: str, environment: Environment) -> Terms:
        asked = record.asked
        return terms_of(text, file=asked.file, environment=environment, version=asked.version)

    def _following(
        self, record: Record, environment: Environment, rest: tuple[str, ...], artefact: str
    ) -> Asked:
        asked = record.asked
        seed = f"{asked.id}>{environment.name}".encode()
        return msgspec.structs.replace(
            asked,
            id=hashlib.sha256(seed).hexdigest()[:20],
            environment=environment.name,
            kind="promotion",
            message=f"follows {record.name}: {asked.message}"[:1000],
            confirm=(),
            rest=rest,
            expected=artefact,
        )

    async def _add(self, session: Session, asked: Asked, terms: Terms) -> None:
        number = await store.number_for(session, asked.environment, asked.service)
        await add(session, self._start, asked, terms, number)


class Start(msgspec.Struct, frozen=True):
    """What starts the workflow of a release.

    Attributes:
        workflows: Those of the schema.
        definition: The workflow that releases are.
    """

    workflows: Workflows
    definition: Definition[str, str]


async def add(
    session: Session, start: Start, asked: Asked, terms: Terms | None, number: int
) -> None:
    """Write down a release and start it, in the session's transaction.

    Args:
        session: In a transaction.
        start: Starts its workflow.
        asked: What is asked for.
        terms: What its descriptor says of it.
        number: The number that it was given.
    """
    await store.insert(session, asked, number)
    if terms is not None:
        await store.put(session, asked.id, "terms", terms)
    queue = f"{asked.environment}/{asked.service}"
    await start.workflows.start_within(session, start.definition, asked.id, asked.id, queue=queue)
