"""``drystone drift``: what serves and should not, and what brings it back."""

from __future__ import annotations

from typing import Annotated

from drystone.l85_surfaces.cli.options import (
    NOWHERE_SAID,
    Anywhere,
    Environment,
    Message,
    OneEnvironment,
    Service,
)
from drystone.l85_surfaces.cli.orchestrated import environment_at, orchestrator
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import drift as views

DRIFTED = 1


async def show(
    service: Annotated[str | None, Parameter(help="Only of this service.")] = None,
    /,
    *,
    env: OneEnvironment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> int:
    """Tell what serves and should not: since when, and who brought it there.

    What serves is compared with the release on record and with the configuration. Whatever was deployed past the orchestrator drifts,
    and so does what somebody changed by hand. Exit code 1 when there is some.
    """
    from drystone.l50_orchestrator.drift.api import DriftApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with orchestrator(shared, DriftApi) as api:
        found = await api.find(context(), service=service, environment=env)
    out.document(found)
    if not found:
        out.line("no drift")
        return 0
    out.lines(views.drift(found, paint=out.paint))
    return DRIFTED


async def repair(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Bring back what should serve, as a release of its own; data is never touched.

    A release that the target still has is gone back to. Otherwise the descriptor on record is deployed anew, and has to come to the
    same artefact.
    """
    from drystone.l50_orchestrator.drift.api import DriftApi  # noqa: PLC0415 - loads the contract
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - the same
    from drystone.l85_surfaces.cli.releasing import carried_out  # noqa: PLC0415 - the same

    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with orchestrator(shared, DriftApi) as api:
        asked = await api.repair(
            context(), environment=environment, service=service, message=message
        )
    async with orchestrator(shared, ReleasesApi) as api:
        await carried_out(api, asked, out)


async def adopt(
    service: Service,
    /,
    *,
    message: Message = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Write down that what serves is what should, as after the database was restored; nothing is deployed."""
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with orchestrator(shared, ReleasesApi) as api:
        found = await api.adopt(
            context(), environment=environment, service=service, message=message
        )
    out.document(found)
    out.line(f"release {found.number} on record is version {found.version}, which serves")
