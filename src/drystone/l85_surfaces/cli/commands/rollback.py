"""``drystone rollback``."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Message, Service, Shared
from drystone.l85_surfaces.cli.orchestrated import is_orchestrated, orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of
from drystone.l85_surfaces.cli.terminal import Terminal


async def rollback(
    service: Service,
    /,
    *,
    to: Annotated[
        int | None,
        Parameter(
            least=1,
            metavar="NUMBER",
            help="Of the release to return to, as `drystone releases` tells them; the one before when omitted.",
        ),
    ] = None,
    message: Message = "",
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Return to the release that served before.

    Code, configuration and the settings of resources return together; data stays as it is. With --json, one object per step.
    """
    if not await is_orchestrated(shared.folder):
        if to is not None:
            raise Misuse("the deployer alone returns to the release before; leave --to out")
        await apd.rollback(service, env=env, shared=shared)
        return
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract
    from drystone.l85_surfaces.cli.releasing import carried_out  # noqa: PLC0415 - the same

    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with orchestrator(shared.folder, ReleasesApi) as api:
        asked = await api.rollback(
            context(), environment=environment, service=service, release=to, message=message
        )
        await carried_out(api, asked, out)
