"""Keeps releases: the implementation of :class:`ReleasesApi`.

A call writes down what is wanted, in one transaction with the audit log and the start of the workflow that carries it out; whoever
carries it out may be another process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from typing_extensions import override

from drystone.l00_kernel.contract import Context, Page, make_cursor, read_cursor
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l50_orchestrator.ports import Action, Actor, Finding
from drystone.l50_orchestrator.releases import differences, statements, store, views
from drystone.l50_orchestrator.releases.api import (
    Answer,
    Difference,
    Disagreement,
    Happened,
    ReleasesApi,
    ReleaseSummary,
    ReleaseView,
    Verb,
)
from drystone.l50_orchestrator.releases.asking import Asking, Wish
from drystone.l50_orchestrator.releases.carrying import Carrier
from drystone.l50_orchestrator.releases.choosing import Choosing
from drystone.l50_orchestrator.releases.errors import (
    NoApprovalAsked,
    NothingToAdopt,
    ReleaseUnderWay,
    RequestUnfit,
)
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.terms import (
    Terms,
    service_named,
)

MOST_MESSAGE = 2000
_MOST_PATHS = 16_384
_MOST_LISTED = 500
_MOST_SEQ = 2**62
_FOLLOW_S = 0.2


class Releases(ReleasesApi):
    """The releases of one platform.

    Args:
        parts: What they need of others; ``parts.database`` has their tables and those of workflows.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reader = Reader(parts.database)
        self._choosing = Choosing(self._reader, parts.registry)
        self.carrier = Carrier(parts)
        self._asking = Asking(parts, self.carrier.definition)

    # Asking for something

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        message: str = "",
        confirm: list[str] | None = None,
    ) -> ReleaseSummary:
        _require_words(message)
        _require_words("".join((source.file, source.folder, *(confirm or ()))), most=_MOST_PATHS)
        places = await self._choosing.places(environment)
        reading = await self._asking.read(source)
        service = service_named(reading)
        actors = [
            await self._parts.gate.require(
                ctx, Action.DEPLOY, service=service, environment=one.name
            )
            for one in places
        ]
        wish = Wish.of(ctx, actors[0], message)
        id_ = await self._asking.deploy(
            wish, source, reading, places, version=version, confirm=tuple(confirm or ())
        )
        return await self._summary(id_)

    @override
    async def promote(
        self,
        ctx: Context,
        *,
        service: str,
        to: str,
        release: str | None = None,
        message: str = "",
    ) -> ReleaseSummary:
        _require_words(message)
        places = await self._choosing.places(to)
        actor = await self._parts.gate.require(
            ctx, Action.PROMOTE, service=service, environment=places[0].name
        )
        brought = await self._choosing.to_promote(service, places[0], release)
        wish = Wish.of(ctx, actor, message)
        return await self._summary(await self._asking.promote(wish, brought, places))

    @override
    async def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        message: str = "",
    ) -> ReleaseSummary:
        _require_words(message)
        actor = await self._parts.gate.require(
            ctx, Action.ROLL_BACK, service=service, environment=environment
        )
        under_way = await self._reader.open_of(environment, service)
        for id_ in under_way:
            await self._order(actor, await self._reader.record(id_), "abort", message)
        if under_way and release is None:
            return await self._summary(under_way[0])
        back = await self._choosing.to_return_to(environment, service, release)
        wish = Wish.of(ctx, actor, message)
        return await self._summary(await self._asking.return_to(wish, back))

    @override
    async def destroy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        confirm: list[str] | None = None,
        message: str = "",
    ) -> AsyncIterator[Progress]:
        _require_words(message)
        actor = await self._parts.gate.require(
            ctx, Action.DESTROY, service=service, environment=environment
        )
        if under_way := await self._reader.open_of(environment, service):
            raise ReleaseUnderWay(
                f"release {under_way[0]} of {service} in {environment} has not ended: wait for it, or abort it first"
            )
        target = self._parts.target(await self._parts.registry.environment(environment))
        async for one in target.destroy(ctx, environment, service, tuple(confirm or ())):
            yield one
        await self._asking.gone(actor, environment, service, tuple(confirm or ()), message)

    @override
    async def steer(self, ctx: Context, *, release: str, verb: Verb, message: str = "") -> Answer:
        _require_words(message)
        record = await self._reader.record(release)
        asked = record.asked
        actor = await self._parts.gate.require(
            ctx, Action.STEER, service=asked.service, environment=asked.environment
        )
        return await self._order(actor, record, verb, message)

    @override
    async def approve(
        self, ctx: Context, *, release: str, agrees: bool, message: str = ""
    ) -> ReleaseSummary:
        _require_words(message)
        record = await self._reader.record(release)
        asked = record.asked
        actor = await self._parts.gate.require(
            ctx, Action.APPROVE, service=asked.service, environment=asked.environment
        )
        terms = await self._reader.document(asked.id, "terms", Terms)
        views.require_approver(record, terms, actor)
        async with self._parts.database.session() as session, session.transaction():
            rows = await session.fetch(statements.LOCK, id=asked.id)
            if rows[0][0] not in {"queued", "waiting"}:
                raise NoApprovalAsked(f"{record.name} is {rows[0][0]} and waits for nobody")
            await session.fetch(
                statements.GIVE_WORD,
                release=asked.id,
                author=actor.name,
                teams=sorted(actor.teams),
                agrees=agrees,
                message=message,
            )
            word = "agrees" if agrees else "rejects it"
            told = f"{actor.name} {word}{f': {message}' if message else ''}"
            await store.note_events(session, asked.id, [(views.NOW, "approval", "info", told)])
            action = "release.approved" if agrees else "release.rejected"
            await self._asking.note(session, actor, action, asked, message)
        await self.carrier.wake(asked.id)
        return await self._summary(asked.id)

    # Looking things up

    @override
    async def show(self, ctx: Context, *, release: str) -> ReleaseView:
        record = await self._visible(ctx, release)
        return await self._view(record)

    @override
    async def history(
        self,
        ctx: Context,
        *,
        service: str | None = None,
        environment: str | None = None,
        team: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        open_only: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ReleaseSummary]:
        await self._parts.gate.require(ctx, Action.SEE, service=service, environment=environment)
        most = max(1, min(limit, _MOST_LISTED))
        found = await self._reader.history(
            below=read_cursor(cursor, int) if cursor else _MOST_SEQ,
            most=most + 1,
            service=service,
            environment=environment,
            team=team,
            author=author,
            since=since,
            until=until,
            open_only=open_only,
        )
        page = found[:most]
        kept = await self._kept_of(page)
        more = make_cursor(page[-1].seq) if len(found) > most else None
        return Page([views.summary(one, is_kept=one.asked.id in kept) for one in page], more)

    @override
    async def diff(self, ctx: Context, *, release: str, other: str) -> list[Difference]:
        first, second = [await self._visible(ctx, one) for one in (release, other)]
        if first.asked.service != second.asked.service:
            raise RequestUnfit(
                f"{first.name} and {second.name} are releases of two services; compare two of one"
            )
        return differences.between(await self._view(first), await self._view(second))

    @override
    async def follow(
        self, ctx: Context, *, release: str, after: int = 0
    ) -> AsyncIterator[Happened]:
        asked = (await self._visible(ctx, release)).asked
        while True:
            found, is_all = await self._reader.events(asked.id, after)
            for one in found:
                yield one
                after = one.number
            if is_all:
                return
            ctx.check()
            await asyncio.sleep(_FOLLOW_S)
            # It may go on for days, and end sooner for somebody than the right to see it.
            await self._parts.gate.require(
                ctx, Action.SEE, service=asked.service, environment=asked.environment
            )

    @override
    async def disagreements(self, ctx: Context, *, environment: str) -> list[Disagreement]:
        await self._parts.gate.require(ctx, Action.SEE, environment=environment)
        where = await self._parts.registry.environment(environment)
        present = await self._parts.target(where).present(environment)
        recorded = await self._reader.all_serving(environment)
        known = await self._reader.known([one.key for one in present if one.key])
        return views.disagreements(present, recorded, known)

    @override
    async def adopt(
        self, ctx: Context, *, environment: str, service: str, message: str = ""
    ) -> ReleaseSummary:
        _require_words(message)
        actor = await self._parts.gate.require(
            ctx, Action.DEPLOY, service=service, environment=environment
        )
        where = await self._parts.registry.environment(environment)
        target = self._parts.target(where)
        present = await target.present(environment, service)
        found = next((one for one in present if one.service == service), None)
        owner = await self._parts.registry.service(service)
        recorded = await self._reader.all_serving(environment)
        known = await self._reader.known([found.key] if found is not None and found.key else [])
        if found is None or not views.disagreements([found], recorded, known):
            raise NothingToAdopt(f"the record of {environment}/{service} says what the target says")
        wish = Wish.of(ctx, actor, message)
        there = await target.standing(environment, service)
        is_same = there is not None and there.release == found.release
        id_ = await self._asking.adopt(
            wish,
            found,
            environment,
            team=owner.team if owner is not None else "",
            keep=where.keep,
            is_known=found.key in known,
            stacks=there.stacks if there is not None and is_same else None,
        )
        return await self._summary(id_)

    # What these share

    async def _order(self, actor: Actor, record: Record, verb: Verb, message: str) -> Answer:
        id_ = record.asked.id
        terms = await self._reader.document(id_, "terms", Terms)
        async with self._parts.database.session() as session, session.transaction():
            await session.fetch(statements.LOCK, id=id_)
            found = await store.find(session, id_)
            now = found if found is not None else record
            is_progressive = terms is not None and terms.rollout is not None
            said = views.answer(now, verb, is_progressive=is_progressive)
            if not now.has_ended:
                given = {"verb": verb, "author": actor.name, "message": message}
                await session.fetch(statements.GIVE_ORDER, release=id_, **given)
            told = f"{verb} by {actor.name}{f': {message}' if message else ''}; {said}"
            await store.note_events(session, id_, [(views.NOW, "order", "info", told)])
            await self._asking.note(session, actor, f"release.{verb}", now.asked)
        await self.carrier.wake(id_)
        return Answer(id_, now.state, said)

    async def _visible(self, ctx: Context, release: str) -> Record:
        record = await self._reader.record(release)
        asked = record.asked
        await self._parts.gate.require(
            ctx, Action.SEE, service=asked.service, environment=asked.environment
        )
        return record

    async def _kept_of(self, records: list[Record]) -> frozenset[str]:
        """Return those of the releases that somebody can return to."""
        places = {(one.asked.environment, one.asked.service) for one in records}
        return frozenset(await self._reader.kept(places))

    async def _summary(self, id_: str) -> ReleaseSummary:
        record, is_kept = await self._reader.line(id_)
        return views.summary(record, is_kept=is_kept)

    async def _view(self, record: Record) -> ReleaseView:
        whole = await self._reader.whole(record)
        terms = whole.document("terms", Terms)
        return ReleaseView(
            summary=views.summary(record, is_kept=whole.is_kept),
            descriptor=whole.text,
            descriptor_digest=record.asked.descriptor,
            file=record.asked.file,
            artefact=record.artefact,
            stacks=terms.stacks if terms is not None else {},
            plan=whole.document("plan", PlanView),
            findings=whole.document("findings", list[Finding]) or [],
            approve=list(terms.approve) if terms is not None else [],
            approvals=whole.words,
            at_target=record.at_target,
            before=record.before,
            rest=list(record.asked.rest),
            steps=whole.events,
            rollout=views.rollout(whole.rollout.state) if whole.rollout is not None else None,
        )


def _require_words(words: str, *, most: int = MOST_MESSAGE) -> None:
    if len(words) > most or "\0" in words:
        raise RequestUnfit(f"a message or path has at most {most} characters, and no NUL")
