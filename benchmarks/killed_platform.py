"""The platform itself killed: how long until an agent is in charge again, and how long the edge is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from statistics import median

from benchmarks.scale import ASKING, fill
from benchmarks.stand import NAME, Stand, first_answer, spread, stand, table

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.home import Home
from drystone.l10_engines.proxy.generation import generations
from drystone.l25_deployer.api import DeployerApi, Source
from drystone.testing.load import Load, run

SERVICES = (1, 10, 50)
DEPLOYED = 100
"""Layer of the lowest deployed service in reports of a start."""

RATE = 200
LONGEST = timedelta(minutes=30)
LIMIT_S = 60.0
STEADY = timedelta(seconds=12)
"""An Envoy that dies sooner after its start is started again after a pause."""

SLACK_S = 1.0
"""A request that was under way at the kill was due before it."""


async def agents(count: int) -> str:
    """From `drystone up`, after agent and keeper were killed, to an agent that has adopted all and deploys."""
    rows = []
    async with stand("processes") as one:
        for number in SERVICES:
            await fill(one, number)
            up, begun = [], []
            for _ in range(count):
                _kill_agent_and_keeper(one)
                start = time.monotonic()
                await _up_adopts_all(one, number)
                up.append(time.monotonic() - start)
                begun.append(await _deploy_begins(one) - start)
            rows.append([number, spread(up), spread(begun)])
    columns = ["services", "all adopted, `up` returns", "a deploy has begun"]
    return table(f"kill -9 of agent and keeper, then `up`: medians of {count}", columns, rows)


def _kill_agent_and_keeper(one: Stand) -> None:
    """Leave the home to itself, the keeper first, which would start another agent."""
    for lock in ("keeper.lock", "agent.lock"):
        os.kill(int((one.drystone.home / "run" / lock).read_text()), signal.SIGKILL)


async def _up_adopts_all(one: Stand, number: int) -> None:
    """Bring the platform up.

    Raises:
        RuntimeError: A service was started anew, though it ran.
    """
    told = (await one.drystone.must("up", "--detach", "--json")).documents
    services = [part for part in told if part.get("layer", 0) >= DEPLOYED]
    adopted = {part["name"] for part in services if part["state"] == "adopted"}
    if len(adopted) != number:
        raise RuntimeError(f"{len(adopted)} of {number} services were adopted: {services}")


async def _deploy_begins(one: Stand) -> float:
    """Deploy one more service and remove it again; the moment in which the agent began with it."""
    path = one.descriptor(name="measured")
    source = Source(text=path.read_text(), file=path.name, folder=str(path.parent))
    begun = 0.0
    async with connect(DeployerApi, uds=Home(one.drystone.home).agent_socket) as api:
        async for _ in api.deploy(ASKING, source=source, environment="dev"):
            begun = begun or time.monotonic()
        async for _ in api.destroy(ASKING, environment="dev", service="measured"):
            pass
    return begun


async def edges(count: int) -> str:
    """From `kill -9` of Envoy to the first answer over a new connection, and what failed meanwhile."""
    rows = []
    async with stand("processes") as one:
        await one.deploy(one.descriptor(), "first")
        for name, is_alone in (("an agent lives", False), ("no agent lives", True)):
            if is_alone:
                _kill_agent_and_keeper(one)
            away, failed = await _deaths_of_envoy(one, count)
            some = f"{median(failed):.0f} ({min(failed)} to {max(failed)})"
            rows.append([name, spread(away), some])
    columns = ["while", "first answer over a new connection", "failed requests"]
    title = f"kill -9 of Envoy at {RATE} requests/s, medians of {count} (least to most)"
    return table(title, columns, rows)


async def _deaths_of_envoy(one: Stand, count: int) -> tuple[list[float], list[int]]:
    enough = asyncio.Event()
    running = asyncio.create_task(run(Load(url=one.url, rate=RATE, length=LONGEST), stop=enough))
    away, kills, begun = [], [], time.monotonic()
    try:
        for _ in range(count):
            await asyncio.sleep(STEADY.total_seconds())
            envoy = generations(one.drystone.home / "engines/proxy")[-1].envoy()
            if envoy is None:
                raise RuntimeError("there is no Envoy")
            kills.append(time.monotonic())
            os.kill(envoy.pid, signal.SIGKILL)
            async with asyncio.timeout(LIMIT_S):
                away.append(await first_answer(one.port, NAME, "first") - kills[-1])
        await asyncio.sleep(STEADY.total_seconds())
    finally:
        enough.set()
        report = await running
    failed = [begun + outcome.at.total_seconds() for outcome in report.failed]
    ends = [*kills[1:], time.monotonic()]
    counts = [
        sum(kill - SLACK_S <= at < end - SLACK_S for at in failed)
        for kill, end in zip(kills, ends, strict=True)
    ]
    return away, counts
