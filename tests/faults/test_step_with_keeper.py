"""The same deaths as people meet them: by the command line, with the keeper that starts the next agent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drystone.l00_kernel.fault_points import VARIABLE
from drystone.testing.command_line import CommandLine, remains, short_home
from journeys.place import Place, eventually, place, small_service

pytestmark = pytest.mark.timeout(300)

AFTER, BEFORE = "switch.record.written", "health.instances.well"


async def at_rest(platform: Place, service: str) -> bool:
    """Tell whether an agent has taken over and nothing is being done to the service."""
    said = await platform.drystone.run("show", service, "--env", "dev", "--json")
    return said.code == 0 and '"operation": null' in said.out.replace('":null', '": null')


@pytest.mark.parametrize(
    ("point", "serves"), [(AFTER, "2"), pytest.param(BEFORE, "1", marks=pytest.mark.slow)]
)
@pytest.mark.slow
async def test_the_next_agent_decides_and_does_not_die_at_the_same_step_again(
    point: str, serves: str, tmp_path: Path
) -> None:
    async with place({VARIABLE: f"{point}:kill@2"}) as platform:
        assert (
            await platform.deploy(small_service(tmp_path, "steady"), "--version", "1")
        ).code == 0
        cut = await platform.deploy(small_service(tmp_path, "steady"), "--version", "2")
        assert cut.code == 1, cut.out
        await eventually(lambda: at_rest(platform, "steady"))
        assert await platform.version("steady") == serves
        status = await platform.drystone.run("status")
        assert f"{point}:kill@2 has happened" in status.out + status.err
        log = (platform.home / "run/agent.log").read_text()
        assert f"fault {point}:kill@2" in log
        ends = {"2": "deploy done", "1": "deploy undone"}
        assert (await platform.history("steady"))[0]["event"] == ends[serves]
        again = await platform.deploy(small_service(tmp_path, "steady"), "--version", "3")
        assert again.code == 0, again.err
        assert await platform.version("steady") == "3"


@pytest.mark.parametrize(
    ("wish", "near"), [("switch.record.writen:kill", "switch.record.written"), ("x", "NAME:EFFECT")]
)
async def test_a_fault_that_does_not_exist_keeps_the_platform_from_starting(
    wish: str, near: str
) -> None:
    home = short_home("flt")
    said = await CommandLine(home, {VARIABLE: wish}).run("up", "--detach")
    assert said.code == 1
    assert near in said.err
    assert remains(home) == []
    shutil.rmtree(home)
