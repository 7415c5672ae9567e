"""How often a service may be called, and with how much at once, as its stack holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
    from drystone.l25_deployer.descriptor.schema.surroundings import Limit as WrittenLimit


NO_REQUESTS = "none"
"""What ``match`` of a limit says that is about no request."""

HELD_BODY = 4 << 20
"""Bytes that a body may have whose length nobody says beforehand, where there is a bound: so much of it is held back."""


class Limit(msgspec.Struct, frozen=True):
    """How often requests of one kind are let through.

    Attributes:
        count: Requests in one period.
        period: See ``count``.
        match: Which requests, as in the descriptor.
        per: Who is counted.
        counted: Where: in each proxy, in each proxy its share, or in one place.
        algorithm: How.
        shadow: Whether what is over the limit is only told, and let through.
        burst: Requests at once; None for what counts in windows.
        header: The header whose value tells who is counted, in lower case; with ``per`` of that name only.
        when_down: What happens to requests when nobody can count; None where that cannot happen.
    """

    count: int
    period: timedelta
    match: str
    per: Literal["caller", "tenant", "user", "ip", "service", "header"]
    counted: Literal["local", "shared", "exact"]
    algorithm: Literal["token-bucket", "gcra", "sliding-window", "fixed-window"]
    shadow: bool = False
    burst: int | None = None
    header: str | None = None
    when_down: Literal["open", "closed"] | None = None


def is_asked_about(limits: Mapping[str, Limit]) -> bool:
    """Tell whether a service can ask about a limit of its own, which is counted in one place."""
    return any(limit.counted == "exact" for limit in limits.values())


def limits_of(descriptor: Descriptor) -> dict[str, Limit]:
    """Give the limits of a service by their names."""
    return {name: _limit(written) for name, written in sorted(descriptor.limits.items())}


def _limit(written: WrittenLimit) -> Limit:
    burst = {"token-bucket": written.burst or written.rate.count, "gcra": written.burst or 1}
    return Limit(
        count=written.rate.count,
        period=written.rate.per,
        match=written.match,
        per=written.per,
        counted=written.counted,
        algorithm=written.algorithm,
        shadow=written.shadow,
        burst=burst.get(written.algorithm),
        header=written.header.lower() if written.header else None,
        when_down=(written.when_down or "open") if written.counted == "exact" else None,
    )
