"""What may die without a request being lost, and what is left behind: nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.proxy.edge import edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy
from drystone.l10_engines.proxy.errors import PortTaken, ProxyRefused, ProxyUnavailable
from drystone.l10_engines.proxy.generation import LAST_GOOD, generations
from drystone.l10_engines.supervision.port import EngineState
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.testing.conformance.engines import ATTENTIVE, eventually
from drystone.testing.ports import taken
from l10_engines.proxy.conftest import processes_below
from l10_engines.proxy.rig import Rig, Running, answers, only_generation, shop, until
from l10_engines.proxy.upstream import Upstream


def kill(rig: Rig) -> None:
    pid = rig.envoy.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def kill_runner(rig: Rig) -> None:
    generation = generations(rig.home / "edge")[-1]
    runner = generation.runner()
    assert runner is not None
    identity.send(runner, signal.SIGKILL)


async def found(look: Callable[[], ProcessId | None]) -> ProcessId:
    """Look until there is a process."""
    async with asyncio.timeout(30):
        while (process := look()) is None:  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(0.01)
    return process


async def _until_gone(process: ProcessId) -> None:
    await eventually(lambda: not identity.is_alive(process))


async def test_the_status_names_what_runs(rig: Rig) -> None:
    status = rig.envoy.status()
    assert (status.name, status.state) == ("edge", EngineState.READY)
    assert status.version is not None
    assert status.version.startswith("1.")
    assert status.endpoint == f"127.0.0.1:{rig.port}"
    assert await rig.envoy.is_ready()
    assert 10 << 20 < rig.envoy.memory() < 512 << 20


async def test_starting_twice_starts_one(rig: Rig) -> None:
    pid = rig.envoy.status().pid
    await rig.envoy.start()
    assert rig.envoy.status().pid == pid
    assert len(generations(rig.home / "edge")) == 1


async def test_stop_leaves_no_process_and_may_be_repeated(rig: Rig) -> None:
    await rig.envoy.stop()
    await rig.envoy.stop()
    assert processes_below(rig.home) == []
    assert rig.envoy.status().state is EngineState.STOPPED
    assert not await answers(rig)
    await rig.envoy.start()
    assert await answers(rig)


async def test_an_envoy_whose_home_was_removed_is_not_started_again(rig: Rig) -> None:
    (runner, envoy) = (only_generation(rig).runner(), only_generation(rig).envoy())
    assert runner is not None
    assert envoy is not None
    await rig.envoy.detach()
    shutil.rmtree(rig.home / "edge")
    identity.send(envoy, signal.SIGKILL)
    await _until_gone(runner)


async def test_a_runner_that_is_told_to_end_takes_its_envoy_along(rig: Rig) -> None:
    (runner, envoy) = (only_generation(rig).runner(), only_generation(rig).envoy())
    assert runner is not None
    assert envoy is not None
    await rig.envoy.detach()
    identity.send(runner, signal.SIGTERM)
    await _until_gone(runner)
    await _until_gone(envoy)


async def test_stop_finishes_requests_under_way(rig: Rig, blue: Upstream) -> None:
    slow = asyncio.create_task(rig.get("/slow"))
    await eventually(lambda: blue.seen["GET /slow"] == 1)
    stopping = asyncio.create_task(rig.envoy.stop())

    async def takes_no_more() -> bool:
        return not await answers(rig)

    await until(takes_no_more)
    blue.release.set()
    assert (await slow).text == "blue"
    await stopping


async def test_nothing_is_readable_by_other_users(rig: Rig) -> None:
    places = [rig.ads.socket, *Path(rig.home, "edge").rglob("*"), rig.home / "edge"]
    open_ones = [p for p in places if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert open_ones == []


async def test_envoy_gets_nothing_of_the_agents_environment(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", "hush")
    await rig.envoy.replace()
    pid = rig.envoy.status().pid
    assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()


async def test_the_next_agent_adopts_the_envoy_of_a_dead_one_without_losing_a_request(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    pid = rig.envoy.status().pid
    async with Running(rig):
        await rig.die()
        for _ in range(20):
            assert (await rig.get()).text == "blue"
        await rig.live(rig.snapshot(shop(("green", 1, [green]))))
        # Whoever waited for the start meets what the new agent published.
        assert (await rig.get()).text == "green"
    assert rig.envoy.status().pid == pid


async def test_an_agent_that_knows_nothing_yet_takes_nothing_away(rig: Rig) -> None:
    await rig.die()
    await rig.live()
    connected = rig.ads.connected
    await eventually(lambda: bool(connected()))
    assert (await rig.get()).text == "blue"


async def test_an_envoy_that_dies_is_back_and_follows_the_agent_again(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    kill(rig)
    await until(lambda: answers(rig))
    # While the Envoy that follows nobody still serves, a publish is not over.
    await rig.publish(shop(("green", 1, [green])))
    assert {(await rig.get()).text for _ in range(20)} == {"green"}
    assert await only_generation(rig).follows_agent()
    assert rig.envoy.status().restarts == 1


@pytest.mark.parametrize("moment", ["taking over", "taken over"])
async def test_an_envoy_that_dies_while_it_replaces_a_dead_one_is_replaced_itself(
    rig: Rig, green: Upstream, moment: str
) -> None:
    def second() -> ProcessId | None:
        newest = generations(rig.home / "edge")[-1]
        envoy = newest.envoy() if newest.number > first else None
        # Its predecessor goes on for some seconds after it has become the one that counts.
        has_taken_over = envoy is not None and rig.envoy.status().pid == envoy.pid
        return envoy if moment == "taking over" or has_taken_over else None

    first = only_generation(rig).number
    kill(rig)
    identity.send(await found(second), signal.SIGKILL)

    await rig.publish(shop(("green", 1, [green])))

    assert {(await rig.get()).text for _ in range(20)} == {"green"}
    await eventually(lambda: len(generations(rig.home / "edge")) == 1)
    assert await only_generation(rig).follows_agent()


async def test_an_envoy_that_dies_while_the_agent_is_dead_is_back_by_itself(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(shop(("green", 1, [green])))
    await rig.die()
    for _ in range(2):
        pid = only_generation(rig).envoy()
        assert pid is not None
        identity.send(pid, signal.SIGKILL)
        await _until_gone(pid)
        await until(lambda: answers(rig))
        assert (await rig.get()).text == "green"
    assert not await only_generation(rig).follows_agent()
    async with Running(rig, reused=1):
        await rig.live(rig.snapshot(shop(("blue", 1, [blue]))))
        await rig.publish(shop(("green", 1, [green]), ("blue", 1, [blue])))
        await eventually(lambda: len(generations(rig.home / "edge")) == 1)
        assert await only_generation(rig).follows_agent()


async def test_an_envoy_without_its_runner_is_replaced_without_losing_a_request(rig: Rig) -> None:
    supervisor = Supervisor([rig.envoy], watchfulness=ATTENTIVE)
    await supervisor.ensure("edge")
    old = only_generation(rig).number
    async with Running(rig, reused=1):
        kill_runner(rig)
        await eventually(lambda: [g.number for g in generations(rig.home / "edge")] == [old + 1])
    assert only_generation(rig).runner() is not None
    await supervisor.stop_all()


async def test_envoy_and_runner_killed_together_are_started_again_by_the_supervisor(
    rig: Rig,
) -> None:
    supervisor = Supervisor([rig.envoy], watchfulness=ATTENTIVE)
    await supervisor.ensure("edge")
    kill_runner(rig)
    kill(rig)
    await until(lambda: answers(rig))
    await supervisor.stop_all()


async def test_a_refused_configuration_is_told_and_the_last_good_one_stays(
    rig: Rig, blue: Upstream
) -> None:
    kept = (rig.home / "edge" / LAST_GOOD).read_bytes()
    bad = edge_snapshot((), port=rig.port, access_log=rig.home / "no/such/folder/log")
    with pytest.raises(ProxyRefused, match="no/such/folder"):
        await rig.envoy.publish(bad)
    assert (await rig.get()).text == "blue"
    assert (rig.home / "edge" / LAST_GOOD).read_bytes() == kept
    (client,) = rig.ads.connected()
    assert client.refusals == {}
    await rig.publish(shop(("blue", 1, [blue])))


async def test_what_the_proxy_has_already_is_neither_sent_nor_written_again(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    first = await rig.envoy.publish(rig.snapshot(shop(("blue", 1, [blue]))))
    written = (rig.home / "edge" / LAST_GOOD).stat().st_ino
    assert await rig.envoy.publish(rig.snapshot(shop(("blue", 1, [blue])))) == first
    assert (rig.home / "edge" / LAST_GOOD).stat().st_ino == written
    assert await rig.envoy.publish(rig.snapshot(shop(("green", 1, [green])))) > first
    assert (rig.home / "edge" / LAST_GOOD).stat().st_ino != written
    assert (await rig.get()).text == "green"


async def test_an_envoy_that_does_not_answer_is_reported(rig: Rig, green: Upstream) -> None:
    pid = rig.envoy.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ProxyUnavailable, match="edge-g1"):
            await rig.envoy.publish(
                rig.snapshot(shop(("green", 1, [green]))), within=timedelta(milliseconds=200)
            )
        assert not await rig.envoy.is_ready()
    finally:
        os.kill(pid, signal.SIGCONT)

    async def has_followed() -> bool:
        return (await rig.get()).text == "green"

    await until(has_followed)


async def test_a_port_that_somebody_else_has_is_named(stopped: Rig) -> None:
    with taken(stopped.port), pytest.raises(PortTaken, match=str(stopped.port)):
        await stopped.live(stopped.snapshot())
    assert stopped.envoy.status().state is EngineState.FAILED
    assert str(stopped.port) in stopped.envoy.status().last_error
    await stopped.envoy.start()


@pytest.mark.slow
async def test_a_directory_may_have_a_longer_path_than_a_socket(stopped: Rig) -> None:
    settings = stopped.envoy._settings
    long = Envoy(stopped.home / ("x" * 120), ads=stopped.ads, settings=settings, group="long")
    await long.start()
    try:
        assert await long.is_ready()
    finally:
        await long.stop()


async def test_a_start_without_any_service_answers_at_once(stopped: Rig) -> None:
    await stopped.live()
    assert await stopped.envoy.is_ready()


async def test_the_server_of_configurations_takes_the_place_of_a_dead_one(rig: Rig) -> None:
    assert stat.S_IMODE(rig.ads.socket.stat().st_mode) == 0o600
    await rig.die()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(rig.ads.socket))  # what a killed agent leaves: a socket nobody listens on
    await rig.live()
    await eventually(lambda: bool(rig.ads.connected()))
    assert stat.S_IMODE(rig.ads.socket.stat().st_mode) == 0o600
    assert [p.name for p in rig.home.iterdir() if p.name.startswith(".")] == []
