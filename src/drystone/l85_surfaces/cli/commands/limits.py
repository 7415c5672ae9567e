"""``drystone limits``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from drystone.l85_surfaces.cli.options import NOTHING_SAID, OneEnvironment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, held_limits
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import limits as views


async def limits(
    service: Annotated[
        str | None, Parameter(help="Only the limits of this service; all when omitted.")
    ] = None,
    /,
    *,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """List how often services may be called, and how many calls each limit let through and refused.

    A limit in shadow refuses nobody: it tells how many it would have refused. What is counted in one place also tells which
    callers are nearest to the limit.
    """
    out = Terminal(json=shared.json)
    async with held_limits(shared.folder) as api:
        found = await api.held(context(), environment=env, service=service)
    out.document(found)
    if found.limits:
        out.lines(views.limits(found, now=datetime.now(UTC), paint=out.paint, width=out.width))
    else:
        out.line(f"{service or 'no service'} declares {'no' if service else 'a'} limit")
