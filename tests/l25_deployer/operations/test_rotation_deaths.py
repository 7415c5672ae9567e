"""An agent is killed while credentials are replaced: those that instances have work at every moment, and the next agent goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.operations.api import OperationsApi
from l25_deployer.agents import end_agent, start_agent, until_it_listens
from l25_deployer.operated import (
    EVERYTHING,
    FAITHFUL,
    TELLING,
    Load,
    Reached,
    opens_nothing,
    read,
    values_of,
    write,
)
from l25_deployer.reached import all_of, at
from l25_deployer.small_platform import ASKING, short_folder, until

pytestmark = pytest.mark.asyncio

POINTS = (
    "rotate.record.written",
    "rotate.credentials.made",
    "scale.more.begun",
    "rotate.instances.replaced",
    "rotate.former.ended",
)


@asynccontextmanager
async def reached(home: Path, port: int) -> AsyncIterator[Reached]:
    at_home = Home(home).agent_socket
    async with (
        connect(DeployerApi, uds=at_home) as deployer,
        connect(OperationsApi, uds=at_home) as api,
    ):
        yield Reached(deployer, api, port, home.parent)


async def opens(url: str) -> None:
    """Make sure that whoever serves can open a new session."""
    await asyncio.to_thread(lambda: psycopg.connect(url).close())


@pytest.mark.slow
async def test_an_agent_that_dies_while_it_takes_new_ones_back_leaves_the_former() -> None:
    with short_folder() as folder:
        home, port = folder / "h", free_port()
        agent = start_agent(home, port, {"DRYSTONE_FAULT": "rotate.new.withdrawn:kill"})
        try:
            until_it_listens(agent, home)
            async with reached(home, port) as p:
                more = "resources: {word: {type: secret}, kept: {type: volume}}"
                await p.deploy("faithful", more, FAITHFUL)
                with pytest.raises(PlatformError):
                    await all_of(p.api.rotate(ASKING, **at("faithful")))
            assert await asyncio.to_thread(agent.wait, 30) == -signal.SIGKILL
            agent = start_agent(home, port)
            await asyncio.to_thread(until_it_listens, agent, home)
            async with reached(home, port) as p:
                documents = Documents(Home(home).services)
                await until(
                    lambda: documents.service("dev", "faithful").rotation is None, "it is over"
                )
                await all_of(p.api.restart(ASKING, **at("faithful")))
            assert not list((home / "secrets").rglob("next"))
        finally:
            if agent.poll() is None:
                end_agent(agent)


@pytest.mark.slow
@pytest.mark.parametrize("points", [POINTS[1:2], POINTS], ids=["once", "again"])
async def test_credentials_work_whenever_the_agent_dies(points: tuple[str, ...]) -> None:
    with short_folder() as folder:
        home, port = folder / "h", free_port()
        # Each fault strikes once in the life of a home: every agent but the last dies at the next point.
        faults = {"DRYSTONE_FAULT": ",".join(f"{point}:kill" for point in points)}
        agent = start_agent(home, port, faults)
        try:
            until_it_listens(agent, home)
            async with reached(home, port) as p:
                await p.deploy("killed", EVERYTHING, TELLING)
                first = await values_of(port, "killed")
                await asyncio.to_thread(write, first, "one")
                async with Load(port, "killed.dev.localhost") as load:
                    with pytest.raises(PlatformError):
                        await all_of(p.api.rotate(ASKING, **at("killed")))
                    for _ in points:
                        ended = await asyncio.to_thread(agent.wait, 30)
                        assert ended == -signal.SIGKILL
                        for url in {(await values_of(port, "killed"))["DB_URL"] for _ in range(4)}:
                            await opens(url)
                        agent = start_agent(home, port, faults)
                    await asyncio.to_thread(until_it_listens, agent, home)
                    async with reached(home, port) as again, asyncio.timeout(30):
                        events = again.api.events(ASKING, **at("killed"), follow=True)
                        while (await anext(events)).event != "rotate done":
                            pass
                assert (load.failed, load.asked > 0) == ([], True)
            served = [await values_of(port, "killed") for _ in range(8)]
            assert len({one["WORD_VALUE"] for one in served}) == 1
            await opens_nothing(first)
            await asyncio.to_thread(read, served[0], {"one"}, "m1")
        finally:
            if agent.poll() is None:
                end_agent(agent)
