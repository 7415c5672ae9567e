"""``drystone abort``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.commands.steering import steer
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Message, Service, Shared
from drystone.l85_surfaces.cli.orchestrated import is_orchestrated


async def abort(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Stop the operation in progress on a service.

    Prints what serves now. Where the orchestrator is on, it is the release under way that ends, at any point of its rollout.
    """
    if await is_orchestrated(shared.folder):
        await steer("abort", service, message, env, shared)
    else:
        await apd.abort(service, env=env, shared=shared)
