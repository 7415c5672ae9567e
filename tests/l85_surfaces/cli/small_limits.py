"""Limits in memory: keeps the promises of HeldApi without a proxy or a limiter."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.errors import ServiceNotFound
from drystone.l35_mesh.limits.api import HeldApi, HeldLimit, HeldLimits, NameUse, Uncounted

_MINUTE = timedelta(minutes=1)
_ALL = HeldLimit(
    environment="dev",
    service="orders",
    limit="all",
    count=200,
    period=timedelta(seconds=1),
    match="*",
    per="caller",
    counted="local",
    algorithm="token-bucket",
    burst=400,
    admitted=12_408,
    over=3,
)
_UPLOADS = HeldLimit(
    environment="dev",
    service="orders",
    limit="uploads",
    count=5,
    period=_MINUTE,
    match="POST /uploads",
    per="tenant",
    counted="exact",
    algorithm="sliding-window",
    when_down="closed",
    admitted=17,
    over=0,
    nearest=[NameUse("acme", 5, 0), NameUse("\x1b[31mred" + "x" * 60, 2, 3), NameUse("", 1, 4)],
)
_PLAN = msgspec.structs.replace(
    _ALL,
    service="shop",
    environment="prod",
    limit="plan",
    header="x-plan",
    per="header",
    shadow=True,
)
_DOWN = msgspec.structs.replace(
    _UPLOADS, service="shop", environment="prod", admitted=None, over=None, nearest=[]
)
_UNCOUNTED = Uncounted(environment="prod", service="shop", passed=0, refused=1200)


class SmallLimits(HeldApi):
    """Two services with limits, and one without."""

    @override
    async def held(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> HeldLimits:
        if service not in (None, "orders", "shop", "bare"):
            raise ServiceNotFound(f"there is no service {service!r}; see `drystone services`")
        found = [
            one
            for one in (_ALL, _UPLOADS, _PLAN, _DOWN)
            if service in (None, one.service) and environment in (None, one.environment)
        ]
        if not found:
            return HeldLimits(limits=[])
        is_down = _DOWN in found
        return HeldLimits(
            limits=found,
            uncounted=[_UNCOUNTED] if is_down else [],
            proxy_for=timedelta(hours=3),
            limiter_for=None if is_down else timedelta(seconds=90),
            problems=["the limiter does not answer: limits do what their when_down says"] * is_down,
        )
