"""The deployer, reached in every way in which it can be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import loopback
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from l25_deployer.agents import agent_at, client_of
from l25_deployer.reached import Reached
from l25_deployer.small_platform import (
    embedded,
    settings,
    short_folder,
)


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", "loopback", "agent"]
)
async def p(request: pytest.FixtureRequest) -> AsyncIterator[Reached]:
    with short_folder() as folder:
        home = folder / "h"
        if request.param == "agent":
            port = free_port()
            with agent_at(home, port):
                async with client_of(home) as api:
                    yield Reached(api, port, folder)
            return
        chosen = settings(Home.create(home))
        async with embedded(home, chosen) as whole:
            api = (
                whole.deployer
                if request.param == "embedded"
                else loopback(DeployerApi, whole.deployer)
            )
            yield Reached(api, chosen.port, folder)
