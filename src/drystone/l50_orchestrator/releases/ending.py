"""The end of a release: one transaction writes it down, notes it in the audit log, and begins what follows by itself."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows.run import Definition
from drystone.l10_engines.workflows.workflows import Workflows
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.releases import store
from drystone.l50_orchestrator.releases.api import State
from drystone.l50_orchestrator.releases.bringing import Brought
from drystone.l50_orchestrator.releases.errors import ReleaseUnknown
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Asked, Record
from drystone.l50_orchestrator.releases.terms import Terms, kept_by, terms_of

_NO_TIME = timedelta()


class Follows(msgspec.Struct, frozen=True):
    """What follows a release by itself when it serves.

    Attributes:
        environment: Where.
        rest: What follows after that.
        is_region: Whether it is the next region, for which the first one has waited.
    """

    environment: Environment
    rest: tuple[str, ...] = ()
    is_region: bool = False


class Ended(msgspec.Struct, frozen=True):
    """How a release ended.

    Attributes:
        state: In which state.
        why: Why.
        up: What the target told of it.
        goes_on: Whether something may follow.
        follows: What does.
    """

    state: State
    why: str = ""
    up: Brought | None = None
    goes_on: bool = False
    follows: list[Follows] = []


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

    async def what_follows(self, record: Record) -> list[Follows]:
        """Return what follows a release: the next region, and environments whose descriptor asks for it."""
        asked, registry = record.asked, self._parts.registry
        if asked.kind == "rollback":
            return []
        found = []
        if asked.rest:
            name, *rest = asked.rest
            found.append(Follows(await registry.environment(name), tuple(rest), is_region=True))
        text = await self._reader.descriptor(asked.descriptor)
        for environment in await registry.every_environment():
            if environment.name in {*asked.rest, asked.environment}:
                continue
            terms = self._terms(record, text, environment)
            if terms.after == asked.environment and terms.soak is not None:
                found.append(Follows(environment))
        return found

    async def end(self, session: Session, id_: str, ended: Ended) -> str:
        """Write down how a release ended; the state in which it is.

        Everything is in the session's transaction, and nothing waits for another session: as many ends at once as there
        are sessions would wait for each other.
        """
        record = await store.find(session, id_)
        if record is None:
            raise ReleaseUnknown(f"the release {id_} has gone")
        up = ended.up or Brought("failed")
        is_new = await store.end(
            session, id_, ended.state, ended.why, at_target=up.release, artefact=up.artefact
        )
        if not is_new:
            return record.state
        asked = record.asked
        if ended.state == "served":
            await store.serves(session, asked.environment, asked.service, id_)
            await self._appeared(session, asked)
            for one in ended.follows:
                await self._go_on(session, record, one, up.artefact)
        first = ended.why.partition("\n")[0]
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

    async def _appeared(self, session: Session, asked: Asked) -> None:
        """Tell the registry. What it cannot take in is told, and changes nothing of what serves."""
        try:
            async with session.transaction():
                await self._parts.registry.appeared(session, asked.service, asked.environment)
        except Unavailable:
            raise
        except PlatformError as e:
            said = f"the registry does not take it in: {e.message}"
            await store.note_events(session, asked.id, [(_NO_TIME, "end", "failed", said)])

    async def _go_on(
        self, session: Session, record: Record, follows: Follows, artefact: str
    ) -> None:
        """Begin a release that follows."""
        asked, place = record.asked, follows.environment
        terms = self._terms(record, await store.descriptor(session, asked.descriptor), place)
        if follows.is_region:
            terms = msgspec.structs.replace(terms, approve=(), after="", soak=None)
        seed = f"{asked.id}>{place.name}".encode()
        following = msgspec.structs.replace(
            asked,
            id=hashlib.sha256(seed).hexdigest()[:20],
            environment=place.name,
            kind="promotion",
            message=f"follows {record.name}: {asked.message}"[:1000],
            confirm=(),
            rest=follows.rest,
            expected=artefact,
            keep=kept_by(terms, place),
        )
        number = await store.number_for(session, place.name, asked.service)
        await add(session, self._start, following, terms, number)

    def _terms(self, record: Record, text: str, environment: Environment) -> Terms:
        asked = record.asked
        return terms_of(text, file=asked.file, environment=environment, version=asked.version)


class Start(msgspec.Struct, frozen=True):
    """What starts the workflow of a release.

    Attributes:
        workflows: Those of the schema.
        definition: The workflow that releases are.
    """

    workflows: Workflows
    definition: Definition[str, str]


async def add(
    session: Session,
    start: Start,
    asked: Asked,
    terms: Terms | None,
    number: int,
    *,
    text: str = "",
) -> None:
    """Write down a release and start it, in the session's transaction.

    Args:
        session: In a transaction.
        start: Starts its workflow.
        asked: What is asked for.
        terms: What its descriptor says of it.
        number: The number that it was given.
        text: Its descriptor; empty where it is on record.
    """
    documents = {} if terms is None else {"terms": terms}
    await store.insert(session, asked, number, text=text, **documents)
    queue = f"{asked.environment}/{asked.service}"
    await start.workflows.start_within(session, start.definition, asked.id, asked.id, queue=queue)
