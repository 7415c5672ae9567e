from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local.instances import Blueprint, State
from drystone.l25_deployer.local.running import RunningRelease
from drystone.l25_deployer.stacks.smoke import Smoke
from l25_deployer.local.small_instances import (
    Changes,
    FailingProcesses,
    blueprint,
    impatient,
    release,
)
from l25_deployer.small_platform import until

Run = Callable[..., RunningRelease]
IDLE = "import time\ntime.sleep(3600)"
WRONG_PORT = """
import socket, sys, time
listening = socket.create_server(("127.0.0.1", 0))
print("listening elsewhere", flush=True)
time.sleep(3600)
"""


@pytest_asyncio.fixture
async def run() -> AsyncIterator[Run]:
    """Make running releases; all of them are ended when the test is over."""
    made: list[RunningRelease] = []

    def make(*prints: Blueprint, runtime: Processes | None = None) -> RunningRelease:
        made.append(RunningRelease(release(*prints), prints, runtime or Processes(), Changes()))
        return made[-1]

    yield make
    for running in made:
        await running.find()
        await running.end()


async def test_a_release_is_healthy_when_all_its_instances_are(run: Run, tmp_path: Path) -> None:
    prints = (
        blueprint(tmp_path, name="a"),
        blueprint(tmp_path, name="b"),
        blueprint(tmp_path, IDLE, name="c", serves=False),
    )
    running = run(*prints)

    adopted = await running.begin()
    await running.until_healthy(None)

    assert adopted == 0
    assert running.is_healthy
    assert running.ports == (prints[0].port, prints[1].port)


async def test_what_still_runs_is_adopted_and_the_rest_started(run: Run, tmp_path: Path) -> None:
    prints = (blueprint(tmp_path, name="a"), blueprint(tmp_path, name="b"))
    first = run(*prints)
    await first.begin()
    await first.until_healthy(None)
    await first.leave()
    await first.instances[1].end()
    kept = first.instances[0].pid

    second = run(*prints)
    adopted = await second.begin()
    await second.until_healthy(None)

    assert adopted == 1
    assert second.instances[0].pid == kept


async def test_requests_go_to_healthy_instances_only_unless_there_are_none(
    run: Run, tmp_path: Path
) -> None:
    prints = (blueprint(tmp_path, name="a"), blueprint(tmp_path, IDLE, name="b"))
    running = run(*prints)
    await running.begin()
    assert list(running.ports) == [prints[0].port, prints[1].port], "none is healthy yet"

    await until(lambda: running.instances[0].takes_traffic, "a healthy instance")

    assert list(running.ports) == [prints[0].port]


async def test_an_instance_that_ends_twice_fails_the_release_with_its_last_words(
    run: Run, tmp_path: Path
) -> None:
    running = run(
        blueprint(tmp_path, name="good"),
        blueprint(tmp_path, "import sys\nsys.exit('no database at db:5432')", name="bad"),
    )
    await running.begin()

    with pytest.raises(DeployFailed) as failed:
        await running.until_healthy(release(number=0))

    assert failed.value.details == {"instance": "bad"}
    assert failed.value.message.splitlines()[0] == "instance bad ended with exit code 1"
    assert "no database at db:5432" in failed.value.message
    assert "neither the descriptor nor the code changed" in failed.value.message
    waiting = [t for t in asyncio.all_tasks() if "_until_one" in repr(t.get_coro())]
    assert waiting == [], "nobody waits on for the good one"


async def test_a_release_that_is_not_well_in_time_fails_and_says_where_it_listens(
    run: Run, tmp_path: Path
) -> None:
    what = impatient(blueprint(tmp_path, WRONG_PORT), grace=timedelta(seconds=1))
    running = run(what)
    await running.begin()

    with pytest.raises(DeployFailed) as failed:
        await running.until_healthy(None)

    (port,) = running.instances[0].listening_ports()
    assert "one was not healthy after 1 s" in failed.value.message
    assert "connection refused" in failed.value.message
    assert (
        f"it listens on {port}, not on the port it was given, {what.port}" in failed.value.message
    )
    assert "listening elsewhere" in failed.value.message


async def test_a_refused_instance_fails_the_start_and_no_other_is_left_running_unwatched(
    run: Run, tmp_path: Path
) -> None:
    runtime = FailingProcesses(refused=("bad",), pause=timedelta(milliseconds=200))
    prints = (blueprint(tmp_path, name="bad"), blueprint(tmp_path, name="good"))
    running = run(*prints, runtime=runtime)

    with pytest.raises(PlatformError, match="bad is refused"):
        await running.begin()
    await running.end()

    assert runtime.started == ["good"]
    assert await runtime.strays(prints[0].spec.home_label, frozenset()) == []


async def test_a_start_that_is_cancelled_leaves_nothing(run: Run, tmp_path: Path) -> None:
    runtime = FailingProcesses(pause=timedelta(milliseconds=300))
    prints = tuple(blueprint(tmp_path, name=name) for name in "ab")
    running = run(*prints, runtime=runtime)
    beginning = asyncio.create_task(running.begin())
    await until(lambda: len(runtime.started) == 2, "both processes")

    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    await running.end()

    assert await runtime.strays(prints[0].spec.home_label, frozenset()) == []


async def test_a_resting_release_keeps_what_serves_and_wakes_its_workers(
    run: Run, tmp_path: Path
) -> None:
    running = run(
        blueprint(tmp_path, name="web"), blueprint(tmp_path, IDLE, name="work", serves=False)
    )
    web, worker = running.instances
    await running.begin()
    await running.until_healthy(None)
    before = web.pid

    await running.rest()
    assert (web.state, worker.state, worker.pid) == (State.HEALTHY, State.STOPPED, None)

    await running.wake()
    await running.until_healthy(None)
    assert web.pid == before
    assert worker.pid is not None


async def test_a_smoke_test_that_is_answered_badly_says_by_whom_and_how(
    run: Run, tmp_path: Path
) -> None:
    running = run(blueprint(tmp_path))
    await running.begin()
    await running.until_healthy(None)
    route = running.release.stacks.route
    good = msgspec.structs.replace(route, smoke=(Smoke("GET", "/version"),))
    stacks = msgspec.structs.replace(running.release.stacks, route=good)
    running.release = msgspec.structs.replace(running.release, stacks=stacks)
    await running.smoke()

    assert running.instances[0].pid is not None
    os.kill(running.instances[0].pid, signal.SIGKILL)
    with pytest.raises(DeployFailed, match=r"the smoke test failed at one: GET .*/version: "):
        await running.smoke()
