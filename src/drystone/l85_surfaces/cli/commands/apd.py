"""``drystone apd``: the deployer alone, which keeps no record but its own and asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    DeleteData,
    Descriptor,
    Environment,
    Service,
    Shared,
    Version,
    Wait,
)
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.sources import Checked, checked
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drystone.l25_deployer.api import DeployerApi


async def deploy(
    file: Descriptor = "service.yaml",
    /,
    *,
    env: Environment = None,
    version: Version = None,
    delete_data: DeleteData = None,
    wait: Wait = True,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Deploy a service by the deployer alone, whether the orchestrator is on or not.

    No policy is asked and no owner is known; the orchestrator tells later that somebody else deployed. Otherwise as
    `drystone deploy`.
    """
    await deployed(checked(file), env, version, delete_data, shared, wait=wait)


async def deployed(
    what: Checked,
    env: str | None,
    version: str | None,
    delete_data: list[str] | None,
    shared: Shared,
    *,
    wait: bool,
) -> None:
    """Deploy a descriptor that has no mistakes, and show how it goes."""
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        out.line(f"deploying {what.service} to {environment}")
        stream = api.deploy(
            context(),
            source=what.source,
            environment=environment,
            version=version,
            confirm=delete_data,
            wait=wait,
        )
        await follow(stream, out, abort=_abort(api, environment, what.service))


async def rollback(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Return to the release that served before, by the deployer alone. Otherwise as `drystone rollback`."""
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        await follow(
            api.rollback(context(), environment=environment, service=service),
            out,
            abort=_abort(api, environment, service),
        )


async def abort(
    service: Service, /, *, env: Environment = None, shared: Shared = NOTHING_SAID
) -> None:
    """Stop the operation in progress on a service, by the deployer alone.

    Prints what serves now.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        serves = await api.abort(context(), environment=environment, service=service)
    out.line(serves)
    out.document({"service": service, "environment": environment, "serves": serves})


def _abort(api: DeployerApi, environment: str, service: str) -> Callable[[], Awaitable[str]]:
    return lambda: api.abort(context(), environment=environment, service=service)
