"""What goes on while no agent lives, for how long Envoy is away when it dies then, and what the next agent tells.

The default run is without an agent for seconds, ``-m slow`` for ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drystone.l10_engines.proxy.generation import Generation, generations
from drystone.testing.load import Load, Report, run
from journeys.place import Place, eventually, place, small_service

RATE = 100
SECONDS = [3, pytest.param(600, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]


@asynccontextmanager
async def visitors(
    platform: Place, service: str, *, reused: float = 0.5
) -> AsyncIterator[Callable[[], Awaitable[Report]]]:
    """Let requests arrive until the returned function is called, which tells what became of them."""
    enough = asyncio.Event()
    load = Load(url=platform.url(service), rate=RATE, length=timedelta(minutes=20), reused=reused)
    running = asyncio.create_task(run(load, stop=enough))

    async def over() -> Report:
        enough.set()
        return await running

    try:
        yield over
    finally:
        await over()


def kill_agent_and_keeper(platform: Place) -> None:
    """Leave the home to itself."""
    for lock in ("keeper.lock", "agent.lock"):
        os.kill(int((platform.home / "run" / lock).read_text()), signal.SIGKILL)


def edge_of(platform: Place) -> Generation:
    return generations(platform.home / "engines/proxy")[-1]


async def until_another_envoy(platform: Place, old: int) -> None:
    async def look() -> bool:
        now = edge_of(platform).envoy()
        return now is not None and now.pid != old and await edge_of(platform).is_live()

    await eventually(look)


async def deploy(platform: Place, folder: Path, name: str, *, scale: int) -> list[Any]:
    said = await platform.deploy(small_service(folder / name, name, scale=scale))
    assert said.code == 0, said.err
    return await platform.instances(name)


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.slow
async def test_requests_go_on_without_an_agent_and_the_next_one_tells_what_happened(
    tmp_path: Path, seconds: int
) -> None:
    async with place() as platform:
        victim, _ = await deploy(platform, tmp_path, "pair", scale=2)
        await deploy(platform, tmp_path, "single", scale=1)
        await deploy(platform, tmp_path, "other", scale=1)
        kill_agent_and_keeper(platform)

        async with visitors(platform, "pair") as over:
            await asyncio.sleep(seconds)
            undisturbed = await over()
        assert undisturbed.failed == (), undisturbed.text()

        async with visitors(platform, "pair") as over:
            os.kill(victim["pid"], signal.SIGKILL)
            await asyncio.sleep(min(seconds, 5))
            one_left = await over()
        assert one_left.failed == (), one_left.text()

        envoy = edge_of(platform).envoy()
        assert envoy is not None
        os.kill(envoy.pid, signal.SIGKILL)
        await until_another_envoy(platform, envoy.pid)
        for name in ("pair", "single", "other"):
            assert (await platform.get(name)).status_code == 200

        async with visitors(platform, "pair", reused=1) as over:
            await platform.drystone.must("up", "--detach")
            back = await over()
        assert back.failed == (), back.text()

        status = await platform.drystone.ask("status")
        assert status["ready"]
        away = status["away"]
        assert away["proxy_restarts"] == 1
        assert away["requests"] > 0.9 * (len(undisturbed.outcomes) + len(one_left.outcomes))
        (found,) = away["found"]
        assert victim["id"] in found
        assert "SIGKILL" in found
        (told,) = [e for e in await platform.history("pair") if e["event"] == "unattended"]
        assert found in told["text"]
        shown = await platform.drystone.must("status")
        assert "unattended" in shown.out
        assert victim["id"] in shown.out


@pytest.mark.slow
async def test_a_platform_that_was_stopped_was_not_unattended(tmp_path: Path) -> None:
    async with place() as platform:
        await deploy(platform, tmp_path, "single", scale=1)
        await platform.drystone.must("down")
        await platform.drystone.must("up", "--detach")
        assert (await platform.drystone.ask("status"))["away"] is None
        events = await platform.history("single")
        assert "unattended" not in {event["event"] for event in events}


@pytest.mark.slow
async def test_a_stopped_agent_is_named_and_all_is_well_when_it_goes_on(tmp_path: Path) -> None:
    async with place() as platform:
        await deploy(platform, tmp_path, "single", scale=1)
        agent = int((platform.home / "run/agent.lock").read_text())
        os.kill(agent, signal.SIGSTOP)
        try:
            async with visitors(platform, "single") as over:
                said = await platform.drystone.run("status")
                report = await over()
        finally:
            os.kill(agent, signal.SIGCONT)
        assert report.failed == (), report.text()
        assert said.code == 1
        assert f"kill -CONT {agent}" in said.err

        async def is_well() -> bool:
            again = await platform.drystone.run("status", "--json")
            return again.code == 0

        await eventually(is_well)
        assert (await platform.instances("single"))[0]["state"] == "healthy"
