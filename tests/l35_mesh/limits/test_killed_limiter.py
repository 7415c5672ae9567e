"""A limiter that dies again and again, or hangs, while calls come all the time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from drystone.l10_engines.supervision.supervisor import Supervisor
from l10_engines.proxy.rig import until
from l10_engines.proxy.upstream import Upstream
from l35_mesh.limits.samples import limit
from l35_mesh.limits.test_envoy import LimitedRig

KILLS = 5
MOST = 400
"""Calls an hour of each limit: more than are made between two kills."""


class Load:
    """Calls without a pause, by two callers for each limit; whatever is not an answer ends it."""

    def __init__(self, rig: LimitedRig) -> None:
        self._rig = rig
        self.seen: dict[str, Counter[int]] = {"open": Counter(), "closed": Counter()}
        self.counted: Counter[str] = Counter()
        self.problems: set[str] = set()

    async def __aenter__(self) -> Load:
        self._calls = [asyncio.create_task(self._go_on(kind)) for kind in ("open", "closed") * 2]
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self._calls:
            call.cancel()
        for ended in await asyncio.gather(*self._calls, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended

    async def _go_on(self, kind: str) -> None:
        while True:
            answer = await self._rig.call(
                f"/{kind}"
            )  # the client gives up on what hangs, which fails
            self.note(kind, answer)
            await asyncio.sleep(0.002)

    def note(self, kind: str, answer: httpx2.Response) -> None:
        self.seen[kind][answer.status_code] += 1
        if answer.status_code == 200 and "ratelimit" in answer.headers:
            self.counted[kind] += 1
        elif answer.status_code != 200:
            self.problems.add(answer.json()["type"])

    async def more(self, kind: str, status: int) -> None:
        """Wait for another answer of a status."""
        enough = self.seen[kind][status] + 1

        async def came() -> bool:
            return self.seen[kind][status] >= enough

        await until(came)


@pytest.fixture
async def rig(home: Path, blue: Upstream) -> AsyncIterator[tuple[LimitedRig, Supervisor]]:
    async with AsyncExitStack() as stack:
        rig = LimitedRig(home)
        rig.billing_runs_at = (blue,)
        supervisor = Supervisor((rig.limiter,))
        stack.push_async_callback(supervisor.stop_all)
        stack.push_async_callback(rig.end)
        await rig.live()
        await rig.limit(
            open=limit(count=MOST, counted="exact", match="GET /open", per="service"),
            closed=limit(
                count=MOST, counted="exact", match="GET /closed", closed=True, per="service"
            ),
        )
        await supervisor.ensure(rig.limiter.name)
        yield rig, supervisor


def pid_of(rig: LimitedRig) -> int:
    pid = rig.limiter.status().pid
    assert pid is not None
    return pid


@pytest.mark.slow
async def test_a_limiter_that_is_killed_under_load_lets_through_or_closes_and_comes_back(
    rig: tuple[LimitedRig, Supervisor],
) -> None:
    limited, supervisor = rig
    async with Load(limited) as load:
        for _ in range(KILLS):
            await load.more("closed", 200)
            os.kill(pid_of(limited), signal.SIGKILL)
            await load.more("closed", 503)
            await load.more("open", 200)
            await supervisor.ensure(limited.limiter.name)
        # It counts again, to its end.
        await load.more("open", 429)
        await load.more("closed", 429)
        os.kill(pid_of(limited), signal.SIGSTOP)
        await load.more("closed", 503)
        await load.more("open", 200)
        os.kill(pid_of(limited), signal.SIGCONT)
        await supervisor.ensure(limited.limiter.name)
        await load.more("open", 429)
        await load.more("closed", 429)
    assert load.seen["open"].keys() == {200, 429}
    assert load.seen["closed"].keys() == {200, 429, 503}
    assert load.problems == {"limits.NobodyCounts", "limits.OverLimit"}
    # Each start forgets what was used, and nothing else does.
    restarts = limited.limiter.status().restarts
    assert restarts >= KILLS
    for kind in ("open", "closed"):
        assert MOST <= load.counted[kind] <= MOST * (restarts + 1)
    (status,) = supervisor.statuses()
    assert (status.state.value, status.restarts) == ("ready", restarts)
