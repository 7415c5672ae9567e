"""``drystone deploy``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.options import (
    NOWHERE_SAID,
    Anywhere,
    DeleteData,
    Descriptor,
    Environment,
    Message,
    Version,
    Wait,
)
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator_if_on, releases_api
from drystone.l85_surfaces.cli.sources import checked
from drystone.l85_surfaces.cli.terminal import Terminal


async def deploy(
    file: Descriptor = "service.yaml",
    /,
    *,
    env: Environment = None,
    version: Version = None,
    message: Message = "",
    delete_data: DeleteData = None,
    wait: Wait = True,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Deploy a service, and print where it answers.

    The old release serves until the new one has proved itself, and goes on serving if it does not. Ctrl-C
    aborts; a second one leaves at once. With --json, one object per step. Where the orchestrator is on, it decides
    whether and when. To a platform elsewhere the files of the service are sent first, as far as they are not there.
    """
    what = checked(file)
    async with orchestrator_if_on(shared, releases_api) as api:
        if api is not None:
            from drystone.l85_surfaces.cli.deploying import released  # noqa: PLC0415 - loads the contract

            await released(
                api,
                what,
                environment_at(env, shared),
                version=version,
                message=message,
                confirm=delete_data,
                shared=shared,
                out=Terminal(json=shared.json),
            )
            return
    await apd.deployed(what, env, version, delete_data, shared.here, wait=wait)
