"""Gives names to teams: in the transaction of whoever registers, by a deploy or beforehand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import structs

from drystone.l00_kernel.errors import Conflict
from drystone.l00_kernel.visible import visible
from drystone.l50_orchestrator.ports import Actor, Registered
from drystone.l50_orchestrator.registry import names, store
from drystone.l50_orchestrator.registry.errors import (
    NameTaken,
    NameTooClose,
    NotInTeam,
    RegistrationUnfit,
    TeamNotFound,
    TooManyUnused,
)

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.postgres.database import Session
    from drystone.l50_orchestrator.ports import Book, Teams
    from drystone.l50_orchestrator.registry.store import Kept

_MOST_LINKS, _LONGEST_LINK, _LONGEST_WORDS = 20, 500, 4000


class Naming:
    """The rules of names over the tables.

    Args:
        teams: Which there are.
        book: The audit log.
        clock: The time.
        reserved: Names that no service may have.
    """

    def __init__(
        self, teams: Teams, book: Book, clock: Clock, reserved: frozenset[str] = names.RESERVED
    ) -> None:
        self._teams = teams
        self._book = book
        self._clock = clock
        self._reserved = reserved

    async def claim(
        self,
        session: Session,
        actor: Actor,
        name: str,
        *,
        team: str,
        tier: int | None,
        words: str,
    ) -> Registered:
        """Register a service by its first deploy, or bring its words up to date.

        Raises:
            Denied: The name is another team's or too close to one, or the actor is not in the team.
            NotFound: There is no such team.
            NameRefused: No service may have this name.
            TooManyUnused: The team has too many services that never ran.
        """
        check_words(words, {})
        names.check_form(name, frozenset())
        now = self._clock.now()
        kept = await store.find_service(session, name)
        if kept is None or kept.service.team != team or kept.holding.retired is not None:
            self.check_holder(kept, name, team, now)
            if actor.kind != "platform" and team not in actor.teams:
                raise NotInTeam(
                    f"{actor.name} is not in the team '{team}', so that '{name}' cannot be registered by this deploy: let"
                    f" somebody of the team deploy it first, or an admin register it: `drystone registry register {name} --team"
                    f" {team}`"
                )
            wanted = Registered(name, team, tier, words, {}, now, actor.name)
            return await self.register(session, actor, wanted, is_admin=False)
        if (kept.service.tier, kept.service.description) == (tier, words):
            return kept.service
        kept = await store.hold_service(session, name)
        if kept is None or kept.service.team != team:
            raise Conflict(f"the service '{name}' changed its owner at this moment: deploy again")
        service = structs.replace(kept.service, tier=tier, description=words)
        await store.put_service(session, service)
        await self._note(session, actor, "service.described", service)
        return service

    async def register(
        self, session: Session, actor: Actor, wanted: Registered, *, is_admin: bool
    ) -> Registered:
        """Give a name to a team, or bring words of its service up to date; return what is in the table then.

        Args:
            session: In a transaction.
            actor: Who, and may act for the team.
            wanted: What shall be; ``since`` is now.
            is_admin: Whether the actor may go beyond what teams may.

        Raises:
            NameTaken: The name is another team's.
            NameTooClose: It is too close to another team's, and the actor is no admin.
            TooManyUnused: The team has too many services that never ran, and the actor is no admin.
            TeamNotFound: There is no such team.
            NameRefused: No service may have this name.
        """
        name, team, now = wanted.name, wanted.team, wanted.since
        await store.lock_names(session)
        kept = await store.hold_service(session, name)
        self.check_holder(kept, name, team, now)
        is_own = kept is not None and kept.service.team == team
        if kept is not None and is_own and kept.holding.retired is None:
            return await self._update(session, actor, kept, wanted)
        names.check_form(name, self._reserved)
        await self.check_team(session, team)
        if not is_admin:
            await self._check_unused(session, name, team, now)
            await self._check_neighbours(session, name, team, now)
        if kept is not None and is_own and not kept.holding.is_free(now):
            wanted = structs.replace(wanted, since=kept.service.since)  # nothing prolongs a name
        elif kept is not None:
            await session.fetch(store.FORGET_PAST, name=name)
            await session.fetch(store.END_OFFER, service=name)
        await store.put_service(session, wanted)
        await self._note(session, actor, "service.registered", wanted)
        await self._teams.has(team, name)
        return wanted

    async def _update(
        self, session: Session, actor: Actor, kept: Kept, wanted: Registered
    ) -> Registered:
        before = kept.service
        after = structs.replace(before, description=wanted.description, links=wanted.links)
        if after != before:
            await store.put_service(session, after)
            await self._note(session, actor, "service.described", after)
        return after

    async def _note(self, session: Session, actor: Actor, action: str, service: Registered) -> None:
        await self._book.note(
            session,
            actor,
            action,
            f"service/{service.name}",
            team=service.team,
            tier=service.tier,
            description=service.description[:200],
        )

    @staticmethod
    def check_holder(kept: Kept | None, name: str, team: str, now: datetime) -> None:
        """Refuse a name that another team holds.

        Raises:
            NameTaken: It does; the message says until when.
        """
        if kept is None or kept.service.team == team or kept.holding.is_free(now):
            return
        free = kept.holding.free_from
        until = f"; it is free from {free:%Y-%m-%d} on, unless it runs by then" if free else ""
        raise NameTaken(
            f"the name '{name}' belongs to the team '{kept.service.team}'{until}; choose another, or ask that team to"
            " offer it to yours",
            service=name,
            team=kept.service.team,
        )

    async def check_team(self, session: Session, team: str) -> None:
        """Refuse a team that there is not.

        Raises:
            TeamNotFound: There is none.
        """
        if "\x00" in team or not await self._teams.is_team(session, team):
            shown = visible(team[:60])
            raise TeamNotFound(
                f"there is no team '{shown}': an admin makes it first: `drystone teams add {shown}`"
            )

    async def _check_unused(self, session: Session, name: str, team: str, now: datetime) -> None:
        if await store.count_unused(session, team, name, now - names.HELD) < names.MOST_UNUSED:
            return
        raise TooManyUnused(
            f"the team '{team}' has {names.MOST_UNUSED} services that never ran: deploy or retire one before it registers"
            f" '{name}', or ask an admin"
        )

    async def _check_neighbours(
        self, session: Session, name: str, team: str, now: datetime
    ) -> None:
        found = await store.neighbours(session, name, team, critical=names.CRITICAL_TIER, now=now)
        near = names.looks_like(name, found)
        if near is not None:
            raise NameTooClose(
                f"'{name}' can be taken for '{near.name}' of the team '{near.team}': choose a name that cannot, or let an"
                " admin register it",
                service=near.name,
                team=near.team,
            )


def check_words(description: str, links: dict[str, str]) -> None:
    """Refuse a description or links that cannot be.

    Raises:
        RegistrationUnfit: The message says which, and why.
    """
    shown = description.replace("\n", " ")
    if len(shown) > _LONGEST_WORDS or visible(shown) != shown:
        raise RegistrationUnfit(
            f"a description has at most {_LONGEST_WORDS} characters, all of which can be seen"
        )
    if len(links) > _MOST_LINKS:
        raise RegistrationUnfit(f"a service has at most {_MOST_LINKS} links, not {len(links)}")
    for what, url in links.items():
        if not what or len(what) > 40 or visible(what) != what:
            raise RegistrationUnfit(
                f"{visible(what[:60])!r} does not say in 1 to 40 characters what a link is"
            )
        if not _is_link(url):
            raise RegistrationUnfit(
                f"the link {what!r} is no address: it begins with https:// or http://, has at most {_LONGEST_LINK}"
                " characters, and neither a user nor a password"
            )


def _is_link(url: str) -> bool:
    try:
        place = urlsplit(url)
        host = place.hostname
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(" \"'<>\\`")
    is_short = len(url) <= _LONGEST_LINK
    return (
        is_plain
        and is_short
        and place.scheme in {"https", "http"}
        and bool(host)
        and "@" not in place.netloc
    )
