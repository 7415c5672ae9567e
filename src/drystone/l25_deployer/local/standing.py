"""Tell how a service stands, from its documents on the disk, the route that the edge was given, and what engines say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.api import StandingView
from drystone.l25_deployer.stacks.model import Eternal
from drystone.l25_deployer.standing_words import DeviationView

if TYPE_CHECKING:
    from drystone.l25_deployer.local.edge import Routing
    from drystone.l25_deployer.local.kept_service import KeptService

ENGINE_LIMIT = timedelta(seconds=5)
"""How long an engine is waited for, for each resource."""


def standing(kept: KeptService) -> StandingView | None:
    """Return how a service stands; None where nothing of it serves.

    What the agent holds in its memory would not show that somebody edited a record, which the next start obeys.

    Raises:
        ReleaseNotFound: The record of the release that serves is gone.
        UnreadableDocument: It is damaged.
    """
    record = kept.record
    if record.active is None:
        return None
    release = kept.documents.release(record.environment, record.service, record.active)
    named = release.stacks.eternal.resources
    there = {name: one for name, one in record.eternal.items() if name in named}
    stacks = msgspec.structs.replace(release.stacks, eternal=Eternal(there))
    routing = kept.machine.edge.routing(kept.name)
    return StandingView(
        release=release.number,
        version=release.version,
        artifact=release.artifact,
        key=release.key or "",
        stacks=msgspec.to_builtins(stacks),
        shares=_shares(kept, record.active, routing),
        hosts=() if routing is None else routing.hosts,
        kept=tuple(sorted({*record.trail, *record.warm})),
        is_busy=record.operation is not None,
    )


async def deviations(kept: KeptService) -> tuple[DeviationView, ...]:
    """Return where engines have the resources of a service otherwise than the platform made them.

    An engine that does not answer in time tells nothing: that it is ill is told elsewhere.
    """
    record = kept.record
    found = list[DeviationView]()
    for name in sorted(record.eternal):
        try:
            async with asyncio.timeout(ENGINE_LIMIT.total_seconds()):
                told = await kept.machine.provisioner.deviations(record, name)
        except (PlatformError, TimeoutError):
            continue
        found += (DeviationView(name, field, *pair) for field, pair in sorted(told.items()))
    return tuple(found)


def _shares(kept: KeptService, active: int, routing: Routing | None) -> dict[int, float]:
    held = kept.record.canary
    if routing is None or held is None or held.share == 0:
        return {active: 1.0}
    return {active: 1 - held.share, held.release: held.share}
