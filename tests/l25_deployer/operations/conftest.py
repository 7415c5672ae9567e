"""A platform for the operations, in the process, through its wire form, and by an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import connect, loopback
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.operations.api import OperationsApi
from l25_deployer.agents import agent_at
from l25_deployer.operated import Reached
from l25_deployer.small_platform import embedded, settings, short_folder


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", "loopback", "agent"]
)
async def p(request: pytest.FixtureRequest) -> AsyncIterator[Reached]:
    with short_folder() as folder:
        home = folder / "h"
        if request.param == "agent":
            port = free_port()
            with agent_at(home, port):
                at_home = Home(home).agent_socket
                async with (
                    connect(DeployerApi, uds=at_home) as deployer,
                    connect(OperationsApi, uds=at_home) as api,
                ):
                    yield Reached(deployer, api, port, folder)
            return
        chosen = settings(Home.create(home))
        async with embedded(home, chosen) as whole:
            deployer = whole.deployer
            api = (
                whole.operations
                if request.param == "embedded"
                else loopback(OperationsApi, whole.operations)
            )
            yield Reached(deployer, api, chosen.port, folder)
