"""``drystone deploy``."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    DeleteData,
    Descriptor,
    Environment,
    Shared,
)
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.sources import checked
from drystone.l85_surfaces.cli.terminal import Terminal


async def deploy(
    file: Descriptor = "service.yaml",
    /,
    *,
    env: Environment = None,
    version: Annotated[
        str | None, Parameter(help="Name of the release. [default: a number that counts up]")
    ] = None,
    delete_data: DeleteData = None,
    wait: Annotated[
        bool,
        Parameter(
            negative="--no-wait",
            show_default=False,
            help="Wait for another operation on the service (the default), or refuse.",
        ),
    ] = True,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Deploy a service, and print where it answers.

    The old release serves until the new one has proved itself, and goes on serving if it does not. Ctrl-C
    aborts; a second one leaves at once. With --json, one object per step.
    """
    out = Terminal(json=shared.json)
    source, service = checked(file)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        out.line(f"deploying {service} to {environment}")
        stream = api.deploy(
            context(),
            source=source,
            environment=environment,
            version=version,
            confirm=delete_data,
            wait=wait,
        )
        await follow(
            stream,
            out,
            abort=lambda: api.abort(context(), environment=environment, service=service),
        )
