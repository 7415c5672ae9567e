"""The API of the rate limiter, over whoever counts."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from heapq import nlargest

from typing_extensions import override

from drystone.l00_kernel.contract import ANONYMOUS, Caller, Context
from drystone.l35_mesh.limits.api import Cost, Decision, LimitsApi, LimitUse, NameUse, Uses
from drystone.l35_mesh.limits.counter import Counter, microseconds
from drystone.l35_mesh.limits.errors import LimitNotFound, NobodyCounts, NotYourLimit
from drystone.l35_mesh.limits.memory import Counted
from drystone.l35_mesh.limits.names import FURTHER, name_of
from drystone.l35_mesh.limits.policies import KEY_HEADERS

NEAREST = 5
"""Names that are told of each limit."""

AT_A_TIME = 500
"""Names that are looked at before whoever waits for a decision gets it."""

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
        since: The moment at which it began, as :func:`~drystone.l35_mesh.limits.counter.microseconds` tells it.
        look: Has it count by what it was told since it looked last; called for a limit that it does not know.
    """

    def __init__(self, counter: Counter, since: int, look: Callable[[], None]) -> None:
        self._counter = counter
        self._look = look
        self._since = since

    @override
    async def limits(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> Uses:
        wanted = [
            limit
            for limit in self._counter.all()
            if ctx.caller in (ANONYMOUS, Caller(limit.service))
            and environment in (None, limit.service.partition("/")[0])
            and service in (None, limit.service.partition("/")[2])
        ]
        found = [_use(limit, await _nearest(limit)) for limit in wanted]
        found.sort(key=lambda use: (use.environment, use.service, use.limit))
        return Uses(found, timedelta(microseconds=microseconds() - self._since))

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
        found = self._find(name, limit)
        if found is None:
            self._look()
            found = self._find(name, limit)
        if found is None:
            raise LimitNotFound(
                f"no limit {limit!r} of {name} is counted in one place; declare it with 'counted: exact'"
            )
        return await self._decide(found, name_of(key), cost)

    def _find(self, service: str, limit: str) -> Counted | None:
        return (self._counter.limits(service) or {}).get(limit)

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


async def _nearest(limit: Counted) -> list[NameUse]:
    """Return the names that have used most of a limit; proxies are answered meanwhile."""
    now, most = microseconds(), limit.policy.most
    used: list[tuple[int, str]] = []
    for at, (name, state) in enumerate(list(limit.names.items()), start=1):
        if so_much := limit.way.used(state, now):
            used.append((so_much, name))
        if at % AT_A_TIME == 0:
            used = nlargest(NEAREST, used)
            await asyncio.sleep(0)
    return [
        NameUse("(all others)" if name == FURTHER else name, so_much, max(0, most - so_much))
        for so_much, name in nlargest(NEAREST, used)
    ]


def _use(limit: Counted, nearest: list[NameUse]) -> LimitUse:
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
        nearest=nearest,
    )
