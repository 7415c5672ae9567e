"""What fails of requests through both sidecars while traffic is switched, moved and cut off from where it went.

Three histories of one service, each with requests on their way all the time: it is switched between two releases again and
again; it moves to another address and back in 42 steps; and it has moved half when the other side dies.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from benchmarks.mesh_rig import BOTH_H2, Measured
from benchmarks.peers.stage import stage
from benchmarks.stand import table

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool
from drystone.l10_engines.proxy.edge_moves import WHOLE, Move
from drystone.testing.load import Load, Report, run

RATE = 300
LONGEST = timedelta(minutes=10)
SETTLED_S = 0.5
"""How long traffic goes on before the first change and after the last."""

STEPS = 42
DEATHS = 5


class Switched:
    """A service with two sides, behind both sidecars."""

    def __init__(self, measured: Measured, here: int, there: int, second: Process) -> None:
        self._measured = measured
        self._sides = (here, there)
        self._second = second

    @property
    def url(self) -> str:
        """Where the caller finds it."""
        return f"http://127.0.0.1:{self._measured.ports[BOTH_H2]}/"

    async def switch(self, *, to_second: bool) -> None:
        """Let one of two releases have all the traffic, the other finish what it has."""
        weights = (0, 1) if to_second else (1, 0)
        pools = tuple(
            Pool(zone, weight, (Endpoint(port),))
            for zone, weight, port in zip(("blue", "green"), weights, self._sides, strict=True)
        )
        await self._publish(pools, None)

    async def move(self, share: int) -> None:
        """Send a share of the requests to another address, in hundredths of a percent."""
        here, there = self._sides
        move = Move(label="benchmarks", addresses=(Endpoint(there),), share=share)
        await self._publish((Pool("here", 1, (Endpoint(here),)),), move)

    async def kill_second(self) -> None:
        """Kill the second side; returns when it is dead."""
        self._second.kill()
        await self._second.wait()

    async def _publish(self, pools: tuple[Pool, ...], move: Move | None) -> None:
        service = EdgeService(
            name="within.dev", hosts=("within.dev.localhost",), pools=pools, move=move
        )
        await self._measured.envoy.publish(self._measured.snapshot(service))


async def mesh_switches(count: int) -> str:
    """Switch ten times as often as asked, move once for every ten, kill the other side five times."""
    rows = [
        ["switched between two releases", *await _flips(count * 10)],
        ["moved away and back", *await _moves(max(1, count // 10))],
        ["the other side killed at 50 %", *await _deaths(DEATHS)],
    ]
    columns = ["what", "times", "requests", "failed", "answered by the second side"]
    return table(f"Through both sidecars at {RATE} requests/s", columns, rows)


@asynccontextmanager
async def _under_traffic(reports: list[Report]) -> AsyncIterator[Switched]:
    """Give a service whose requests are on their way; what became of them is reported in the end."""
    async with stage() as on:
        here, there = free_port(), free_port()
        await on.serve("here", here)
        second = await on.serve("there", there)
        measured = Measured(on.folder, here)
        switched = Switched(measured, here, there, second)
        stop = asyncio.Event()
        await measured.start()
        traffic = asyncio.create_task(
            run(Load(url=switched.url, rate=RATE, length=LONGEST), stop=stop)
        )
        try:
            await asyncio.sleep(SETTLED_S)
            yield switched
            await asyncio.sleep(SETTLED_S)
        finally:
            stop.set()
            reports.append(await traffic)
            await measured.stop()


async def _flips(count: int) -> list[str]:
    reports: list[Report] = []
    async with _under_traffic(reports) as switched:
        for number in range(count):
            await switched.switch(to_second=number % 2 == 0)
    return _row(count, reports)


async def _moves(count: int) -> list[str]:
    reports: list[Report] = []
    async with _under_traffic(reports) as switched:
        up = [WHOLE * step // (STEPS // 2) for step in range(1, STEPS // 2 + 1)]
        for share in [*up, *(WHOLE - one for one in up)] * count:
            await switched.move(share)
            await asyncio.sleep(0.1)  # that each share has requests
    return _row(count * STEPS, reports)


async def _deaths(count: int) -> list[str]:
    reports: list[Report] = []
    for _ in range(count):
        async with _under_traffic(reports) as switched:
            await switched.move(WHOLE // 2)
            await asyncio.sleep(SETTLED_S)
            await switched.kill_second()
            await asyncio.sleep(SETTLED_S * 4)
    return _row(count, reports)


def _row(times: int, reports: list[Report]) -> list[str]:
    requests = [outcome for report in reports for outcome in report.outcomes]
    failed = [outcome for report in reports for outcome in report.failed]
    second = sum(outcome.version == "there" for outcome in requests)
    return [str(times), str(len(requests)), str(len(failed)), str(second)]
