"""The one place that decides who may do what, as it stands in the tables: at most half a second ago.

What it needs of one caller is kept for that long, so that a call costs no statement and a revoked token ends within a second,
whichever process revoked it. Nothing is kept when the database is away: then everything is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l00_kernel.visible import visible
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l50_orchestrator.access import domain, names, secrets, store
from drystone.l50_orchestrator.access.brief import Brief
from drystone.l50_orchestrator.access.domain import Decision, Question, Standing
from drystone.l50_orchestrator.access.errors import (
    NotAllowed,
    TokenExpired,
    TokenMistyped,
    TokenOrphaned,
    TokenRevoked,
    TokenUnknown,
)
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.withdrawn import Withdrawn, ownership, reduced
from drystone.l50_orchestrator.access.wording import refusal, subject_of
from drystone.l50_orchestrator.audit.past import Past
from drystone.l50_orchestrator.ports import Action, Actor, Gate, Places, Withdrawals

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Caller]]

PLATFORM_ROLE = "admin"
"""The role of callers whom the server let in as the owner of the home."""

TOKEN = "token:"  # noqa: S105 - how the names of tokens begin
_USED_EVERY = timedelta(minutes=1)
_LONGEST = 200
_UNKNOWN = Actor("unknown", "token")


class _Seen(msgspec.Struct, frozen=True):
    """A caller's standing, and when its token ends."""

    standing: Standing
    expires: datetime | None = None


class AccessGate(Gate, Withdrawals):
    """Decides by people, teams, grants and tokens.

    Args:
        database: Of the orchestrator; :func:`~drystone.l50_orchestrator.access.store.prepare` was done.
        places: Whose services are, and of what type environments.
        refusals: Where refusals are written.
        clock: The time.
        withdrawn: What was taken away, where a database that is restored does not give it back.
        past: Tells whether the database is an older copy; then only the platform is let in.
    """

    def __init__(
        self,
        database: Database,
        *,
        places: Places,
        refusals: Refusals,
        clock: Clock,
        withdrawn: Withdrawn | None = None,
        past: Past | None = None,
    ) -> None:
        self._database = database
        self._places = places
        self._refusals = refusals
        self._clock = clock
        self._withdrawn = withdrawn
        self._past = past
        self._seen = Brief[_Seen](clock)
        self._callers = Brief[_Seen](clock)
        self._facts = Brief[tuple[str | None]](clock)

    # Who asks

    async def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Tell who sends a token (RFC 6750, section 2.1).

        Args:
            headers: Of the request, with names in lower case.

        Raises:
            Unauthenticated: There is no token, or a subclass says what is wrong with it. It is never quoted.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("send a token: `Authorization: Bearer dry_…`")
        try:
            return await self._caller_of(token.strip())
        except Unauthenticated as e:
            await self._refusals.tell(_UNKNOWN, "authenticate", "platform", e.message)
            raise

    def by_socket(self, owner: str) -> Authenticate:
        """Return the authentication of a socket that the home's owner alone can open: without a token it is the platform.

        Args:
            owner: Name of the user.
        """
        platform = Caller(owner, frozenset({PLATFORM_ROLE}))

        async def authenticate(headers: Mapping[str, str]) -> Caller:
            return await self.authenticate(headers) if "authorization" in headers else platform

        return authenticate

    async def _caller_of(self, token: str) -> Caller:
        if not secrets.is_well_formed(token):
            raise TokenMistyped(
                "the token is none of this kind: a letter is wrong or missing; copy it anew"
            )
        digest = secrets.digest(token)
        now = self._clock.now()
        seen = self._callers.get(digest)
        if seen is None:
            since = self._clock.monotonic()
            async with self._database.session() as session:
                seen = await self._known(session, digest, now)
            self._callers.put(digest, seen, since)
        _require_unexpired(seen, now)
        return Caller(seen.standing.name)

    async def _known(self, session: Session, digest: bytes, now: datetime) -> _Seen:
        known = await store.known(session, digest)
        if known is None:
            raise TokenUnknown
        name = f"{TOKEN}{known.id}"
        if known.revoked is not None:
            raise TokenRevoked(f"{name} was revoked at {known.revoked:%Y-%m-%d %H:%M} UTC")
        self._require_not_taken(known.id)
        if not known.is_active or self.is_taken(f"person/{known.maker}"):
            raise TokenOrphaned(f"{name} was made by {known.maker}, who has left")
        seen = _Seen(Standing(name, "token", behind=known.maker), known.expires)
        _require_unexpired(seen, now)
        if known.used is None or now - known.used > _USED_EVERY:
            await session.fetch(store.USED, id=known.id, at=now)
        return seen

    # What somebody may do

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        asked = await self.question(action, service, environment)
        standing = await self.standing(ctx)
        return await self.allow(standing, asked)

    async def allow(self, standing: Standing, asked: Question) -> Actor:
        """Return who asks when it may, and write down that it may not.

        Raises:
            NotAllowed: It may not.
        """
        now = self._clock.now()
        decision = domain.decide(standing, asked, now)
        if decision.allowed:
            return actor_of(standing, now)
        raise await self.refuse(standing, asked, decision)

    async def refuse(self, standing: Standing, asked: Question, decision: Decision) -> NotAllowed:
        """Write down that somebody may not; the error that says so."""
        can = () if decision.by_token else await self.givers(asked)
        error = refusal(standing, asked, decision, can)
        await self.tell(standing, asked.action.value, subject_of(asked), decision.why)
        return error

    async def tell(self, standing: Standing, action: str, subject: str, why: str) -> None:
        """Write a refusal down."""
        await self._refusals.tell(actor_of(standing, self._clock.now()), action, subject, why)

    async def givers(self, asked: Question) -> tuple[str, ...]:
        """Return who can give what a question takes, as people say it."""
        async with self._database.session() as session:
            grants = await store.powerful(session, asked.service, asked.team)
        return tuple(domain.spoken(who) for who in domain.givers(grants, asked))

    async def question(
        self, action: Action, service: str | None, environment: str | None
    ) -> Question:
        """Return a question with what is known of the service and the environment.

        Raises:
            NameUnfit: Nothing can be called so.
        """
        team = kind = None
        if service is not None:
            names.checked("service", service)
            team = await self.team_of(service)
        if environment is not None:
            names.checked("environment", environment)
            kind = await self._fact(f"e {environment}", self._places.type_of, environment)
        return Question(action, service, team, environment, kind)

    async def team_of(self, service: str) -> str | None:
        """Return whose a service is: None where nobody registered it, and nobody's, empty, where its team has it no more."""
        team = await self._fact(f"s {service}", self._places.team_of, service)
        return "" if team and self.is_taken(ownership(service, team)) else team

    async def _fact(
        self, key: str, ask: Callable[[str], Awaitable[str | None]], name: str
    ) -> str | None:
        found = self._facts.get(key)
        if found is None:
            since = self._clock.monotonic()
            found = (await ask(name),)
            if found[0] is not None:  # what is not there may be there with the next statement
                self._facts.put(key, found, since)
        return found[0]

    async def standing(self, ctx: Context) -> Standing:
        """Return what the caller may do, as it was half a second ago at most.

        Raises:
            Unauthenticated: Its token has ended, was revoked or is unknown.
        """
        caller = ctx.caller
        if PLATFORM_ROLE in caller.roles:
            return Standing(caller.name, "platform")
        await self._require_present()
        seen = self._seen.get(caller.name)
        if seen is None:
            since = self._clock.monotonic()
            async with self._database.session() as session:
                seen = await self._look(session, caller.name)
            self._seen.put(caller.name, seen, since)
        _require_unexpired(seen, self._clock.now())
        return seen.standing

    async def fresh(self, session: Session, ctx: Context) -> Standing:
        """Return what the caller may do, as a session sees it now.

        Raises:
            Unauthenticated: Its token has ended, was revoked or is unknown.
        """
        if PLATFORM_ROLE in ctx.caller.roles:
            return Standing(ctx.caller.name, "platform")
        await self._require_present()
        seen = await self._look(session, ctx.caller.name)
        _require_unexpired(seen, self._clock.now())
        return seen.standing

    async def standing_of(self, session: Session, name: str) -> Standing:
        """Return what somebody may do, by the name of a person or ``token:<id>``.

        Raises:
            Unauthenticated: The token has ended, was revoked or is unknown.
        """
        return (await self._look(session, name)).standing

    async def _look(self, session: Session, name: str) -> _Seen:
        if len(name) > _LONGEST or not name.isascii() or "\x00" in name:
            return _Seen(Standing(visible(name[:_LONGEST]), "person", is_active=False))
        if name.startswith(TOKEN):
            return await self._look_at_token(session, name)
        if "/" in name:
            return _Seen(Standing(name, "service", is_active=False))
        return _Seen(await self._standing_of(session, name))

    async def _look_at_token(self, session: Session, name: str) -> _Seen:
        view = await store.token(session, name.removeprefix(TOKEN), self._clock.now())
        if view is None:
            raise TokenUnknown
        if view.state == "revoked":
            raise TokenRevoked(f"{name} was revoked")
        self._require_not_taken(view.id)
        maker = await self._standing_of(session, view.maker)
        if not maker.is_active:
            raise TokenOrphaned(f"{name} was made by {view.maker}, who has left")
        standing = Standing(
            name,
            "token",
            teams=maker.teams,
            grants=maker.grants,
            bounds=store.bounds_of(view),
            behind=view.maker,
        )
        return _Seen(standing, view.expires)

    @override
    async def who_may(
        self, action: Action, names: Collection[str], *, service: str, environment: str
    ) -> frozenset[str] | None:
        asked = await self.question(action, service, environment)
        now, found = self._clock.now(), set[str]()
        async with self._database.session() as session:
            for name in names:
                team = await store.team(session, name)
                people = [name] if team is None else [one.person for one in team.members]
                for person in people:
                    standing = await self._standing_of(session, person)
                    if domain.decide(standing, asked, now).allowed:
                        found.add(name)
                        break
        return frozenset(found)

    # What a restored database does not know

    @override
    async def take(self, what: Collection[str]) -> None:
        if self._withdrawn is not None and what:
            await asyncio.to_thread(self._withdrawn.take, what)

    @override
    async def give(self, what: Collection[str]) -> None:
        if self._withdrawn is not None and what:
            await asyncio.to_thread(self._withdrawn.give, what)

    async def _require_present(self) -> None:
        if self._past is not None:
            await self._past.require_present()

    @override
    def is_taken(self, what: str) -> bool:
        return self._withdrawn is not None and what in self._withdrawn

    def _require_not_taken(self, token: str) -> None:
        if self.is_taken(f"token/{token}"):
            raise TokenRevoked(
                f"{TOKEN}{token} was revoked; the database is an older copy, and the home remembers it"
            )

    async def _standing_of(self, session: Session, person: str) -> Standing:
        """Return what a person may do, without what was taken away after the database was copied."""
        found = await store.standing_of(session, person, self._clock.now())
        return found if self._withdrawn is None else reduced(found, self._withdrawn)

    def forget(self) -> None:
        """Read everything anew: something has changed."""
        if self._past is not None:
            self._past.forget()
        self._seen.clear()
        self._callers.clear()
        self._facts.clear()


def _require_unexpired(seen: _Seen, now: datetime) -> None:
    if seen.expires is not None and seen.expires <= now:
        raise TokenExpired(
            f"{seen.standing.name} ended at {seen.expires:%Y-%m-%d %H:%M} UTC; make a new one"
        )


def actor_of(standing: Standing, now: datetime) -> Actor:
    """Return who acts."""
    return Actor(
        standing.name,
        standing.kind,
        standing.teams,
        standing.behind,
        standing.glass if standing.has_broken_glass(now) else 0,
    )
