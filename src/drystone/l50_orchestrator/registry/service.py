"""The implementation of :class:`RegistryApi`, and of the port by which the other parts of the orchestrator use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.contract import Context, Page, make_cursor, read_cursor
from drystone.l00_kernel.errors import Denied, Invalid, PlatformError
from drystone.l00_kernel.visible import visible
from drystone.l00_kernel.yaml_text.problems import nearest
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l50_orchestrator.ports import Action, Actor, Environment, Registered, Registry
from drystone.l50_orchestrator.registry import names, store
from drystone.l50_orchestrator.registry.api import (
    EnvironmentSaid,
    ServiceSaid,
    ServiceView,
)
from drystone.l50_orchestrator.registry.errors import (
    EnvironmentNotFound,
    NameTaken,
    NameTooClose,
    NothingOffered,
    NotInTeam,
    RegistrationUnfit,
    ServiceInUse,
    ServiceNotRegistered,
    TooManyUnused,
)
from drystone.l50_orchestrator.registry.grounds import Grounds
from drystone.l50_orchestrator.registry.managing import Managing
from drystone.l50_orchestrator.registry.naming import Naming, check_words

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database, Session
    from drystone.l50_orchestrator.ports import Book, Gate, Teams
    from drystone.l50_orchestrator.registry.store import Kept

_NEW = "drystone"
"""Nobody can register this name: who may as far as the gate goes, may register what nobody has, for a team."""

OFFER_LASTS = timedelta(days=14)
LARGEST_PAGE = 500


class PlatformRegistry(Managing, Registry):
    """Services, their owners, and where they may run.

    Args:
        database: The orchestrator's schema; :meth:`prepare` makes the tables.
        gate: Who may.
        book: The audit log.
        teams: Which there are.
        clock: The time.
        reserved: Names that no service may have.
        simulated_allowed: Whether targets may be simulated; in tests.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        book: Book,
        teams: Teams,
        clock: Clock | None = None,
        reserved: frozenset[str] = names.RESERVED,
        simulated_allowed: bool = False,
    ) -> None:
        super().__init__(gate, Grounds(database, book, simulated_allowed=simulated_allowed))
        self._database = database
        self._book = book
        self._clock = clock or SystemClock()
        self._teams = teams
        self._naming = Naming(teams, book, self._clock, reserved)

    async def prepare(self) -> None:
        """Make the tables, or bring them to the present version. Idempotent.

        Raises:
            MigrationsDiverged: Another version made them.
            DatabaseUnavailable: The server cannot do it now.
        """
        await migrate(self._database, store.PART, steps_of("drystone.l50_orchestrator.registry"))

    async def begin(self, actor: Actor, said: Mapping[str, EnvironmentSaid]) -> None:
        """Make the first environments of a platform, all or none of them; nothing where there are some."""
        await self._grounds.begin(actor, said)

    # For the other parts

    @override
    async def claim(
        self,
        session: Session,
        actor: Actor,
        service: str,
        *,
        team: str,
        tier: int | None,
        description: str,
    ) -> Registered:
        return await self._naming.claim(
            session, actor, service, team=team, tier=tier, words=description
        )

    @override
    async def appeared(self, session: Session, service: str, environment: str) -> None:
        if not await session.fetch(store.SHARE_ENVIRONMENT, name=environment):
            raise EnvironmentNotFound(f"there is no environment {environment[:60]!r} any more")
        await self._held(session, service)
        await session.fetch(store.APPEAR, service=service, environment=environment)
        await session.fetch(store.RUNS, service=service, now=self._clock.now())

    @override
    async def disappeared(self, session: Session, service: str, environment: str) -> None:
        await store.hold_service(session, service)
        if await session.fetch(store.DISAPPEAR, service=service, environment=environment):
            await session.fetch(store.RUNS_NOWHERE, service=service, now=self._clock.now())

    @override
    async def service(self, name: str) -> Registered | None:
        kept = await store.find_service(self._database, name)
        return kept.service if kept is not None and kept.holding.retired is None else None

    @override
    async def environment(self, name: str) -> Environment:
        return await self._grounds.environment(name)

    @override
    async def every_environment(self) -> list[Environment]:
        return [view.environment for view in await self._grounds.environments()]

    # Services

    async def all_services(self, ctx: Context) -> list[Registered]:
        """Return every service that is not retired, by name.

        Raises:
            Denied: The caller may not see them.
        """
        await self._gate.require(ctx, Action.SEE)
        return await store.all_services(self._database)

    @override
    async def services(
        self,
        ctx: Context,
        *,
        team: str | None = None,
        tier: int | None = None,
        search: str = "",
        retired: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceView]:
        await self._gate.require(ctx, Action.SEE)
        if not 1 <= limit <= LARGEST_PAGE:
            raise Invalid(f"a page has 1 to {LARGEST_PAGE} services, not {limit}")
        if len(search) > 200 or "\x00" in search or "\x00" in (team or ""):
            raise Invalid("search for at most 200 characters, none of them NUL")
        if tier is not None and not 0 <= tier <= 3:
            raise Invalid(f"a tier is 0 to 3, not {tier}")
        found = await store.page_of_services(
            self._database,
            team=team,
            tier=tier,
            search=search,
            retired=retired,
            after=_position(cursor),
            most=limit + 1,
            now=self._clock.now(),
        )
        next_ = make_cursor(found[limit - 1].service.name) if len(found) > limit else None
        return Page(found[:limit], next_)

    @override
    async def show(self, ctx: Context, *, service: str) -> ServiceView:
        await self._gate.require(ctx, Action.SEE, service=service)
        view = None
        if "\x00" not in service:
            view = await store.show_service(self._database, service, self._clock.now())
        if view is None:
            raise await self._unknown(self._database, service)
        return view

    @override
    async def register(self, ctx: Context, *, service: str, said: ServiceSaid) -> ServiceView:
        actor = await self._may_register(ctx, service, said.team)
        check_words(said.description, said.links)
        is_admin = not _is_of(actor, said.team)
        if is_admin:
            actor = await self._admin(ctx, _not_in(actor, said.team, f"register '{service[:60]}'"))
        try:
            return await self._register(actor, service, said, is_admin=is_admin)
        except (NameTooClose, TooManyUnused) as e:
            actor = await self._admin(ctx, e)
            return await self._register(actor, service, said, is_admin=True)

    async def _register(
        self, actor: Actor, name: str, said: ServiceSaid, *, is_admin: bool
    ) -> ServiceView:
        names.check_form(name, frozenset())
        now = self._clock.now()
        wanted = Registered(name, said.team, None, said.description, said.links, now, actor.name)
        async with self._changing() as session:
            await self._naming.register(session, actor, wanted, is_admin=is_admin)
            return await self._view(session, name)

    @override
    async def offer(self, ctx: Context, *, service: str, team: str) -> ServiceView:
        actor = await self._gate.require(ctx, Action.TRANSFER, service=service)
        now = self._clock.now()
        async with self._changing() as session:
            kept = await self._held(session, service)
            if kept.service.team == team:
                raise RegistrationUnfit(f"the service '{service}' is the team '{team}''s already")
            await self._naming.check_team(session, team)
            before = await session.fetch(store.OFFERED, service=service, now=now)
            if [row[0] for row in before] != [team]:
                await session.fetch(
                    store.OFFER, service=service, team=team, by=actor.name, ends=now + OFFER_LASTS
                )
                await self._note(session, actor, "service.offered", service, team=team)
            return await self._view(session, service)

    @override
    async def withdraw_offer(self, ctx: Context, *, service: str) -> ServiceView:
        actor = await self._gate.require(ctx, Action.TRANSFER, service=service)
        async with self._changing() as session:
            await self._held(session, service)
            for (team,) in await session.fetch(store.END_OFFER, service=service):
                await self._note(session, actor, "service.offer-withdrawn", service, team=team)
            return await self._view(session, service)

    @override
    async def take(self, ctx: Context, *, service: str) -> ServiceView:
        actor = await self._gate.require(ctx, Action.REGISTER, service=_NEW)
        names.check_form(service, frozenset())
        view = await store.show_service(self._database, service, self._clock.now())
        if view is not None and view.offered_to and not _is_of(actor, view.offered_to):
            actor = await self._admin(ctx, _not_in(actor, view.offered_to, f"take '{service}'"))
        async with self._changing() as session:
            kept = await self._held(session, service)
            rows = await session.fetch(store.OFFERED, service=service, now=self._clock.now())
            if not rows or view is None or rows[0][0] != view.offered_to:
                raise NothingOffered(
                    f"the service '{service}' is not offered to a team: the team '{kept.service.team}' offers it first"
                )
            team = rows[0][0]
            await self._give(session, actor, kept, team, "service.taken")
            given = await self._view(session, service)
        await self._teams.has(team, service)
        return given

    @override
    async def assign(self, ctx: Context, *, service: str, team: str) -> ServiceView:
        actor = await self._gate.require(ctx, Action.ADMINISTER, service=service)
        async with self._changing() as session:
            kept = await self._held(session, service)
            await self._naming.check_team(session, team)
            if kept.service.team != team:
                await self._give(session, actor, kept, team, "service.assigned")
            given = await self._view(session, service)
        await self._teams.has(team, service)
        return given

    async def _give(
        self, session: Session, actor: Actor, kept: Kept, team: str, action: str
    ) -> None:
        name, before = kept.service.name, kept.service.team
        await session.fetch(store.SET_TEAM, name=name, team=team)
        await session.fetch(store.END_OFFER, service=name)
        await self._teams.end_roles(session, actor, name, before)
        await self._note(session, actor, action, name, team=team, before=before)

    @override
    async def retire(self, ctx: Context, *, service: str) -> ServiceView:
        actor = await self._gate.require(ctx, Action.DESTROY, service=service)
        async with self._changing() as session:
            kept = await store.hold_service(session, service) if "\x00" not in service else None
            if kept is None:
                raise await self._unknown(session, service)
            if kept.holding.retired is None:
                runs = [row[0] for row in await session.fetch(store.WHERE_IT_RUNS, service=service)]
                if runs:
                    raise ServiceInUse(
                        f"the service '{service}' runs in {', '.join(runs)}: destroy it there before it is retired"
                    )
                await session.fetch(store.RETIRE, name=service, now=self._clock.now())
                await session.fetch(store.END_OFFER, service=service)
                await self._note(session, actor, "service.retired", service, team=kept.service.team)
            return await self._view(session, service)

    # Parts of the above

    async def _may_register(self, ctx: Context, service: str, team: str) -> Actor:
        """Return who registers, or says something else of a service.

        Raises:
            NameTaken: It is another team's; told to those who may see what there is.
        """
        await self._gate.require(ctx, Action.SEE)
        names.check_form(service, frozenset())
        try:
            return await self._gate.require(ctx, Action.REGISTER, service=service)
        except Denied as e:
            kept = await store.find_service(self._database, service)
            try:
                self._naming.check_holder(kept, service, team, self._clock.now())
            except NameTaken as taken:
                raise taken from e
            raise

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Session]:
        async with self._database.session() as session, session.transaction():
            yield session

    async def _held(self, session: Session, name: str) -> Kept:
        """Return a service that nobody else changes meanwhile.

        Raises:
            ServiceNotRegistered: There is none, or it was given up.
        """
        kept = await store.hold_service(session, name) if "\x00" not in name else None
        if kept is None or kept.holding.retired is not None:
            raise await self._unknown(session, name)
        return kept

    async def _view(self, session: Session, name: str) -> ServiceView:
        view = await store.show_service(session, name, self._clock.now())
        if view is None:
            raise await self._unknown(session, name)
        return view

    @staticmethod
    async def _unknown(where: Session | Database, name: str) -> ServiceNotRegistered:
        known = [row[0] for row in await where.fetch(store.NAMES)]
        near = nearest(name, known)
        advice = f"did you mean '{near}'?" if near else "its first deploy registers it"
        return ServiceNotRegistered(
            f"no service '{visible(name[:60])}' is registered: {advice}", service=name[:60]
        )

    async def _admin(self, ctx: Context, otherwise: PlatformError) -> Actor:
        """Return the caller when it is an admin.

        Raises:
            PlatformError: It is none: what else it would have needed.
        """
        try:
            return await self._gate.require(ctx, Action.ADMINISTER)
        except Denied as e:
            raise otherwise from e

    async def _note(
        self, session: Session, actor: Actor, action: str, service: str, **fields: str
    ) -> None:
        await self._book.note(session, actor, action, f"service/{service}", **fields)


def _is_of(actor: Actor, team: str) -> bool:
    return actor.kind == "platform" or team in actor.teams


def _not_in(actor: Actor, team: str, what: str) -> NotInTeam:
    return NotInTeam(
        f"{actor.name} is not in the team '{visible(team[:60])}' and so cannot {visible(what)} for it: somebody of the"
        " team can, or an admin"
    )


def _position(cursor: str | None) -> str:
    after = "" if cursor is None else read_cursor(cursor, str)
    if "\x00" in after:
        raise Invalid("the cursor is not one that this list gave out; start again without a cursor")
    return after
