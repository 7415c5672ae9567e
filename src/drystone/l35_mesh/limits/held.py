"""Puts together what descriptors say of limits, what the proxy counted, and what the limiter did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.errors import ServiceNotFound
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l35_mesh.limits import counts
from drystone.l35_mesh.limits.api import (
    HeldApi,
    HeldLimit,
    HeldLimits,
    LimitsApi,
    LimitUse,
    Uncounted,
    Uses,
)

if TYPE_CHECKING:
    from drystone.l25_deployer.local.mesh import Member

PATIENCE = timedelta(seconds=5)
"""How long the limiter may take to tell of all its limits."""


class Held(HeldApi):
    """Tells which limits hold.

    Args:
        members: Every service of the home.
        statistics: Asks the proxy for those of its statistics whose names fit a pattern, as JSON.
        socket: Where the limiter listens.
    """

    def __init__(
        self,
        members: Callable[[], Iterable[Member]],
        statistics: Callable[[str], Awaitable[bytes]],
        socket: Path,
    ) -> None:
        self._members = members
        self._statistics = statistics
        self._socket = socket

    @override
    async def held(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> HeldLimits:
        members = [
            one
            for one in self._members()
            if environment in (None, one.environment) and service in (None, one.service)
        ]
        if service is not None and not members:
            where = f" in {environment}" if environment else ""
            raise ServiceNotFound(
                f"there is no service {service!r}{where}; see `drystone services`"
            )
        wanted = sorted(
            (one.environment, one.service, name, limit)
            for one in members
            for stack in one.surroundings[:1]
            for name, limit in stack.limits.items()
        )
        if not wanted:
            return HeldLimits(limits=[])
        asks = any(limit.counted == "exact" for *_, limit in wanted)
        (proxy, no_proxy), (limiter, no_limiter) = await asyncio.gather(
            self._counted(), self._used(asks=asks)
        )
        told = proxy or counts.Counts()
        uses = {(u.environment, u.service, u.limit): u for u in limiter.limits} if limiter else {}
        limits = [
            _held((where, name, limit), of, told if proxy else None, uses.get((where, name, limit)))
            for where, name, limit, of in wanted
        ]
        services = sorted({(where, name) for where, name, _, _ in wanted})
        return HeldLimits(
            limits=limits,
            uncounted=list(_uncounted(services, told)),
            proxy_for=proxy.uptime if proxy else None,
            limiter_for=limiter.counting_for if limiter else None,
            problems=[*no_proxy, *no_limiter],
        )

    async def _counted(self) -> tuple[counts.Counts | None, list[str]]:
        try:
            return counts.read(await self._statistics(counts.WANTED)), []
        except (PlatformError, ValueError) as e:
            return None, [f"what the proxy counted is not known: {e}"]

    async def _used(self, *, asks: bool) -> tuple[Uses | None, list[str]]:
        if not asks:
            return None, []
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                async with connect(LimitsApi, uds=self._socket) as api:
                    return await api.limits(Context(ANONYMOUS)), []
        except (Unavailable, TimeoutError):
            return None, [
                "the limiter does not answer: limits that are counted in one place do what their when_down says"
            ]


def _held(
    key: tuple[str, str, str], limit: Limit, proxy: counts.Counts | None, use: LimitUse | None
) -> HeldLimit:
    environment, service, name = key
    admitted = over = None
    if limit.counted == "exact":
        if use is not None:
            admitted, over = use.admitted, use.over
    elif proxy is not None:
        at = (issuer_of(environment, service), name)
        admitted, over = proxy.admitted.get(at, 0), proxy.over.get(at, 0)
    return HeldLimit(
        environment=environment,
        service=service,
        limit=name,
        **msgspec.structs.asdict(limit),
        admitted=admitted,
        over=over,
        nearest=use.nearest if use else [],
    )


def _uncounted(services: Sequence[tuple[str, str]], proxy: counts.Counts) -> Iterable[Uncounted]:
    for environment, service in services:
        issuer = issuer_of(environment, service)
        passed, refused = proxy.passed.get(issuer, 0), proxy.refused.get(issuer, 0)
        if passed or refused:
            yield Uncounted(
                environment=environment, service=service, passed=passed, refused=refused
            )
