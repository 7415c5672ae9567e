"""``drystone abort``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.commands.steering import ordered
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Environment, Message, Service
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator_if_on, releases_api
from drystone.l85_surfaces.cli.terminal import Terminal


async def abort(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Stop the operation in progress on a service.

    Prints what serves now. Where the orchestrator is on, it is the release under way that ends, at any point of its rollout.
    """
    async with orchestrator_if_on(shared, releases_api) as api:
        if api is not None:
            out, environment = Terminal(json=shared.json), environment_at(env, shared)
            await ordered(api, "abort", service, environment, message=message, out=out)
            return
    await apd.abort(service, env=env, shared=shared.here)
