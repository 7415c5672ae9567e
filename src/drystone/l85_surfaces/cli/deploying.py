"""Ask an orchestrator for a deploy, here or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.orchestrated import orchestrator
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.releasing import carried_out

if TYPE_CHECKING:
    from drystone.l25_deployer.api import PlanView, Source
    from drystone.l50_orchestrator.releases.api import ReleasesApi
    from drystone.l85_surfaces.cli.options import Anywhere
    from drystone.l85_surfaces.cli.sources import Checked
    from drystone.l85_surfaces.cli.terminal import Terminal

_NEXT = "next"
"""What a release is called that nobody has named, in a plan."""


async def released(
    api: ReleasesApi,
    what: Checked,
    environment: str,
    *,
    version: str | None,
    message: str,
    confirm: list[str] | None,
    shared: Anywhere,
    out: Terminal,
) -> None:
    """Release a descriptor that has no mistakes, and show how it goes.

    Raises:
        ReleaseEndedBadly: It does not serve; the message says why.
    """
    out.line(f"releasing {what.service} to {environment}")
    asked = await api.deploy(
        context(),
        source=await _source(what, environment, shared),
        environment=environment,
        version=version,
        message=message,
        confirm=confirm,
    )
    await carried_out(api, asked, out)


async def planned(
    what: Checked, environment: str, version: str | None, shared: Anywhere
) -> PlanView:
    """Return what a deploy to a platform elsewhere would change; its files are sent, as for the deploy itself."""
    from drystone.l50_orchestrator.targets.api import TargetApi  # noqa: PLC0415 - for platforms elsewhere alone

    source = await _source(what, environment, shared)
    async with orchestrator(shared, TargetApi) as api:
        return await api.plan(
            context(),
            environment=environment,
            service=what.service,
            source=source,
            version=version or _NEXT,
        )


async def _source(what: Checked, environment: str, shared: Anywhere) -> Source:
    """Return a descriptor as the orchestrator takes it: one elsewhere cannot look into a folder of this machine."""
    if shared.url is None:
        return what.source
    from drystone.l50_orchestrator.sources.api import SourcesApi  # noqa: PLC0415 - for platforms elsewhere alone
    from drystone.l50_orchestrator.sources.packing import sent  # noqa: PLC0415 - the same

    async with orchestrator(shared, SourcesApi) as sources:
        return await sent(
            sources, context(), what.source, environment=environment, service=what.service
        )
