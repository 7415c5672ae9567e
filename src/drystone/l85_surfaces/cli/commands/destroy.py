"""``drystone destroy``."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.errors import Misuse, NotConfirmed
from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.options import (
    NOTHING_SAID,
    DeleteData,
    Environment,
    NoFinalBackup,
    Service,
    Shared,
)
from drystone.l85_surfaces.cli.orchestrated import is_orchestrated, orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.terminal import Style, Terminal, is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l25_deployer.api import ServiceView
    from drystone.l85_surfaces.cli.terminal import Paint


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
    shared: Shared = NOTHING_SAID,
) -> None:
    """Remove a service; its data only where it is named.

    The data of a resource goes when --delete-data names it; protected data that is not named makes the
    platform refuse. A last backup of what goes is kept; `drystone backups` shows it. With --json, one object per step.
    """
    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    async with platform(shared.folder) as api:
        view = await api.show(context(), environment=environment, service=service)
        if yes is None:
            out.lines(_what_goes(view, delete_data or [], out.paint))
            yes = _ask(service)
        if yes != service:
            raise NotConfirmed(
                f"{service} stays: '{yes}' is not its name; nothing was changed", service=service
            )
        abort = partial(api.abort, context(), environment=environment, service=service)
        if not await is_orchestrated(shared.folder):
            stream = api.destroy(
                context(),
                environment=environment,
                service=service,
                confirm=delete_data,
                final_backup=not no_final_backup,
            )
            await follow(stream, out, abort=abort)
            return
        if no_final_backup:
            raise Misuse("where the orchestrator is on, a last backup is always kept")
        from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

        async with orchestrator(shared.folder, ReleasesApi) as releases:
            stream = releases.destroy(
                context(), environment=environment, service=service, confirm=delete_data
            )
            await follow(stream, out, abort=abort)


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


def _ask(service: str) -> str:
    """Let the person type the name.

    Raises:
        Misuse: Nobody can be asked.
    """
    if not is_terminal(sys.stdin):
        raise Misuse(f"nobody can be asked here: confirm with --yes {service}", service=service)
    print(f"Type {service} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
