"""``drystone deploy``."""

from __future__ import annotations

from drystone.l85_surfaces.cli.commands import apd
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    DeleteData,
    Descriptor,
    Environment,
    Message,
    Shared,
    Version,
    Wait,
)
from drystone.l85_surfaces.cli.orchestrated import is_orchestrated, orchestrator
from drystone.l85_surfaces.cli.reach import context, environment_of
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
    shared: Shared = NOTHING_SAID,
) -> None:
    """Deploy a service, and print where it answers.

    The old release serves until the new one has proved itself, and goes on serving if it does not. Ctrl-C
    aborts; a second one leaves at once. With --json, one object per step. Where the orchestrator is on, it decides
    whether and when.
    """
    what = checked(file)
    if not await is_orchestrated(shared.folder):
        await apd.deployed(what, env, version, delete_data, shared, wait=wait)
        return
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract
    from drystone.l85_surfaces.cli.releasing import carried_out  # noqa: PLC0415 - the same

    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with orchestrator(shared.folder, ReleasesApi) as api:
        out.line(f"releasing {what.service} to {environment}")
        asked = await api.deploy(
            context(),
            source=what.source,
            environment=environment,
            version=version,
            message=message,
            confirm=delete_data,
        )
        await carried_out(api, asked, out)
