"""The orchestrator of a platform, by the command line."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from drystone.testing.command_line import Said
from journeys.place import Place, eventually, place


async def state(platform: Place) -> Any:
    return await platform.drystone.ask("orchestrator", "status")


async def answering(platform: Place) -> Any:
    async def look() -> Any:
        found = await state(platform)
        return found if found["socket"] else None

    return await eventually(look)


async def process(platform: Place) -> int:
    return (await platform.pids())["orchestrator"]


async def another(platform: Place, first: int) -> int:
    """Wait until another process is the orchestrator, and return it."""

    async def look() -> int | None:
        found = (await platform.pids()).get("orchestrator", first)
        return found if found != first else None

    return await eventually(look)


async def test_the_orchestrator_runs_where_it_was_turned_on_and_comes_back_when_it_dies() -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        assert not (await state(platform))["is_on"]
        assert "orchestrator" not in await platform.pids()
        said: Said = await platform.drystone.must("orchestrator", "on")
        assert "the orchestrator is on since" in said.out
        assert "it answers at" in said.out

        first = await process(platform)
        os.kill(first, signal.SIGKILL)
        await another(platform, first)
        await answering(platform)

        await platform.drystone.must("orchestrator", "off")
        assert "orchestrator" not in await platform.pids()
        refused = await platform.drystone.run("releases")
        assert refused.code == 1
        assert "turn it on with `drystone orchestrator on" in refused.err


@pytest.mark.slow
async def test_the_orchestrator_goes_on_without_an_agent_and_starts_with_the_platform() -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        await platform.drystone.must("orchestrator", "on")
        before, kept = await answering(platform), await process(platform)
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        os.kill(agent, signal.SIGKILL)

        async def is_adopted() -> bool:
            said = await platform.drystone.run("orchestrator", "status", "--json")
            return said.code == 0 and bool(json.loads(said.out)["socket"])

        await eventually(is_adopted)
        assert await process(platform) == kept

        for decided, is_on in (("on", True), ("off", False)):
            await platform.drystone.must("orchestrator", decided)
            await platform.drystone.must("down")
            await platform.drystone.must("up", "--detach", "--port", str(platform.port))
            assert (await state(platform))["is_on"] is is_on
            assert ("orchestrator" in await platform.pids()) is is_on
            if is_on:
                assert (await answering(platform))["since"] == before["since"]
