"""``drystone registry``, ``environments`` and ``targets``: who owns what, and where it may run."""

from __future__ import annotations

import getpass
import re
import sys
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.contract import every
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ownership import make_private
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, NOWHERE_SAID, Anywhere, Service, Shared
from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import registry as views

if TYPE_CHECKING:
    from drystone.l50_orchestrator.registry.api import RegistryApi, ServiceView

_TARGET = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LONGEST_TOKEN = 4096

Team = Annotated[str, Parameter(name=("--team",), metavar="TEAM", help="Name of the team.")]
Name = Annotated[str, Parameter(help="Its name.")]


def _registry(shared: Anywhere) -> AbstractAsyncContextManager[RegistryApi]:
    from drystone.l50_orchestrator.registry.api import RegistryApi  # noqa: PLC0415 - loads the contract

    return orchestrator(shared, RegistryApi)


async def list_services(
    search: Annotated[str, Parameter(help="Text in the name or the description.")] = "",
    /,
    *,
    team: Annotated[str | None, Parameter(help="Only of this team.")] = None,
    tier: Annotated[int | None, Parameter(least=0, help="Only of this tier.")] = None,
    retired: Annotated[
        bool, Parameter(show_default=False, help="Those that their teams gave up.")
    ] = False,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List services with their owners, whether they run or not."""
    out = Terminal(json=shared.json)
    async with _registry(shared) as api:
        pages = every(
            lambda cursor: api.services(
                context(), team=team, tier=tier, search=search, retired=retired, cursor=cursor
            )
        )
        found = [one async for one in pages]
    out.document(found)
    if found:
        out.lines(views.services(found, now=datetime.now(UTC), paint=out.paint, width=out.width))
    else:
        out.line("no services")


async def show(service: Service, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell who owns a service, and where it runs."""
    async with _registry(shared) as api:
        _tell(shared, await api.show(context(), service=service))


async def register(
    service: Service,
    /,
    *,
    team: Team,
    description: Annotated[str, Parameter(help="What it is for, in a sentence.")] = "",
    link: Annotated[
        list[str] | None,
        Parameter(
            name=("--link",), metavar="WHAT=URL", help="A page about it; may be given again."
        ),
    ] = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Register a service for a team before its first deploy, or say something else of it."""
    from drystone.l50_orchestrator.registry.api import ServiceSaid  # noqa: PLC0415 - loads the contract

    links = {}
    for one in link or ():
        what, equals, url = one.partition("=")
        if not equals:
            raise Misuse(f"--link {one} is not WHAT=URL, such as runbook=https://…")
        links[what] = url
    async with _registry(shared) as api:
        said = ServiceSaid(team, description, links)
        _tell(shared, await api.register(context(), service=service, said=said))


async def offer(service: Service, /, *, team: Team, shared: Anywhere = NOWHERE_SAID) -> None:
    """Offer a service to another team, for 14 days; nothing changes until it is taken."""
    async with _registry(shared) as api:
        _tell(shared, await api.offer(context(), service=service, team=team))


async def take(service: Service, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Take a service that was offered to a team of your own."""
    async with _registry(shared) as api:
        _tell(shared, await api.take(context(), service=service))


async def assign(service: Service, /, *, team: Team, shared: Anywhere = NOWHERE_SAID) -> None:
    """Give a service to another team without asking either; for admins."""
    async with _registry(shared) as api:
        _tell(shared, await api.assign(context(), service=service, team=team))


async def retire(service: Service, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Give a service up that runs nowhere. Its name stays its team's for 90 days."""
    async with _registry(shared) as api:
        _tell(shared, await api.retire(context(), service=service))


async def environments(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List environments: their type, where they lie, and which comes after which."""
    out = Terminal(json=shared.json)
    async with _registry(shared) as api:
        found = await api.environments(context())
    out.document(found)
    out.lines(views.environments(found, paint=out.paint, width=out.width))


async def set_environment(
    name: Name,
    /,
    *,
    type: Annotated[  # noqa: A002 - what it is called everywhere
        Literal["local", "dev", "staging", "prod"],
        Parameter(
            name=("--type",), help="Which part of `environments` of a descriptor holds there."
        ),
    ],
    region: Annotated[str, Parameter(help="The region it lies in.")] = "",
    target: Annotated[str, Parameter(help="What carries out its releases.")] = "here",
    after: Annotated[
        str, Parameter(metavar="ENV", help="What a release passes before this one.")
    ] = "",
    keep: Annotated[int, Parameter(least=1, help="How many releases are kept to go back to.")] = 5,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Make an environment, or change it."""
    from drystone.l50_orchestrator.registry.api import EnvironmentSaid  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    said = EnvironmentSaid(type, region, target, after, keep)
    async with _registry(shared) as api:
        view = await api.set_environment(context(), environment=name, said=said)
    out.document(view)
    out.lines(views.environments([view], paint=out.paint, width=out.width))


async def remove_environment(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Remove an environment in which nothing runs."""
    async with _registry(shared) as api:
        await api.remove_environment(context(), environment=name)
    _gone(shared, name)


async def targets(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """List targets: what carries out the releases of environments."""
    out = Terminal(json=shared.json)
    async with _registry(shared) as api:
        found = await api.targets(context())
    out.document(found)
    out.lines(views.targets(found, paint=out.paint, width=out.width))


async def set_target(
    name: Name,
    /,
    *,
    url: Annotated[
        str, Parameter(help="Address of the other platform's orchestrator, https://HOST[:PORT]/.")
    ],
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Make a target of another platform, or change where it is."""
    from drystone.l50_orchestrator.registry.api import TargetSaid  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with _registry(shared) as api:
        view = await api.set_target(context(), target=name, said=TargetSaid("platform", url))
    out.document(view)
    out.lines(views.targets([view], paint=out.paint, width=out.width))


def set_token(name: Name, /, *, shared: Shared = NOTHING_SAID) -> None:
    """Keep the token by which this platform deploys to a target; it is read from standard input.

    It is one that the other platform made, and lies in a file of the home, in no table. The next call takes it.
    """
    from drystone.l50_orchestrator.targets.tokens import token_file  # noqa: PLC0415 - for this command alone

    if not _TARGET.fullmatch(name):
        raise Misuse(f"'{name}' is no name of a target: small letters, digits and -")
    token = (
        getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline(_LONGEST_TOKEN)
    ).strip()
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise Misuse("what stands in the input is no token: give the one line that was shown")
    file = token_file(Home.open(shared.folder), name)
    make_private(file.parent)
    write_atomically(file, token.encode())
    out = Terminal(json=shared.json)
    out.document({"target": name})
    out.line(f"{name} has a token")


async def remove_target(name: Name, /, *, shared: Anywhere = NOWHERE_SAID) -> None:
    """Remove a target to which no environment is bound."""
    async with _registry(shared) as api:
        await api.remove_target(context(), target=name)
    _gone(shared, name)


def _gone(shared: Anywhere, name: str) -> None:
    out = Terminal(json=shared.json)
    out.document({"removed": name})
    out.line(f"{name} is removed")


def _tell(shared: Anywhere, view: ServiceView) -> None:
    out = Terminal(json=shared.json)
    out.document(view)
    out.lines(views.service(view, paint=out.paint))
