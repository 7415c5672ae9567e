"""``drystone plan``."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Descriptor, Environment
from drystone.l85_surfaces.cli.orchestrated import environment_at
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, platform
from drystone.l85_surfaces.cli.sources import checked
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.plan import plan as lines_of


async def plan(
    file: Descriptor = "service.yaml",
    /,
    *,
    env: Environment = None,
    version: Annotated[str | None, Parameter(help="Name of the release.")] = None,
    shared: Anywhere = NOWHERE_SAID,
) -> int:
    """Tell what a deploy would change, and change nothing.

    Shows each field with the line of the descriptor that causes it. Exits with 1 when the deploy would be refused as it stands.
    """
    out = Terminal(json=shared.json)
    what = checked(file)
    environment = environment_at(env, shared)
    if shared.url is not None:
        from drystone.l85_surfaces.cli.deploying import planned  # noqa: PLC0415 - loads the contract

        view = await planned(what, environment, version, shared)
    else:
        async with platform(shared.folder) as api:
            view = await api.plan(
                context(), source=what.source, environment=environment, version=version
            )
    out.document(view)
    out.lines(lines_of(view, paint=out.paint))
    return 1 if view.refused else 0
