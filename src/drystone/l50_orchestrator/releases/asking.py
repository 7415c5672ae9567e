"""Writes down that somebody wants a release: in one transaction with its registration, the audit log and the start of its workflow."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows.run import Definition
from drystone.l10_engines.workflows.workflows import Workflows
from drystone.l25_deployer.api import Source
from drystone.l25_deployer.descriptor.reading import Reading
from drystone.l50_orchestrator.ports import Actor, Environment
from drystone.l50_orchestrator.releases import statements, store
from drystone.l50_orchestrator.releases.ending import Start, add
from drystone.l50_orchestrator.releases.errors import (
    CannotBePromoted,
    PromotionUnderWay,
    RequestUnfit,
)
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Asked, Record
from drystone.l50_orchestrator.releases.terms import (
    Terms,
    digest_of,
    kept_by,
    reading_of,
    regions_in,
    service_named,
    terms_in,
)
from drystone.l50_orchestrator.target import Present

if TYPE_CHECKING:
    from drystone.l00_kernel.contract import Context


ADOPTED = "adopted"
"""The document with the stacks of a release that was adopted, which has no descriptor on record."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants something, and how it is to be remembered.

    Attributes:
        actor: Who.
        roles: What the caller may act as.
        key: Names the wish, so that it is fulfilled once; None where each is a new one.
        message: What for.
    """

    actor: Actor
    roles: frozenset[str]
    key: str | None
    message: str

    @staticmethod
    def of(ctx: Context, actor: Actor, message: str) -> Wish:
        """Return the wish of a caller."""
        return Wish(actor=actor, roles=ctx.caller.roles, key=ctx.idempotency_key, message=message)

    def id_in(self, environment: str) -> str:
        """Return the id of the release; the same for the same wish."""
        if self.key is None:
            return secrets.token_hex(10)
        seed = "\0".join((self.actor.name, environment, self.key))
        return hashlib.sha256(seed.encode()).hexdigest()[:20]


class Asking:
    """Adds releases.

    Args:
        parts: What releases need of others.
        definition: The workflow that they are.
    """

    def __init__(self, parts: Parts, definition: Definition[str, str]) -> None:
        self._parts = parts
        self._reader = Reader(parts.database)
        self._start = Start(Workflows(parts.database), definition)

    async def deploy(
        self,
        wish: Wish,
        source: Source,
        reading: Reading,
        places: list[Environment],
        *,
        version: str | None,
        confirm: tuple[str, ...],
    ) -> str:
        """Ask for a deploy in the first of the places, and the others after it, or in all of them; the id of the first."""
        service, is_all = service_named(reading), regions_in(reading, places[0]) == "all"
        starting = places if is_all else places[:1]
        rest = () if is_all else tuple(one.name for one in places[1:])
        ids = [wish.id_in(one.name) for one in starting]
        async with self._parts.database.session() as session, session.transaction():
            for id_, place in zip(ids, starting, strict=True):
                number, found = await store.number_and_find(session, place.name, service, id_)
                if found is not None:
                    continue
                terms = await self._terms(reading, place, version or str(number))
                owner = await self._parts.registry.claim(
                    session,
                    wish.actor,
                    terms.service,
                    team=terms.team,
                    tier=terms.tier,
                    description=terms.description,
                )
                digest = digest_of(source.text)
                asked = Asked(
                    id=id_,
                    environment=place.name,
                    service=terms.service,
                    kind="deploy",
                    origin=id_,
                    team=owner.team,
                    version=version or str(number),
                    message=wish.message,
                    actor=wish.actor,
                    roles=wish.roles,
                    file=source.file,
                    folder=source.folder,
                    descriptor=digest,
                    confirm=confirm,
                    rest=rest,
                    keep=kept_by(terms, place),
                )
                await add(session, self._start, asked, terms, number, text=source.text)
                await self.note(session, wish.actor, "release.asked", asked)
        return ids[0]

    async def promote(self, wish: Wish, brought: Record, places: list[Environment]) -> str:
        """Ask for the very same release in the first of the places, and the others after it; the id of the first.

        Raises:
            CannotBePromoted: Its descriptor is not on record.
            PromotionUnderWay: The same one is on its way there.
        """
        asked, place = brought.asked, places[0]
        text = await self._reader.descriptor(asked.descriptor)
        if not text:
            raise CannotBePromoted(
                f"{brought.name} was adopted and has no descriptor on record: deploy it anew"
            )
        reading = await self.read(Source(text, asked.file, asked.folder))
        terms = await self._terms(reading, place, asked.version)
        wanted = msgspec.structs.replace(
            asked,
            id=wish.id_in(place.name),
            environment=place.name,
            kind="promotion",
            message=wish.message,
            actor=wish.actor,
            roles=wish.roles,
            confirm=(),
            rest=tuple(one.name for one in places[1:]),
            expected=brought.artefact,
            keep=kept_by(terms, place),
            returns_to="",
        )
        async with self._parts.database.session() as session, session.transaction():
            number, found = await store.number_and_find(
                session, place.name, asked.service, wanted.id
            )
            if found is None:
                under_way = await session.fetch(
                    statements.OPEN_WITH_ORIGIN,
                    environment=place.name,
                    service=asked.service,
                    origin=asked.origin,
                )
                if under_way:
                    raise PromotionUnderWay(
                        f"{brought.name} is on its way to {place.name} already, as release {under_way[0][0]}: follow it, or"
                        " abort it first"
                    )
                await add(session, self._start, wanted, terms, number)
                await self.note(session, wish.actor, "release.promotion-asked", wanted)
        return wanted.id

    async def return_to(self, wish: Wish, back: Record) -> str:
        """Ask for the way back to a release; the id of the way."""
        terms = await self._reader.document(back.asked.id, "terms", Terms)
        environment = back.asked.environment
        wanted = msgspec.structs.replace(
            back.asked,
            id=wish.id_in(environment),
            kind="rollback",
            message=wish.message,
            actor=wish.actor,
            roles=wish.roles,
            confirm=(),
            rest=(),
            expected="",
            returns_to=back.asked.id,
        )
        async with self._parts.database.session() as session, session.transaction():
            number, found = await store.number_and_find(
                session, environment, back.asked.service, wanted.id
            )
            if found is None:
                await add(session, self._start, wanted, terms, number)
                await self.note(session, wish.actor, "release.rollback-asked", wanted)
        return wanted.id

    async def again(self, wish: Wish, record: Record, place: Environment) -> str:
        """Ask for a release that is on record once more, where it was: the same descriptor and the same artefact; its id.

        Raises:
            RequestUnfit: Its descriptor is not on record.
        """
        asked = record.asked
        text = await self._reader.descriptor(asked.descriptor)
        if not text:
            raise RequestUnfit(
                f"{record.name} was adopted and has no descriptor on record: deploy it anew"
            )
        reading = await self.read(Source(text, asked.file, asked.folder))
        terms = await self._terms(reading, place, asked.version)
        wanted = msgspec.structs.replace(
            asked,
            id=wish.id_in(place.name),
            kind="deploy",
            message=wish.message,
            actor=wish.actor,
            roles=wish.roles,
            confirm=(),
            rest=(),
            expected=record.artefact,
            keep=kept_by(terms, place),
            returns_to="",
        )
        async with self._parts.database.session() as session, session.transaction():
            number, found = await store.number_and_find(
                session, place.name, asked.service, wanted.id
            )
            if found is None:
                await add(session, self._start, wanted, terms, number)
                await self.note(session, wish.actor, "release.repair-asked", wanted)
        return wanted.id

    async def adopt(
        self,
        wish: Wish,
        found: Present,
        environment: str,
        *,
        team: str,
        keep: int,
        is_known: bool,
        stacks: dict[str, Any] | None = None,
    ) -> str:
        """Write down what serves at a target, with its stacks where the target tells them; the id under which it is known."""
        id_ = found.key if found.key and not is_known else secrets.token_hex(10)
        async with self._parts.database.session() as session, session.transaction():
            number = await store.number_for(session, environment, found.service)
            asked = Asked(
                id=id_,
                environment=environment,
                service=found.service,
                kind="adopted",
                origin=id_,
                team=team,
                version=found.version,
                message=wish.message,
                actor=wish.actor,
                roles=wish.roles,
                file="",
                folder="",
                descriptor="",
                keep=keep,
            )
            documents: dict[str, Any] = {} if stacks is None else {ADOPTED: stacks}
            await store.insert(session, asked, number, **documents)
            why = "it served at the target, and the record did not know it"
            await store.end(
                session, id_, "served", why, at_target=found.release, artefact=found.artefact
            )
            await store.serves(session, environment, found.service, id_)
            await self.note(session, wish.actor, "release.adopted", asked)
        return id_

    async def gone(
        self, actor: Actor, environment: str, service: str, data: tuple[str, ...], message: str
    ) -> None:
        """Write down that a service runs no more in an environment, and whose data went with it."""
        where = {"environment": environment, "service": service}
        async with self._parts.database.session() as session, session.transaction():
            await session.fetch(statements.SERVES_NO_MORE, **where)
            if await self._parts.registry.service(service) is not None:
                await self._parts.registry.disappeared(session, service, environment)
            await self._parts.book.note(
                session,
                actor,
                "service.destroyed",
                f"{environment}/{service}",
                data=", ".join(data),
                message=message[:500],
            )

    async def note(
        self, session: Session, actor: Actor, action: str, asked: Asked, message: str | None = None
    ) -> None:
        """Note something of a release in the audit log, with what its author said unless another message is given."""
        await self._parts.book.note(
            session,
            actor,
            action,
            f"{asked.environment}/{asked.service}",
            release=asked.id,
            version=asked.version,
            message=(asked.message if message is None else message)[:500],
        )

    async def read(self, source: Source) -> Reading:
        """Read a descriptor. A large one takes a second; others are served meanwhile.

        Raises:
            DescriptorRefused: It has mistakes; the message has all of them.
        """
        if len(source.text) > _LARGE:
            return await asyncio.to_thread(reading_of, source.text, source.file)
        return reading_of(source.text, source.file)

    async def _terms(self, reading: Reading, place: Environment, version: str) -> Terms:
        """Take what a descriptor says for a place."""

        def take() -> Terms:
            return terms_in(reading, environment=place, version=version)

        return await asyncio.to_thread(take) if len(reading.text) > _LARGE else take()


_LARGE = 20_000
"""Characters of a descriptor that takes long to read."""
