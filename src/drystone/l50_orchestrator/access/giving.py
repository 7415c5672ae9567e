"""Grants: giving roles, taking them back, and telling who may do what."""

from __future__ import annotations

from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.page import Page, make_cursor
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l50_orchestrator.access import domain, names, store
from drystone.l50_orchestrator.access.domain import Grant, Standing
from drystone.l50_orchestrator.access.errors import NoPerson, NotAllowed, NoTeam
from drystone.l50_orchestrator.access.gate import TOKEN, actor_of
from drystone.l50_orchestrator.access.part import (
    ADMINISTER,
    Change,
    Part,
    after,
    check_most,
    plain,
)
from drystone.l50_orchestrator.access.views import Answer, GrantView, MeView
from drystone.l50_orchestrator.ports import Action

_LONGEST = 120


class Giving(Part):
    """Who has which role."""

    @override
    async def me(self, ctx: Context) -> MeView:
        standing = await self._gate.standing(ctx)
        actor = actor_of(standing, self._clock.now())
        return MeView(
            actor.name,
            actor.kind,
            tuple(sorted(actor.teams)),
            actor.behind,
            standing.grants,
            actor.glass,
        )

    @override
    async def can(
        self,
        ctx: Context,
        *,
        action: Action,
        who: str | None = None,
        service: str | None = None,
        environment: str | None = None,
    ) -> Answer:
        asker = await self._gate.standing(ctx)
        asked = await self._gate.question(action, service, environment)
        try:
            subject = asker if who in {None, asker.name} else await self._other(asker, str(who))
        except Unauthenticated as e:
            if who is None:
                raise
            return Answer(False, e.message)
        decision = domain.decide(subject, asked, self._clock.now())
        can = decision.allowed or decision.by_token or not asker.is_active
        return Answer(decision.allowed, decision.why, () if can else await self._gate.givers(asked))

    async def _other(self, asker: Standing, who: str) -> Standing:
        """Return what somebody else may do, for who may know."""
        name = plain(who, "who", _LONGEST)
        if not name.startswith(TOKEN):
            names.checked("person", name)
        is_admin = domain.decide(asker, ADMINISTER, self._clock.now()).allowed
        async with self._database.session() as session:
            found = await self._gate.standing_of(session, name)
        is_known = bool(asker.maintains & found.teams) or asker.name == found.behind
        if not is_admin and not is_known:
            raise NotAllowed(
                f"{asker.name} may not ask what {name} may do: admins and the maintainers of that one's teams may"
            )
        if found.kind == "person" and not found.is_active:
            raise NoPerson(f"there is no person {name}, or it has left")
        return found

    @override
    async def grants(
        self,
        ctx: Context,
        *,
        who: str | None = None,
        over: str | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[GrantView]:
        check_most(most)
        for name, text in (("who", who), ("over", over)):
            plain(text or "", name, _LONGEST)
        await self._see(ctx)
        found = await store.grants(
            self._database, who=who, over=over, after=after(cursor), most=most + 1
        )
        return Page(found[:most], make_cursor(found[most - 1].id) if len(found) > most else None)

    @override
    async def grant(self, ctx: Context, *, grant: Grant) -> GrantView:
        domain.checked(grant)
        known = await self._wider(grant)
        id_ = store.id_of(grant)
        subject = f"grant/{id_}"
        async with self._change(ctx, "grant", subject) as change:
            change.require_to_give(grant, known)
            await _require_there(change, grant)
            if await store.grant(change.session, id_) is None:
                await change.session.fetch(
                    store.PUT_GRANT,
                    id=id_,
                    who=grant.who,
                    role=grant.role.value,
                    over=grant.over,
                    place=grant.place,
                    at=change.at,
                    by=change.actor.name,
                )
                _note(change, "grant.given", subject, grant)
            change.given.append(subject)
            given = await store.grant(change.session, id_)
        if given is None:
            raise RuntimeError("a grant is gone from its own transaction")
        return given

    @override
    async def revoke_grant(self, ctx: Context, *, id: str) -> None:
        subject = f"grant/{plain(id, 'the id', _LONGEST)}"
        async with self._database.session() as session:
            found = await store.grant(session, id)
        if found is None:
            await self._see(ctx)
            return
        known = await self._wider(found.grant)
        async with self._change(ctx, "revoke-grant", subject) as change:
            is_own = (
                change.actor.kind == "person" and found.grant.who == f"person:{change.actor.name}"
            )
            if not is_own:
                change.require_to_give(found.grant, known)
            if await store.grant(change.session, id) is not None:
                await change.session.fetch(store.REMOVE_GRANT, id=id)
                _note(change, "grant.revoked", subject, found.grant)


def _note(change: Change, action: str, subject: str, grant: Grant) -> None:
    change.note(
        action, subject, who=grant.who, role=grant.role.value, over=grant.over, place=grant.place
    )


async def _require_there(change: Change, grant: Grant) -> None:
    """Go on only when the person or team of a grant is there."""
    kind, _, name = grant.who.partition(":")
    if kind == "person":
        found = await store.person(change.session, name)
        if found is None or found.has_left:
            raise NoPerson(f"there is no person {name}, or it has left; an admin adds people")
    elif await store.team(change.session, name) is None:
        raise NoTeam(f"there is no team {name}; an admin makes teams")
    if grant.over.startswith("team:"):
        over = grant.over.removeprefix("team:")
        if await store.team(change.session, over) is None:
            raise NoTeam(f"there is no team {over}; an admin makes teams")
