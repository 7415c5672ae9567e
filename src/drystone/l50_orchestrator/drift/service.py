"""Finds what serves and should not: the implementation of :class:`DriftApi`, and a look of its own now and then.

A look reads what is on record, asks the target, and reads the record again: what was released meanwhile is no drift. The table
remembers since when something differs, and the audit log has when that began and when it was over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ports import Log
from drystone.l10_engines.workflows.run import Definition
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l50_orchestrator.drift import domain, store
from drystone.l50_orchestrator.drift.api import DriftApi, DriftView
from drystone.l50_orchestrator.drift.domain import Difference, Key
from drystone.l50_orchestrator.drift.errors import NothingDrifted, OnlyAdopted
from drystone.l50_orchestrator.ports import Action, Actor, Environment
from drystone.l50_orchestrator.releases import views
from drystone.l50_orchestrator.releases.api import ReleaseSummary
from drystone.l50_orchestrator.releases.asking import ADOPTED, Asking, Wish
from drystone.l50_orchestrator.releases.errors import ReleaseUnderWay, RequestUnfit
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record
from drystone.l50_orchestrator.releases.terms import Terms
from drystone.l50_orchestrator.target import Doing, Standing, Target

EVERY = timedelta(minutes=5)
"""How long it takes until the next look."""

MOST_MESSAGE = 2000
_MOST_TEXT = 200
_MOST_FIELDS = 1000
_PLATFORM = Actor("platform", "platform")


class Drift(DriftApi):
    """Drift of one platform.

    Args:
        parts: What releases need of others; ``parts.database`` has the table of drift, too.
        definition: The workflow that releases are.
        clock: The time.
    """

    def __init__(self, parts: Parts, definition: Definition[str, str], clock: Clock) -> None:
        self._parts = parts
        self._reader = Reader(parts.database)
        self._asking = Asking(parts, definition)
        self._clock = clock

    @override
    async def find(
        self, ctx: Context, *, service: str | None = None, environment: str | None = None
    ) -> list[DriftView]:
        await self._parts.gate.require(ctx, Action.SEE, service=service, environment=environment)
        if environment is not None:
            places = [await self._parts.registry.environment(environment)]
        else:
            places = await self._parts.registry.every_environment()
        return [view for place in places for view in await self._look(place, service)]

    @override
    async def repair(
        self, ctx: Context, *, environment: str, service: str, message: str = ""
    ) -> ReleaseSummary:
        if len(message) > MOST_MESSAGE or "\0" in message:
            raise RequestUnfit(f"a message has at most {MOST_MESSAGE} characters, and no NUL")
        actor = await self._parts.gate.require(
            ctx, Action.DEPLOY, service=service, environment=environment
        )
        place = await self._parts.registry.environment(environment)
        if under_way := await self._reader.open_of(environment, service):
            raise ReleaseUnderWay(
                f"release {under_way[0]} of {service} in {environment} has not ended: wait for it, or abort it first"
            )
        found = await self._look(place, service)
        mended = [one.field for one in found if "repair" in one.repairs]
        if not found:
            raise NothingDrifted(f"{environment}/{service} is as it should be")
        if not mended:
            what = ", ".join(one.field for one in found)
            raise OnlyAdopted(
                f"no release on record is to serve as {environment}/{service} instead ({what}): adopt it, destroy it, or change"
                " descriptor or configuration"
            )
        said = (message or f"brings back {', '.join(mended)}")[:MOST_MESSAGE]
        id_ = await self._bring_back(Wish.of(ctx, actor, said), place, service)
        record, is_kept = await self._reader.line(id_)
        return views.summary(record, is_kept=is_kept)

    async def _bring_back(self, wish: Wish, place: Environment, service: str) -> str:
        """Ask for the release that should serve; the id under which that was asked."""
        record = await self._serving(place.name, service)
        if record is None:
            raise OnlyAdopted(f"nothing is to serve as {place.name}/{service} by the record")
        there = await self._parts.target(place).standing(place.name, service)
        lasting = await self._reader.record(record.lasting)
        if there is not None and domain.can_go_back(there, lasting.at_target):
            return await self._asking.return_to(wish, lasting)
        return await self._asking.again(wish, lasting, place)

    async def watch(self, log: Log, every: timedelta = EVERY) -> None:
        """Look now and then until this is cancelled, and tell the log and the audit log what begins to drift, and what ends.

        Args:
            log: Hears it, too.
            every: How long it takes until the next look.
        """
        while True:
            try:
                await self.look(log)
            except PlatformError as e:
                log.warning("drift cannot be looked for now", error=e)
            await self._clock.sleep(every)

    async def look(self, log: Log) -> None:
        """Look once at everything, and write down what began and what ended.

        Raises:
            Unavailable: The database cannot do it now. A target that does not answer is left out, and what drifted there stays.
        """
        views_, unseen = list[DriftView](), set[str]()
        for place in await self._parts.registry.every_environment():
            try:
                views_ += await self._look(place, None)
            except PlatformError as e:
                unseen.add(place.name)
                log.warning("drift cannot be looked for", error=e, environment=place.name)
        fields = [(one.environment, one.service, one.field) for one in views_]
        database, book = self._parts.database, self._parts.book
        async with database.session() as session, session.transaction():
            before = await store.seen(session)
            new = set(fields) - before.keys()
            gone = {one for one in before if one not in fields and one[0] not in unseen}
            await store.see(session, new)
            await store.forget(session, gone)
            for action, changed in (("drift.found", new), ("drift.ended", gone)):
                for (environment, service), group in groupby(sorted(changed), lambda f: f[:2]):
                    names = ", ".join(field for _, _, field in group)[:_MOST_FIELDS]
                    told = {"fields": names, **_doer(views_, environment, service)}
                    log.warning(action, service=f"{environment}/{service}", fields=names)
                    await book.note(session, _PLATFORM, action, f"{environment}/{service}", **told)

    async def _look(self, place: Environment, service: str | None) -> list[DriftView]:
        """Compare one environment, or one service of it."""
        target = self._parts.target(place)
        if service is None:
            there = {one.service for one in await target.present(place.name)}
            names = sorted({*there, *await self._reader.all_serving(place.name)})
        else:
            names = [service]
        async with self._parts.database.session() as session:
            seen = await store.seen(session)
        told = []
        for name in names:
            differences = await self._compared(target, place, name)
            if not differences:
                continue
            is_other = any(one.field in domain.OTHER_RELEASE for one in differences)
            doing = await target.last_doing(place.name, name) if is_other else None
            told += [self._view(one, doing, seen) for one in differences]
        return told

    async def _compared(self, target: Target, place: Environment, name: str) -> list[Difference]:
        """Compare one service with its record; nothing differs of what is released meanwhile."""
        environment = place.name
        before = await self._reader.serving(environment, name)
        if await self._reader.open_of(environment, name):
            return []
        found = await target.standing(environment, name, engines=True)
        record = await self._serving(environment, name)
        is_still = (record.asked.id if record else None) == before
        is_moving = not is_still or bool(await self._reader.open_of(environment, name))
        if is_moving or (found is not None and found.is_busy):
            return []
        key = (environment, name)
        ours: dict[Key, Standing] = {} if record is None else {key: await self._believed(record)}
        theirs: dict[Key, Standing] = {} if found is None else {key: found}
        owner = await self._parts.registry.service(name)
        team = None if owner is None else owner.team
        return [*domain.drift(ours, theirs), *domain.unlike_configured(key, found, place, team)]

    async def _serving(self, environment: str, service: str) -> Record | None:
        id_ = await self._reader.serving(environment, service)
        return None if id_ is None else await self._reader.record(id_)

    async def _believed(self, record: Record) -> Standing:
        terms = await self._reader.document(record.asked.id, "terms", Terms)
        if terms is None:
            adopted = await self._reader.document(record.asked.id, ADOPTED, dict[str, Any])
            stacks = None if adopted is None else _current(adopted)
        else:
            stacks = _current(terms.stacks)
        return Standing(
            release=record.at_target,
            version=record.asked.version,
            artefact=record.artefact,
            shares={record.at_target: 1.0},
            hosts=() if stacks is None else tuple(stacks["environment"]["hosts"]),
            stacks=stacks,
        )

    def _view(
        self, one: Difference, doing: Doing | None, seen: Mapping[store.Field, datetime]
    ) -> DriftView:
        first = seen.get((one.environment, one.service, one.field), self._clock.now())
        return DriftView(
            environment=one.environment,
            service=one.service,
            field=one.field,
            wanted=_text(one.believed),
            found=_text(one.found),
            since=first if doing is None else doing.at,
            by="" if doing is None else doing.by,
            how="" if doing is None else doing.what,
            repairs=one.repairs,
        )


def _current(stacks: dict[str, Any]) -> dict[str, Any] | None:
    """Return recorded stacks with what this version adds to them; None where they are another version's."""
    try:
        whole = msgspec.convert(stacks, Stacks)
    except msgspec.ValidationError:
        return None
    current: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return current


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"


def _doer(found: list[DriftView], environment: str, service: str) -> dict[str, str]:
    for one in found:
        if (one.environment, one.service) == (environment, service) and one.by:
            return {"by": one.by, "how": one.how}
    return {}
