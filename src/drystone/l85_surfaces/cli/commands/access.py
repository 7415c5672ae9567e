"""``drystone access``, ``teams``, ``grants``, ``deploy-tokens`` and ``glass``: who may do what."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from drystone.l00_kernel.contract import every
from drystone.l00_kernel.errors import Denied
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, OneEnvironment
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import access as views

if TYPE_CHECKING:
    from drystone.l50_orchestrator.access.api import AccessApi
    from drystone.l50_orchestrator.access.views import TeamView

Person = Annotated[str, Parameter(help="Name of a person.")]
Team = Annotated[str, Parameter(help="Name of a team.")]
OneService = Annotated[str | None, Parameter(name=("--service",), help="Which service.")]


def _access(shared: Anywhere) -> AbstractAsyncContextManager[AccessApi]:
    from drystone.l50_orchestrator.access.api import AccessApi  # noqa: PLC0415 - loads the contract

    return orchestrator(shared, AccessApi)


async def me(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell who you are to the orchestrator, and which roles you have."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        view = await api.me(context())
    out.document(view)
    out.lines(views.me(view, paint=out.paint))


async def can(
    action: Annotated[str, Parameter(help="What: see, plan, deploy, approve, destroy, …")],
    /,
    *,
    who: Annotated[str | None, Parameter(help="A person, or token:<id>; you when omitted.")] = None,
    service: OneService = None,
    env: OneEnvironment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Tell whether somebody may do something, and who could let it. Exit code 1 where it may not."""
    from drystone.l85_surfaces.cli.commands.words_of_access import action_called  # noqa: PLC0415

    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        answer = await api.can(
            context(), action=action_called(action), who=who, service=service, environment=env
        )
    out.document(answer)
    if not answer.allowed:
        raise Denied("\n".join([answer.why, *answer.who_can_grant]))
    out.line(answer.why)


async def people(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List the people whom the orchestrator knows."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        pages = every(lambda cursor: api.people(context(), cursor=cursor))
        found = [one async for one in pages]
    out.document(found)
    out.lines(views.people(found, now=datetime.now(UTC), paint=out.paint, width=out.width))


async def add_person(
    name: Person,
    /,
    *,
    called: Annotated[str, Parameter(help="The name that people use.")] = "",
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Let the orchestrator know somebody, who may do nothing yet."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        view = await api.put_person(context(), name=name, called=called)
    out.document(view)
    out.lines(views.people([view], now=datetime.now(UTC), paint=out.paint))


async def remove_person(name: Person, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Let somebody leave: teams, roles and tokens end at once."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        view = await api.remove_person(context(), name=name)
    out.document(view)
    out.line(f"{view.name} has left")


async def teams(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List teams and who is in them; a star marks those who say who is."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        pages = every(lambda cursor: api.teams(context(), cursor=cursor))
        found = [one async for one in pages]
    out.document(found)
    out.lines(views.teams(found, paint=out.paint, width=out.width))


async def add_team(
    name: Team,
    /,
    *,
    description: Annotated[str, Parameter(help="In a sentence.")] = "",
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Make a team, or describe it anew. Its members may deploy its services, its maintainers own them."""
    async with _access(shared) as api:
        _tell_team(shared, await api.put_team(context(), name=name, description=description))


async def remove_team(name: Team, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Dissolve a team that owns no service."""
    async with _access(shared) as api:
        await api.remove_team(context(), name=name)
    _done(shared, f"team {name} is dissolved")


async def join(
    team: Team,
    person: Person,
    /,
    *,
    maintainer: Annotated[
        bool, Parameter(show_default=False, help="As one who says who is in the team.")
    ] = False,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Take somebody into a team."""
    async with _access(shared) as api:
        view = await api.put_member(context(), team=team, person=person, is_maintainer=maintainer)
    _tell_team(shared, view)


async def leave(team: Team, person: Person, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Take somebody out of a team."""
    async with _access(shared) as api:
        _tell_team(shared, await api.remove_member(context(), team=team, person=person))


async def grants(
    *,
    who: Annotated[str | None, Parameter(help="Only of this one: person:ada, team:shop.")] = None,
    over: Annotated[str | None, Parameter(help="Only over this: service:orders.")] = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List who has which role over what."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        pages = every(lambda cursor: api.grants(context(), who=who, over=over, cursor=cursor))
        found = [one async for one in pages]
    out.document(found)
    out.lines(views.grants(found, paint=out.paint, width=out.width))


async def grant(
    who: Annotated[str, Parameter(help="person:ada, team:shop, maintainers:shop.")],
    role: Annotated[str, Parameter(help="viewer, deployer, owner or admin.")],
    /,
    *,
    over: Annotated[
        str, Parameter(help="service:orders, team:shop for all services of a team, or all.")
    ] = "all",
    place: Annotated[
        str,
        Parameter(name=("--in",), help="environment:prod-eu, type:prod for all of a type, or all."),
    ] = "all",
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Give a role. Nobody gives what they do not have."""
    from drystone.l50_orchestrator.access.domain import Grant  # noqa: PLC0415 - loads the contract
    from drystone.l85_surfaces.cli.commands.words_of_access import role_called  # noqa: PLC0415

    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        view = await api.grant(context(), grant=Grant(who, role_called(role), over, place))
    out.document(view)
    out.lines(views.grants([view], paint=out.paint))


async def revoke_grant(
    id: Annotated[str, Parameter(help="As `drystone grants list` tells it.")],  # noqa: A002
    /,
    *,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Take a role back."""
    async with _access(shared) as api:
        await api.revoke_grant(context(), id=id)
    _done(shared, f"grant {id} holds no longer")


async def make_token(
    label: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    scope: Annotated[
        list[str],
        Parameter(name=("--scope",), help="What it may do: deploy, see, …; may be given again."),
    ],
    service: Annotated[
        str | None, Parameter(help="A deploy token of this service; a personal one when omitted.")
    ] = None,
    env: OneEnvironment = None,
    days: Annotated[int, Parameter(least=1, help="How long it is good.")] = 90,
    maker: Annotated[
        str, Parameter(help="On whose behalf; only the owner of the home may name somebody.")
    ] = "",
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Make a token and print it, this once. A command uses it that has it in DRYSTONE_TOKEN."""
    from drystone.l50_orchestrator.access.views import TokenSaid  # noqa: PLC0415 - loads the contract
    from drystone.l85_surfaces.cli.commands.words_of_access import action_called  # noqa: PLC0415

    out = Terminal(json=shared.json)
    said = TokenSaid(
        label=label,
        scopes=tuple(map(action_called, scope)),
        kind="deploy" if service else "personal",
        service=service,
        environment=env,
        lasts=timedelta(days=days),
        maker=maker,
    )
    async with _access(shared) as api:
        made = await api.make_token(context(), said=said)
    out.document(made)
    out.line(made.token)


async def list_tokens(
    *,
    service: OneService = None,
    maker: Annotated[str | None, Parameter(help="Only those that this person made.")] = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List tokens, without what opens anything."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        pages = every(
            lambda cursor: api.tokens(context(), maker=maker, service=service, cursor=cursor)
        )
        found = [one async for one in pages]
    out.document(found)
    out.lines(views.tokens(found, paint=out.paint, width=out.width))


async def revoke_token(
    id: Annotated[str, Parameter(help="As `drystone deploy-tokens list` tells it.")],  # noqa: A002
    /,
    *,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Revoke a token: it opens nothing any more within a second."""
    async with _access(shared) as api:
        await api.revoke_token(context(), id=id)
    _done(shared, f"token {id} opens nothing any more")


async def break_glass(
    reason: Annotated[str, Parameter(help="Why.")],
    /,
    *,
    minutes: Annotated[int, Parameter(least=1, help="How long, 60 at most.")] = 60,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Become an admin for an emergency. Everybody sees it, and it ends by itself."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        view = await api.break_glass(context(), reason=reason, lasts=timedelta(minutes=minutes))
    out.document(view)
    out.lines(views.glasses([view], paint=out.paint))


async def list_glasses(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List who became an admin for an emergency, and why."""
    out = Terminal(json=shared.json)
    async with _access(shared) as api:
        found = await api.glasses(context())
    out.document(found)
    out.lines(views.glasses(found, paint=out.paint, width=out.width))


async def end_glass(
    number: Annotated[int, Parameter(least=1, help="As `drystone glass list` tells it.")],
    /,
    *,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """End an emergency before its time."""
    async with _access(shared) as api:
        view = await api.end_glass(context(), number=number)
    _done(shared, f"{view.person} is no admin by glass {view.number} any more")


def _tell_team(shared: Anywhere, view: TeamView) -> None:
    out = Terminal(json=shared.json)
    out.document(view)
    out.lines(views.teams([view], paint=out.paint))


def _done(shared: Anywhere, text: str) -> None:
    out = Terminal(json=shared.json)
    out.document({"done": text})
    out.line(text)
