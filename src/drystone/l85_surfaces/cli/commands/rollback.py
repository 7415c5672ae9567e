"""``drystone rollback``."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Environment, Message, Service
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator_if_on, releases_api
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
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
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Return to the release that served before.

    Code, configuration and the settings of resources return together; data stays as it is. With --json, one object per step.
    """
    async with orchestrator_if_on(shared, releases_api) as api:
        if api is not None:
            from drystone.l85_surfaces.cli.releasing import carried_out  # noqa: PLC0415 - loads the contract

            environment = environment_at(env, shared)
            asked = await api.rollback(
                context(), environment=environment, service=service, release=to, message=message
            )
            await carried_out(api, asked, Terminal(json=shared.json))
            return
    if to is not None:
        raise Misuse("the deployer alone returns to the release before; leave --to out")
    await apd.rollback(service, env=env, shared=shared.here)
