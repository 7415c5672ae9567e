"""``drystone abort``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.terminal import Terminal


async def abort(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Stop the operation in progress on a service.

    Prints what serves now.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        serves = await api.abort(context(), environment=environment, service=service)
    out.line(serves)
    out.document({"service": service, "environment": environment, "serves": serves})
