"""What happens when parts are killed without warning, under traffic: nobody notices, or it comes back by itself."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from drystone.testing.command_line import processes_of
from journeys.place import EXAMPLES, Place, eventually, place, small_service

if TYPE_CHECKING:
    from pathlib import Path


async def agent_of(platform: Place) -> int:
    pid: int = (await platform.drystone.ask("status"))["agent_pid"]
    return pid


def keeper_of(platform: Place) -> int:
    return int((platform.home / "run/keeper.lock").read_text())


async def until_another_agent(platform: Place, old: int) -> None:
    """Wait until a new agent answers and is ready."""

    async def look() -> bool:
        said = await platform.drystone.run("status", "--json")
        return said.code == 0 and f'"agent_pid": {old},' not in said.out

    await eventually(look)


async def until_replaced(platform: Place, service: str, victim: dict[str, Any]) -> dict[str, Any]:
    """Wait until another process is the instance, and healthy."""

    async def look() -> dict[str, Any] | None:
        for one in await platform.instances(service):
            same = one["id"] == victim["id"]
            if same and one["state"] == "healthy" and one["pid"] not in {None, victim["pid"]}:
                found: dict[str, Any] = one
                return found
        return None

    return await eventually(look)


async def test_no_request_fails_while_the_agent_is_killed_and_started_again(
    own_platform: Place, tmp_path: Path
) -> None:
    platform = own_platform
    assert (await platform.deploy(small_service(tmp_path, "steady"))).code == 0
    before = await platform.pids()
    async with platform.traffic("steady") as stopped:
        agent = await agent_of(platform)
        os.kill(agent, signal.SIGKILL)
        await until_another_agent(platform, agent)
        report = await stopped()
    assert report.failed == (), report.text()
    assert await platform.pids() == before
    status = await platform.drystone.ask("status")
    assert {s["name"]: s["state"] for s in status["startup"]}["steady.dev"] == "adopted"


async def test_no_request_fails_while_agent_and_keeper_are_gone_until_up_adopts_everything(
    own_platform: Place, tmp_path: Path
) -> None:
    platform = own_platform
    assert (await platform.deploy(small_service(tmp_path, "steady"))).code == 0
    before = await platform.pids()
    async with platform.traffic("steady") as stopped:
        agent = await agent_of(platform)
        os.kill(keeper_of(platform), signal.SIGKILL)
        os.kill(agent, signal.SIGKILL)
        gone = await platform.drystone.run("status")
        assert gone.code == 1
        assert "no platform runs in" in gone.err
        await platform.drystone.must("up", "--detach")
        report = await stopped()
    assert report.failed == (), report.text()
    assert await platform.pids() == before


async def test_a_killed_instance_comes_back_and_the_history_says_so(
    platform: Place, tmp_path: Path
) -> None:
    name = platform.name()
    assert (await platform.deploy(small_service(tmp_path, name))).code == 0
    (victim,) = await platform.instances(name)
    os.kill(victim["pid"], signal.SIGKILL)
    now = await until_replaced(platform, name, victim)
    assert now["restarts"] == 1
    assert "SIGKILL" in now["last_exit"]
    assert await platform.version(name) == "1"
    events = await platform.history(name)
    assert any(victim["id"] in e["text"] and "SIGKILL" in e["text"] for e in events), events


async def test_no_request_fails_when_one_of_two_instances_is_killed(
    platform: Place, tmp_path: Path
) -> None:
    name = platform.name()
    assert (await platform.deploy(small_service(tmp_path, name, scale=2))).code == 0
    async with platform.traffic(name) as stopped:
        victim = (await platform.instances(name))[0]
        os.kill(victim["pid"], signal.SIGKILL)
        await until_replaced(platform, name, victim)
        report = await stopped()
    assert report.failed == (), report.text()


async def test_postgres_comes_back_with_every_entry_that_was_acknowledged(
    own_platform: Place,
) -> None:
    platform = own_platform
    said = await platform.deploy(EXAMPLES / "guestbook/service.yaml")
    assert said.code == 0, said.err
    acknowledged = [await sign(platform, number) for number in range(20)]
    victim = (await platform.pids())["postgres"]
    os.kill(victim, signal.SIGKILL)

    async def works() -> str | None:
        answer = await platform.get("guestbook", "/api/entries", method="POST", json=entry(20))
        return answer.json()["message"] if answer.status_code == 201 else None

    acknowledged.append(await eventually(works, within=timedelta(seconds=60)))
    entries = (await platform.get("guestbook", "/api/entries")).json()["entries"]
    assert {one["message"] for one in entries} >= set(acknowledged)
    engine = next(
        e for e in (await platform.drystone.ask("status"))["engines"] if e["name"] == "postgres"
    )
    assert engine["pid"] != victim
    assert engine["restarts"] == 1


def entry(number: int) -> dict[str, str]:
    return {"name": "tests", "message": f"entry {number}"}


async def sign(platform: Place, number: int) -> str:
    answer = await platform.get("guestbook", "/api/entries", method="POST", json=entry(number))
    assert answer.status_code == 201, answer.text
    message: str = answer.json()["message"]
    return message


async def test_the_edge_comes_back_on_its_own_port_after_it_was_killed(
    own_platform: Place, tmp_path: Path
) -> None:
    platform = own_platform
    assert (await platform.deploy(small_service(tmp_path, "steady"))).code == 0
    before = await platform.pids()
    os.kill(before["proxy"], signal.SIGKILL)

    async def works() -> bool:
        try:
            return await platform.version("steady") == "1"
        except httpx2.TransportError:
            return False

    await eventually(works)
    after = await platform.pids()
    assert after.pop("proxy") != before.pop("proxy")
    assert after == before


@pytest.mark.parametrize("victim", [pytest.param("agent", marks=pytest.mark.slow), "everything"])
async def test_a_platform_whose_processes_were_all_killed_recovers(
    victim: str, tmp_path: Path
) -> None:
    async with place() as platform:
        assert (await platform.deploy(small_service(tmp_path, "steady"))).code == 0
        if victim == "everything":
            for pid in processes_of(platform.home):
                os.kill(pid, signal.SIGKILL)
            await platform.drystone.must("up", "--detach")
        else:
            agent = await agent_of(platform)
            (instance,) = await platform.instances("steady")
            os.kill(agent, signal.SIGKILL)
            os.kill(instance["pid"], signal.SIGKILL)
            await until_another_agent(platform, agent)

        async def serves() -> bool:
            answer = await platform.get("steady")
            return answer.status_code == 200

        await eventually(serves)
        assert (await platform.show("steady"))["summary"]["state"] == "serving"
