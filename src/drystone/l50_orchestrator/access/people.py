"""People and teams."""

from __future__ import annotations

from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.page import Page, make_cursor
from drystone.l50_orchestrator.access import names, store, withdrawn
from drystone.l50_orchestrator.access.domain import Grant, Role
from drystone.l50_orchestrator.access.errors import NoPerson, NotAllowed, NoTeam, TeamInUse
from drystone.l50_orchestrator.access.part import Change, Part, after, check_most, plain
from drystone.l50_orchestrator.access.views import MemberView, PersonView, TeamView

_LONGEST = 200


class People(Part):
    """Who there is."""

    @override
    async def people(
        self, ctx: Context, *, cursor: str | None = None, most: int = 100
    ) -> Page[PersonView]:
        check_most(most)
        await self._see(ctx)
        found = await store.people(self._database, after(cursor), most + 1)
        return Page(found[:most], make_cursor(found[most - 1].name) if len(found) > most else None)

    @override
    async def put_person(self, ctx: Context, *, name: str, called: str = "") -> PersonView:
        names.checked("person", name)
        plain(called, "what somebody is called", _LONGEST)
        subject = f"person/{name}"
        async with self._change(ctx, "put-person", subject) as change:
            change.require_admin("add people")
            before = await store.person(change.session, name)
            await change.session.fetch(
                store.PUT_PERSON, name=name, called=called, at=change.at, by=change.actor.name
            )
            change.given.append(subject)
            now = await _person(change, name)
            if before is None or before.has_left:
                change.note("person.added", subject, called=called)
            elif before != now:
                change.note("person.changed", subject, called=called)
        return now

    @override
    async def remove_person(self, ctx: Context, *, name: str) -> PersonView:
        names.checked("person", name)
        subject = f"person/{name}"
        async with self._change(ctx, "remove-person", subject) as change:
            change.require_admin("let people leave")
            if not (await _person(change, name)).has_left:
                had = await store.standing_of(change.session, name, change.at)
                tokens = await change.session.fetch(
                    store.LEAVE, name=name, at=change.at, by=change.actor.name
                )
                # Whoever comes back later comes without what is gone now.
                change.taken += [f"token/{one}" for (one,) in tokens]
                for team in sorted(had.teams):
                    change.taken += withdrawn.membership(team, name)
                if had.until is not None:
                    change.taken.append(withdrawn.glass(name, had.until))
                change.taken += [
                    f"grant/{store.id_of(one)}" for one in had.grants if one.who == f"person:{name}"
                ]
                change.note("person.left", subject)
            return await _person(change, name)

    @override
    async def teams(
        self, ctx: Context, *, cursor: str | None = None, most: int = 100
    ) -> Page[TeamView]:
        check_most(most)
        await self._see(ctx)
        found = await store.teams(self._database, after(cursor), most + 1)
        return Page(found[:most], make_cursor(found[most - 1].name) if len(found) > most else None)

    @override
    async def put_team(self, ctx: Context, *, name: str, description: str = "") -> TeamView:
        names.checked("team", name)
        plain(description, "a description", _LONGEST)
        subject = f"team/{name}"
        async with self._change(ctx, "put-team", subject) as change:
            before = await store.team(change.session, name)
            if before is None or name not in change.standing.maintains:
                change.require_admin("make teams")
            by = change.actor.name
            await change.session.fetch(
                store.PUT_TEAM, name=name, description=description, at=change.at, by=by
            )
            change.given.append(subject)
            if before is None:
                await _grant_to_new(change, name)
                change.note("team.made", subject, description=description)
            elif before.description != description:
                change.note("team.changed", subject, description=description)
            return await _team(change, name)

    @override
    async def remove_team(self, ctx: Context, *, name: str) -> None:
        names.checked("team", name)
        subject = f"team/{name}"
        owned = await self._places.owned_by(name)
        async with self._change(ctx, "remove-team", subject) as change:
            change.require_admin("dissolve teams")
            if await store.team(change.session, name) is None:
                return
            if owned:
                raise TeamInUse(f"{name} owns {owned} services; give them to another team first")
            # A team that is made anew by this name begins without them.
            for one in (await _team(change, name)).members:
                change.taken += withdrawn.membership(name, one.person)
            gone = await change.session.fetch(store.REMOVE_TEAM, name=name)
            change.taken += [f"grant/{id_}" for (id_,) in gone]
            change.note("team.dissolved", subject)

    @override
    async def put_member(
        self, ctx: Context, *, team: str, person: str, is_maintainer: bool = False
    ) -> TeamView:
        names.checked("team", team)
        names.checked("person", person)
        subject = f"team/{team}"
        async with self._change(ctx, "put-member", subject) as change:
            _require_maintainer(change, team)
            before = await _team(change, team)
            if (await _person(change, person)).has_left:
                raise NoPerson(f"{person} has left; add this person again first")
            await change.session.fetch(
                store.PUT_MEMBER,
                team=team,
                person=person,
                is_maintainer=is_maintainer,
                at=change.at,
                by=change.actor.name,
            )
            change.given.append(f"{subject}/{person}")
            if is_maintainer:
                change.given.append(withdrawn.maintenance(team, person))
            elif MemberView(person, True) in before.members:
                change.taken.append(withdrawn.maintenance(team, person))
            now = await _team(change, team)
            if now != before:
                change.note("team.joined", subject, person=person, is_maintainer=is_maintainer)
            return now

    @override
    async def remove_member(self, ctx: Context, *, team: str, person: str) -> TeamView:
        names.checked("team", team)
        names.checked("person", person)
        subject = f"team/{team}"
        async with self._change(ctx, "remove-member", subject) as change:
            is_self = change.actor.kind == "person" and change.actor.name == person
            if not is_self:
                _require_maintainer(change, team)
            before = await _team(change, team)
            await change.session.fetch(store.REMOVE_MEMBER, team=team, person=person)
            now = await _team(change, team)
            if now != before:
                change.note("team.left", subject, person=person)
            return now


def _require_maintainer(change: Change, team: str) -> None:
    # Whoever maintains a team is in it, and so has all that a new member is given.
    if team not in change.standing.maintains and not change.may_administer:
        raise NotAllowed(
            f"{change.actor.name} may not say who is in {team}: its maintainers and admins of the platform may"
        )


async def _grant_to_new(change: Change, team: str) -> None:
    over = f"team:{team}"
    for grant in (
        Grant(f"team:{team}", Role.DEPLOYER, over),
        Grant(f"maintainers:{team}", Role.OWNER, over),
    ):
        change.given.append(f"grant/{store.id_of(grant)}")
        await change.session.fetch(
            store.PUT_GRANT,
            id=store.id_of(grant),
            who=grant.who,
            role=grant.role.value,
            over=grant.over,
            place=grant.place,
            at=change.at,
            by=change.actor.name,
        )


async def _person(change: Change, name: str) -> PersonView:
    found = await store.person(change.session, name)
    if found is None:
        raise NoPerson(f"there is no person {name}; an admin adds people")
    return found


async def _team(change: Change, name: str) -> TeamView:
    found = await store.team(change.session, name)
    if found is None:
        raise NoTeam(f"there is no team {name}; an admin makes teams")
    return found
