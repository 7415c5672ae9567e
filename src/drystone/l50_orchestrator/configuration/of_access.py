"""What files say of access: people, teams, and the roles that they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import structs
from typing_extensions import override

from drystone.l00_kernel.contract import Context, every
from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.forms import Text
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.access.domain import ALL, Grant, Role
from drystone.l50_orchestrator.access.errors import NoPerson
from drystone.l50_orchestrator.configured import Configured, Reference

_NAME = r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"
_PERSON = r"[a-z][a-z0-9._-]{0,62}"
_MOST = 1000

Words = Annotated[str, Text("words", "a few words", r"[^\t\n]*", most=200)]
Person = Annotated[str, Text("person", "a person such as 'ada.lovelace'", _PERSON)]
Holder = Annotated[
    str,
    Text(
        "holder",
        "'person:ada', 'team:commerce' or 'maintainers:commerce'",
        rf"person:{_PERSON}|(?:team|maintainers):{_NAME}",
    ),
]
Over = Annotated[
    str,
    Text(
        "services", "'service:orders', 'team:commerce' or 'all'", rf"(?:service|team):{_NAME}|all"
    ),
]
Place = Annotated[
    str,
    Text(
        "environments",
        "'environment:prod-eu', 'type:prod' or 'all'",
        rf"environment:{_NAME}|type:(?:local|dev|staging|prod)|all",
    ),
]


class PersonBlock(Block, frozen=True, kw_only=True):
    """Somebody who works here. Whoever is removed leaves for good."""

    SHORT: ClassVar[tuple[str, ...]] = ("called",)

    called: Annotated[Words, "The name that people use."] = ""


class TeamBlock(Block, frozen=True, kw_only=True):
    """A team, and exactly who is in it."""

    SHORT: ClassVar[tuple[str, ...]] = ("members",)

    description: Annotated[Words, "In a sentence."] = ""
    members: Annotated[tuple[Person, ...], "Who is in it."] = ()
    maintainers: Annotated[tuple[Person, ...], "Who is in it, and says who else is."] = ()


class RoleBlock(Block, frozen=True, kw_only=True):
    """One role."""

    role: Annotated[Literal["viewer", "deployer", "owner", "admin"], "Which."]
    over: Annotated[Over, "Over which services."] = ALL
    place: Annotated[Place, "In which environments."] = ALL


class GrantsBlock(Block, frozen=True, kw_only=True):
    """Exactly the roles that somebody has."""

    SHORT: ClassVar[tuple[str, ...]] = ("roles",)

    roles: Annotated[tuple[RoleBlock, ...], "All of them."]

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.roles:
            yield Rule(
                "roles", "somebody without a role stands in no file", "remove the whole entry"
            )


class ConfiguredPeople(Configured[PersonBlock]):
    """People.

    Args:
        access: Where they are.
    """

    kind = "people"
    schema = PersonBlock
    names = Person

    def __init__(self, access: AccessApi) -> None:
        self._access = access

    @override
    async def present(self, ctx: Context) -> Mapping[str, PersonBlock]:
        found = every(lambda cursor: self._access.people(ctx, cursor=cursor, most=_MOST))
        return {one.name: PersonBlock(called=one.called) async for one in found if not one.has_left}

    @override
    async def put(self, ctx: Context, name: str, item: PersonBlock) -> None:
        await self._access.put_person(ctx, name=name, called=item.called)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        try:
            await self._access.remove_person(ctx, name=name)
        except NoPerson:
            return


class ConfiguredTeams(Configured[TeamBlock]):
    """Teams with their members.

    Args:
        access: Where they are.
    """

    kind = "teams"
    schema = TeamBlock

    def __init__(self, access: AccessApi) -> None:
        self._access = access

    @override
    def references(self, name: str, item: TeamBlock) -> tuple[Reference, ...]:
        return tuple(
            Reference("people", one, (what,))
            for what in ("members", "maintainers")
            for one in getattr(item, what)
        )

    @override
    def canonical(self, item: TeamBlock) -> TeamBlock:
        maintainers = set(item.maintainers)
        return structs.replace(
            item,
            members=tuple(sorted(set(item.members) - maintainers)),
            maintainers=tuple(sorted(maintainers)),
        )

    @override
    async def present(self, ctx: Context) -> Mapping[str, TeamBlock]:
        found = every(lambda cursor: self._access.teams(ctx, cursor=cursor, most=_MOST))
        return {
            one.name: TeamBlock(
                description=one.description,
                members=tuple(sorted(m.person for m in one.members if not m.is_maintainer)),
                maintainers=tuple(sorted(m.person for m in one.members if m.is_maintainer)),
            )
            async for one in found
        }

    @override
    async def put(self, ctx: Context, name: str, item: TeamBlock) -> None:
        item = self.canonical(item)
        team = await self._access.put_team(ctx, name=name, description=item.description)
        before = {one.person: one.is_maintainer for one in team.members}
        after = dict.fromkeys(item.members, False) | dict.fromkeys(item.maintainers, True)
        for person, is_maintainer in after.items():
            if before.get(person) is not is_maintainer:
                await self._access.put_member(
                    ctx, team=name, person=person, is_maintainer=is_maintainer
                )
        for person in sorted(before.keys() - after.keys()):
            await self._access.remove_member(ctx, team=name, person=person)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._access.remove_team(ctx, name=name)


class ConfiguredGrants(Configured[GrantsBlock]):
    """Roles, by who has them: an item says all the roles of one person or team.

    Args:
        access: Where they are.
    """

    kind = "grants"
    schema = GrantsBlock
    names = Holder

    def __init__(self, access: AccessApi) -> None:
        self._access = access

    @override
    def references(self, name: str, item: GrantsBlock) -> tuple[Reference, ...]:
        kinds = {
            "person": "people",
            "team": "teams",
            "maintainers": "teams",
            "environment": "environments",
        }
        texts = [(name, ()), *((one, ("roles",)) for role in item.roles for one in _places(role))]
        parts = [(text.partition(":"), path) for text, path in texts]
        found = {Reference(kinds[kind], of, path) for (kind, _, of), path in parts if kind in kinds}
        return tuple(sorted(found, key=structs.astuple))

    @override
    def canonical(self, item: GrantsBlock) -> GrantsBlock:
        roles = dict.fromkeys(item.roles)
        return GrantsBlock(roles=tuple(sorted(roles, key=structs.astuple)))

    @override
    async def present(self, ctx: Context) -> Mapping[str, GrantsBlock]:
        roles = defaultdict[str, list[RoleBlock]](list)
        async for one in every(lambda cursor: self._access.grants(ctx, cursor=cursor, most=_MOST)):
            roles[one.grant.who].append(_role(one.grant))
        return {who: self.canonical(GrantsBlock(roles=tuple(all_))) for who, all_ in roles.items()}

    @override
    async def put(self, ctx: Context, name: str, item: GrantsBlock) -> None:
        before = await self._of(ctx, name)
        for one in item.roles:
            if one not in before:
                grant = Grant(name, Role(one.role), one.over, one.place)
                await self._access.grant(ctx, grant=grant)
        for one in before.keys() - set(item.roles):
            await self._access.revoke_grant(ctx, id=before[one])

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        for id_ in (await self._of(ctx, name)).values():
            await self._access.revoke_grant(ctx, id=id_)

    async def _of(self, ctx: Context, who: str) -> dict[RoleBlock, str]:
        pages = every(lambda cursor: self._access.grants(ctx, who=who, cursor=cursor, most=_MOST))
        return {_role(one.grant): one.id async for one in pages}


def _places(role: RoleBlock) -> tuple[str, str]:
    return role.over, role.place


def _role(grant: Grant) -> RoleBlock:
    return msgspec.convert(
        {"role": grant.role.value, "over": grant.over, "place": grant.place}, RoleBlock
    )
