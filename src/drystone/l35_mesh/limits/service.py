"""The API of the rate limiter, over whoever counts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.contract import ANONYMOUS, Caller, Context
from drystone.l35_mesh.limits.api import Cost, Decision, LimitsApi, LimitUse
from drystone.l35_mesh.limits.counter import Counter
from drystone.l35_mesh.limits.errors import LimitNotFound, NobodyCounts, NotYourLimit
from drystone.l35_mesh.limits.memory import Counted
from drystone.l35_mesh.limits.names import name_of
from drystone.l35_mesh.limits.policies import KEY_HEADERS

_UNCOUNTED = Decision(allowed=True, over=False, remaining=0, reset=timedelta())
"""What is said while nobody can count, of a limit that is open then."""


async def who_asks(headers: Mapping[str, str]) -> Caller:
    """Tell who asks: the service that a proxy names, or the platform's own user, to whom alone the socket is open."""
    issuer = headers.get(KEY_HEADERS["caller"])
    return Caller(issuer) if issuer else ANONYMOUS


class Limits(LimitsApi):
    """Answers by what a counter knows.

    Args:
        counter: Knows the limits, and decides.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    @override
    async def limits(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> list[LimitUse]:
        found = [
            _use(limit)
            for limit in self._counter.all()
            if ctx.caller in (ANONYMOUS, Caller(limit.service))
        ]
        return sorted(
            (
                use
                for use in found
                if environment in (None, use.environment) and service in (None, use.service)
            ),
            key=lambda use: (use.environment, use.service, use.limit),
        )

    @override
    async def check(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        limit: str,
        key: str = "",
        cost: Cost = 1,
    ) -> Decision:
        name = f"{environment}/{service}"
        if ctx.caller not in (ANONYMOUS, Caller(name)):
            raise NotYourLimit(
                f"{ctx.caller.name} may ask for its own limits, not for those of {name}"
            )
        found = (self._counter.limits(name) or {}).get(limit)
        if found is None:
            raise LimitNotFound(
                f"no limit {limit!r} of {name} is counted in one place; declare it with 'counted: exact'"
            )
        return await self._decide(found, name_of(key), cost)

    async def _decide(self, limit: Counted, name: str, cost: int) -> Decision:
        try:
            outcome = self._counter.decide([limit], [name], cost)
            passes, (verdict,) = await outcome if inspect.isawaitable(outcome) else outcome
        except NobodyCounts:
            if limit.policy.closed:
                raise
            return _UNCOUNTED
        return Decision(
            allowed=passes,
            over=not verdict.admitted,
            remaining=verdict.remaining,
            reset=timedelta(microseconds=verdict.reset),
            retry=timedelta(microseconds=verdict.retry) if verdict.retry else None,
        )


def _use(limit: Counted) -> LimitUse:
    environment, _, service = limit.service.partition("/")
    policy = limit.policy
    return LimitUse(
        environment=environment,
        service=service,
        limit=limit.name,
        count=policy.count,
        period=timedelta(microseconds=policy.period),
        algorithm=policy.algorithm,
        match=policy.match,
        shadow=policy.shadow,
        when_down="closed" if policy.closed else "open",
        admitted=limit.admitted,
        over=limit.over,
        names=len(limit.names),
    )
