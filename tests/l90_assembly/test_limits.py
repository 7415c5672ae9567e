"""Limits of a descriptor, held on a real platform whatever becomes of its agent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l00_kernel.settings_tables import TelemetrySettings
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from drystone.l35_mesh.limits import counts
from drystone.l35_mesh.limits.api import LimitsApi
from drystone.l35_mesh.observed import statistics
from drystone.l90_assembly.observed import numbers_to
from l25_deployer.agents import agent_at, client_of, end_agent
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    folder_of,
    left_in,
    short_folder,
)

HOST = "greeter.dev.localhost"
LIMITS = "limits: {all: {rate: 3/h, counted: exact}, near: {rate: 100/h, per: service}}"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as found:
        folder_of(found / "source")
        yield found


async def limiter(api: DeployerApi) -> int | None:
    return next(e.pid for e in (await api.status(ASKING)).engines if e.name == "limiter")


async def until_counted(home: Path, count: int) -> None:
    """Wait until the limiter counts by a limit of so many."""
    async with asyncio.timeout(30):
        while True:
            with suppress(Unavailable):
                async with connect(LimitsApi, uds=Home(home).socket("limiter.sock")) as api:
                    if [one.count for one in (await api.limits(ASKING)).limits] == [count]:
                        return
            await asyncio.sleep(0.05)


async def statuses(port: int, count: int) -> list[str]:
    return [(await ask(port, HOST))[:3] for _ in range(count)]


async def test_limits_hold_whatever_becomes_of_the_agent(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as agent:
        async with client_of(home) as api:
            await deploy(api, descriptor(), folder / "source")
            assert await limiter(api) is None, "no limit needs it"
            assert await statuses(port, 5) == ["200"] * 5
            await deploy(api, descriptor(more=LIMITS), folder / "source")
            await until_counted(home, 3)
            process = await limiter(api)
            assert process is not None
        assert await statuses(port, 4) == ["200", "200", "200", "429"]
        end_agent(agent, signal.SIGKILL)
        assert await statuses(port, 1) == ["429"]

    with agent_at(home, port):
        async with client_of(home) as api:
            [_ async for _ in api.startup(ASKING)]
            assert await limiter(api) == process
            assert await statuses(port, 1) == ["429"]
            await deploy(api, descriptor(more=LIMITS.replace("3/h", "5/h")), folder / "source")
            await until_counted(home, 5)
            assert await statuses(port, 3) == ["200", "200", "429"]
            await deploy(api, descriptor(), folder / "source")
            assert await statuses(port, 2) == ["200", "200"]
            [_ async for _ in api.destroy(ASKING, environment="dev", service="greeter")]
            [_ async for _ in api.stop(ASKING)]
    assert left_in(home) == []


def test_what_limits_count_is_counted_where_numbers_are_sent_as_well() -> None:
    telemetry = TelemetrySettings(statsd="127.0.0.1:8125")
    to = numbers_to(Settings(telemetry=telemetry))
    assert to is not None
    assert set(to.wanted) == {counts.WANTED, statistics.WANTED}
