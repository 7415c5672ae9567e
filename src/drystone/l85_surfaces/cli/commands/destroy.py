"""``drystone destroy``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from drystone.l25_deployer.errors import ServiceNotFound
from drystone.l85_surfaces.cli.confirming import require_confirmed
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.options import (
    NOWHERE_SAID,
    Anywhere,
    DeleteData,
    Environment,
    NoFinalBackup,
    Service,
)
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator_if_on, releases_api
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, platform
from drystone.l85_surfaces.cli.terminal import Style, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l25_deployer.api import ServiceView
    from drystone.l50_orchestrator.registry.api import RegistryApi
    from drystone.l85_surfaces.cli.terminal import Paint

_HERE = "here"


async def destroy(
    service: Service,
    /,
    *,
    env: Environment = None,
    yes: Annotated[
        str | None,
        Parameter(
            name=("--yes",), help="The service's name again, instead of typing it when asked."
        ),
    ] = None,
    delete_data: DeleteData = None,
    no_final_backup: NoFinalBackup = False,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Remove a service; its data only where it is named.

    The data of a resource goes when --delete-data names it; protected data that is not named makes the
    platform refuse. A last backup of what goes is kept; `drystone backups` shows it. With --json, one object per step.
    """
    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    stays = f"{service} stays"
    if shared.url is not None:
        _require_backup(no_final_backup=no_final_backup)
        require_confirmed(service, yes, otherwise=stays)
        async with orchestrator_if_on(shared, releases_api) as far:
            if far is not None:
                stream = far.destroy(
                    context(), environment=environment, service=service, confirm=delete_data
                )
                await follow(stream, out, abort=_goes_on)
        return
    async with platform(shared.folder) as api:
        try:
            view = await api.show(context(), environment=environment, service=service)
        except ServiceNotFound:
            if not await _runs_elsewhere(environment, shared):
                raise
            view = None
        going = [] if view is None else [*_what_goes(view, delete_data or [], out.paint)]
        require_confirmed(service, yes, otherwise=stays, tell=lambda: out.lines(going))
        abort = partial(api.abort, context(), environment=environment, service=service)
        async with orchestrator_if_on(shared, releases_api) as releases:
            if releases is None:
                stream = api.destroy(
                    context(),
                    environment=environment,
                    service=service,
                    confirm=delete_data,
                    final_backup=not no_final_backup,
                )
            else:
                _require_backup(no_final_backup=no_final_backup)
                stream = releases.destroy(
                    context(), environment=environment, service=service, confirm=delete_data
                )
            await follow(stream, out, abort=abort)


def _require_backup(*, no_final_backup: bool) -> None:
    if no_final_backup:
        raise Misuse("where the orchestrator is on, a last backup is always kept")


async def _runs_elsewhere(environment: str, shared: Anywhere) -> bool:
    """Tell whether the services of an environment run on another platform."""

    def registry() -> type[RegistryApi]:
        from drystone.l50_orchestrator.registry.api import RegistryApi  # noqa: PLC0415 - loads the contract

        return RegistryApi

    async with orchestrator_if_on(shared, registry) as api:
        every = [] if api is None else await api.environments(context())
        found = [one.environment for one in every if one.environment.name == environment]
        return bool(found) and found[0].target != _HERE


async def _goes_on() -> str:
    return "what is gone stays gone; ask again to remove the rest"


def _what_goes(view: ServiceView, delete_data: list[str], paint: Paint) -> Iterator[str]:
    summary = view.summary
    yield (
        f"This removes {paint(summary.service, Style.NAME)} from {summary.environment}: "
        f"{len(view.instances)} instances, {len(view.releases)} releases."
    )
    for resource in view.resources:
        goes = resource.name in delete_data
        fate = paint("its data is DELETED", Style.BAD) if goes else "its data is not named"
        yield f"  {resource.type} {resource.name}: {fate}"
