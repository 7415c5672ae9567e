"""No further process can be made: what runs goes on, what needs one says so, and later it works."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from drystone.l90_assembly.agent import THREADS, take_threads
from faults.groups import group_of
from journeys.place import eventually, place, small_service

pytestmark = pytest.mark.timeout(200)


@pytest.mark.slow
async def test_a_deploy_that_can_start_nothing_is_undone_and_an_ended_instance_comes_back_later(
    tmp_path: Path,
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name, scale={"min": 2})
        assert (await platform.deploy(descriptor)).code == 0
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        before = await platform.instances(name)
        with group_of("pids", agent) as group:
            (group / "pids.max").write_text((group / "pids.current").read_text())
            async with platform.traffic(name) as stopped:
                failed = await platform.deploy(descriptor, "--version", "2")
                assert failed.code == 1
                assert "no further process can be made" in failed.err, failed.err
                assert "pids.max" in failed.err
                assert "release 1 (version 1) serves as before" in failed.err
                os.kill(before[0]["pid"], signal.SIGKILL)

                async def tries() -> bool:
                    view = await platform.show(name)
                    return any("no further process" in text for text in view["problems"])

                await eventually(tries)
                assert (await stopped()).failures() == {}
            status = await platform.drystone.ask("status")
            assert status["agent_pid"] == agent
            (group / "pids.max").write_text("max")

            async def both_again() -> bool:
                return [i["state"] for i in await platform.instances(name)] == ["healthy"] * 2

            await eventually(both_again)
            assert (await platform.deploy(descriptor, "--version", "2")).code == 0
            assert await platform.version(name) == "2"


async def test_the_agent_needs_no_further_thread_once_it_runs() -> None:
    def ours() -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("agent")}

    loop = asyncio.get_running_loop()
    take_threads(loop)
    before = ours()
    assert len(before) == THREADS
    await asyncio.gather(*(asyncio.to_thread(os.getpid) for _ in range(4 * THREADS)))
    assert ours() == before
    await loop.shutdown_default_executor()
