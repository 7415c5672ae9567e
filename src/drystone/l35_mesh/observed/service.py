"""Follows the refusals of a platform's proxies, and explains them as things stand when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.contract import Context
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l35_mesh.observed import statistics
from drystone.l35_mesh.observed.api import (
    CallTimes,
    Durations,
    ObservedApi,
    Refusals,
    RefusalView,
)
from drystone.l35_mesh.observed.attempts import Attempt, NoAttempt, read
from drystone.l35_mesh.observed.datagrams import Datagrams
from drystone.l35_mesh.observed.following import Followed
from drystone.l35_mesh.observed.landscape import Landscape
from drystone.l35_mesh.observed.recent import Recent, Spreads
from drystone.l35_mesh.observed.refusals import Refusal, explain
from drystone.l35_mesh.observed.statistics import Spread
from drystone.l35_mesh.observed.tally import Tally, Times

LOOK_EVERY = timedelta(seconds=4)
"""A refusal is known so soon after its proxy has written it down, which takes a second."""


class Observed(ObservedApi):
    """Knows what was refused.

    The log itself is all that is kept: who begins anew reads it again.

    Args:
        log: Of refusals.
        landscape: Tells what lies where now.
        clock: The time.
        datagrams: Reads what the kernel refused, into a tally; None where services have no networks.
        counted: Returns what the proxies have counted, of what fits a pattern; None where nobody asks them.
    """

    def __init__(
        self,
        log: Path,
        landscape: Callable[[], Landscape],
        clock: Clock,
        datagrams: Callable[[Tally], Datagrams] | None = None,
        counted: Callable[[str], Awaitable[bytes]] | None = None,
    ) -> None:
        self._followed = Followed(log)
        self._landscape = landscape
        self._clock = clock
        self._tally = Tally()
        self._datagrams = datagrams(self._tally) if datagrams is not None else None
        self._counted = counted
        self._recent = Recent()
        self._useless = 0
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the log from now on, so that nothing is lost when it is moved away. Idempotent."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="follow refusals")

    async def stop(self) -> None:
        """Stop following. Idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    @override
    async def refusals(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> Refusals:
        await self.look()
        landscape = self._landscape()
        joined: dict[Refusal, Times] = {}
        async with self._looking:
            kept = list(self._tally)
        for attempt, times in kept:
            if not _concerns(attempt, environment, service):
                continue
            said = explain(attempt, landscape)
            before = joined.get(said)
            joined[said] = times if before is None else before.joined(times)
        latest = sorted(joined.items(), key=lambda one: (one[1].last, one[0].what), reverse=True)
        caller = None if environment is None or service is None else f"{environment}/{service}"
        return Refusals(
            refusals=[_view(said, times) for said, times in latest],
            left_out=self._tally.left_out(caller),
            unread=self._followed.passed_over + self._useless,
        )

    @override
    async def durations(self, ctx: Context) -> Durations:
        found = await self._spreads()
        if found is None:
            return Durations([])
        begun, late = self._recent.of_late(self._clock.now(), found)
        times = [_times(*way, spread) for way, spread in sorted(late.items()) if spread.count]
        return Durations(times, begun if times else None)

    async def _spreads(self) -> Spreads | None:
        """Return how long all calls took that were counted; None while nobody counts."""
        if self._counted is None:
            return None
        try:
            found = await asyncio.to_thread(statistics.read, await self._counted(statistics.WANTED))
        except (ProxyUnavailable, ValueError):
            return None
        return {way: requests.spread for way, requests in found.calls.items()}

    async def remember(self) -> None:
        """Remember what is counted now, if it is time to: what is told later begins with it."""
        now = self._clock.now()
        if self._recent.is_due(now) and (found := await self._spreads()) is not None:
            self._recent.keep(now, found)

    async def look(self) -> None:
        """Read what was refused since the last time."""
        async with self._looking:
            lines = await asyncio.to_thread(self._followed.lines)
            # Thousands of lines are read apart, so that the agent answers meanwhile.
            await asyncio.to_thread(self._tally.add, self._attempts(lines))
            if self._datagrams is not None:
                await self._datagrams.look(self._clock.now())
            self._tally.forget(self._clock.now())

    def _attempts(self, lines: list[bytes]) -> Iterator[tuple[datetime, Attempt]]:
        now = self._clock.now()
        for line in lines:
            try:
                found = read(line, now=now)
            except NoAttempt:
                self._useless += len(line)
            else:
                if found is not None:
                    yield found

    async def _watch(self) -> None:
        while True:
            await self.look()
            await self.remember()
            await asyncio.sleep(LOOK_EVERY.total_seconds())


def _concerns(attempt: Attempt, environment: str | None, service: str | None) -> bool:
    for issuer in filter(None, (attempt.caller, attempt.callee)):
        where, _, name = issuer.partition("/")
        if environment in (None, where) and service in (None, name):
            return True
    return False


def _view(said: Refusal, times: Times) -> RefusalView:
    return RefusalView(
        caller=said.caller,
        target=said.target,
        component=said.component,
        what=said.what,
        times=times.count,
        first=times.first,
        last=times.last,
        do=said.do,
        line=said.line,
        descriptor=said.descriptor,
    )


def _times(caller: str, callee: str, spread: Spread) -> CallTimes:
    p50, p95, p99 = (spread.quantile(share) for share in (0.5, 0.95, 0.99))
    source = "" if caller == statistics.EDGE else caller
    return CallTimes(caller=source, callee=callee, calls=spread.count, p50=p50, p95=p95, p99=p99)
