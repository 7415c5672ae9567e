"""``drystone services``, ``show`` and ``history``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from drystone.l00_kernel.contract import every, first
from drystone.l85_surfaces.cli.operating import deployed, refused
from drystone.l85_surfaces.cli.options import (
    NOWHERE_SAID,
    Anywhere,
    Environment,
    OneEnvironment,
    Service,
)
from drystone.l85_surfaces.cli.orchestrated import environment_at
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import services as views


async def services(
    *,
    env: OneEnvironment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List the services, and what the edge serves of each."""
    out = Terminal(json=shared.json)
    async with deployed(shared) as api:
        pages = every(lambda cursor: api.services(context(), environment=env, cursor=cursor))
        found = [one async for one in pages]
    out.document(found)
    if found:
        out.lines(views.services(found, paint=out.paint, width=out.width))
    else:
        where = f" in {env}" if env else ""
        out.line(f"no services{where}; deploy one with `drystone deploy FILE`")


async def show(
    service: Service, /, *, env: Environment = None, shared: Anywhere = NOWHERE_SAID
) -> None:
    """Tell everything about one service.

    Its state, instances, releases, resources, dependencies and problems.
    """
    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with deployed(shared) as api:
        view = await api.show(context(), environment=environment, service=service)
    out.document(view)
    if not shared.json:
        async with refused(shared) as seen:
            found = await seen.refusals(context(), environment=environment, service=service)
        out.lines(
            views.service(view, found, now=datetime.now(UTC), paint=out.paint, width=out.width)
        )


async def history(
    service: Service,
    /,
    *,
    lines: Annotated[
        int,
        Parameter(name=("--lines", "-n"), least=1, help="How many events."),
    ] = 20,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """List what happened to a service, newest first."""
    out = Terminal(json=shared.json)
    async with deployed(shared) as api:
        environment = environment_at(env, shared)
        events = await first(
            lines,
            lambda cursor, most: api.history(
                context(), environment=environment, service=service, cursor=cursor, limit=most
            ),
        )
    out.document(events)
    out.lines(views.history(events, paint=out.paint, width=out.width))
