"""Limits of one machine: the limiter, and what stands in the proxy because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l10_engines.cache.external import parse_url
from drystone.l25_deployer.local.startup import ADOPTED, Part
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.held import Held
from drystone.l35_mesh.limits.policies import exact_limits
from drystone.l35_mesh.sidecar.model import Further

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.settings import Settings
    from drystone.l25_deployer.local.mesh import Member
    from drystone.l25_deployer.local.services import Services
    from drystone.l35_mesh.limits.holding import Holding

LAYER = 35
LIMITS = "limits"


def limiter_of(home: Home, settings: Settings) -> LimiterEngine:
    """Return the limiter of a home; nothing is made or started yet.

    Raises:
        Invalid: The URL of its store cannot be read.
    """
    if settings.limits.url is not None:
        parse_url(settings.limits.url)
    return LimiterEngine(
        home.engines / "limiter",
        socket=home.socket("limiter.sock"),
        store=settings.limits.url,
        serves_others=settings.limits.rate_limit_service,
    )


def further_for_limits(holding: Holding, member: Member) -> Further:
    """Return what the inbound of a service gets for its limits."""
    made = holding.filters(member)
    return Further(
        filters=made.filters,
        on_routes=made.on_routes,
        extensions=made.extensions,
        clusters=made.clusters,
        mappers=made.mappers,
        own_routes=made.own_routes,
    )


def held_of(home: Home, services: Services, statistics: Callable[[str], Awaitable[bytes]]) -> Held:
    """Return what tells of the limits of a home.

    Args:
        home: Whose.
        services: Those of the home.
        statistics: Asks its proxies for what they counted.
    """
    return Held(
        lambda: [kept.member() for kept in services.all()],
        statistics,
        home.socket("limiter.sock"),
    )


def limits_part(holding: Holding, engine: LimiterEngine, services: Services) -> Part:
    """Say how limits come up: the limiter starts with the platform where a service has a limit for it."""

    async def start() -> str:
        before = engine.status().pid
        await holding.settled()
        return ADOPTED if before is not None and engine.status().pid == before else ""

    async def stop() -> None:
        await holding.leave()
        await engine.stop()

    return Part(
        LIMITS,
        LAYER,
        start,
        stop,
        is_needed=any(
            exact_limits(surroundings.limits)
            for kept in services.all()
            for surroundings in kept.member().surroundings
        ),
        is_running=lambda: engine.status().pid is not None,
    )
