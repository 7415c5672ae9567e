"""``drystone refusals``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from drystone.l85_surfaces.cli.options import NOTHING_SAID, OneEnvironment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, what_was_seen
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import refusals as views


async def refusals(
    service: Annotated[
        str | None, Parameter(help="Only what concerns this service; everything when omitted.")
    ] = None,
    /,
    *,
    env: OneEnvironment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """List what services tried during the last day and were refused, with the line that would allow it.

    A service reaches what its descriptor declares and nothing else. Everything that it tries beside that is refused, and is
    told here within seconds.
    """
    out = Terminal(json=shared.json)
    async with what_was_seen(shared.folder) as api:
        found = await api.refusals(context(), environment=env, service=service)
    out.document(found)
    if found.refusals:
        out.lines(views.refusals(found, now=datetime.now(UTC), paint=out.paint))
    else:
        out.line("nothing was refused during the last day")
