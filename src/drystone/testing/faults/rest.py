"""When the platform is at rest: nothing is in progress, and everything that is to run is well."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.generation import generations

if TYPE_CHECKING:
    from drystone.testing.faults.site import Site

LIMIT = timedelta(minutes=4)
"""Engines and instances that were killed again and again are started with pauses of up to half a minute."""

_GLANCE_S = 0.1
_GLANCES = 5
"""How often in a row it must be seen at rest: a moment between two steps is none, nor is one in which some request may still
come upon a connection that has just ended."""


class Restless(PlatformError):
    """The platform did not come to rest within the limit."""


async def until_at_rest(site: Site, *, cold: bool = False, limit: timedelta = LIMIT) -> None:
    """Wait until the platform is at rest.

    Args:
        site: The platform.
        cold: Whether to wait for releases that are kept warm to end, too.
        limit: How long.

    Raises:
        Restless: It did not; the message says what it was waited for.
    """
    reasons = ["nobody looked"]
    seen = 0
    try:
        async with asyncio.timeout(limit.total_seconds()):
            while seen < _GLANCES:
                reasons = await _unrest(site, cold=cold)
                seen = 0 if reasons else seen + 1
                await asyncio.sleep(_GLANCE_S)
    except TimeoutError:
        raise Restless(f"after {limit}: " + "; ".join(reasons or ["never for long"])) from None


async def _unrest(site: Site, *, cold: bool) -> list[str]:
    """Return why the platform is not at rest."""
    try:
        status = await site.status()
        views = [await site.show(name) for name in site.subjects]
    except (PlatformError, OSError) as e:
        return [f"the agent does not answer: {e}"]
    found = list(status.problems)
    if not status.ready:
        found.append("status is not ready")
    found += [
        f"{engine.name} is {engine.state}: {engine.problem}"
        for engine in status.engines
        if engine.state in {"starting", "failed"}
    ]
    for view in views:
        name = view.summary.service
        if view.summary.state != "serving":
            found.append(f"{name} is {view.summary.state}")
        found += [f"{one.id} is {one.state}" for one in view.instances if one.state != "healthy"]
        if cold and site.record(name).warm:
            found.append(f"{name} keeps releases warm")
    for place in (site.home.engines / "proxy", *site.sidecars().values()):
        # When it ends, connections to resources that were opened through it end with it.
        replaced = [one for one in generations(place) if one.is_leaving() and one.envoy()]
        found += [f"an Envoy in {place.name} that was replaced is about to end" for _ in replaced]
    return found
