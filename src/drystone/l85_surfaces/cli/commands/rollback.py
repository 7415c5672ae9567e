"""``drystone rollback``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.terminal import Terminal


async def rollback(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Return to the release that served before.

    Code, configuration and the settings of resources return together; data stays as it is. With --json, one object per step.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        await follow(
            api.rollback(context(), environment=environment, service=service),
            out,
            abort=lambda: api.abort(context(), environment=environment, service=service),
        )
