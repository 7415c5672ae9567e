"""The orchestrator of a platform, by the command line."""

from __future__ import annotations

import os
import signal
from typing import Any

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


async def test_the_orchestrator_runs_where_it_was_turned_on_and_survives_what_dies() -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        assert not (await state(platform))["is_on"]
        assert "orchestrator" not in await platform.pids()

        said: Said = await platform.drystone.must("orchestrator", "on")
        assert "the orchestrator is on since" in said.out
        assert "it answers at" in said.out
        before = await answering(platform)

        first = await process(platform)
        os.kill(first, signal.SIGKILL)

        async def is_another() -> bool:
            return (await platform.pids()).get("orchestrator", first) != first

        await eventually(is_another)
        await answering(platform)

        kept, agent = await process(platform), (await platform.drystone.ask("status"))["agent_pid"]
        os.kill(agent, signal.SIGKILL)

        async def is_adopted() -> bool:
            said = await platform.drystone.run("orchestrator", "status", "--json")
            return said.code == 0 and '"socket":"/' in said.out.replace(" ", "")

        await eventually(is_adopted)
        assert await process(platform) == kept

        await platform.drystone.must("down")
        await platform.drystone.must("up", "--detach", "--port", str(platform.port))
        assert (await answering(platform))["since"] == before["since"]

        await platform.drystone.must("orchestrator", "off")
        assert "orchestrator" not in await platform.pids()
        await platform.drystone.must("down")
        await platform.drystone.must("up", "--detach", "--port", str(platform.port))
        assert not (await state(platform))["is_on"]
        assert "orchestrator" not in await platform.pids()
