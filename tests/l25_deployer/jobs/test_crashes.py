"""Runs of jobs when the agent is killed: none is lost, and no attempt begins twice."""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.jobs.api import JobsApi, RunView
from drystone.l25_deployer.jobs.attempting import CUT_SHORT, ELSEWHERE
from l25_deployer.agents import agent_at, client_of, end_agent
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    end_all,
    folder_of,
    short_folder,
    until,
)

AT = {"environment": "dev", "service": "greeter"}
SCRIPT = """
import os, sys, time
with open(sys.argv[1], "a") as file:
    file.write("began\\n")
while len(sys.argv) > 2 and not os.path.exists(sys.argv[2]):
    time.sleep(0.02)
"""
MORE = "resources: {work: {type: batch-job, command: [python3, -S, work.py], protect: false}}\n"


async def ended(home: Path, run: str | None = None) -> RunView:
    """Wait for the end of a run, or of the only one."""
    async with connect(JobsApi, uds=Home(home).agent_socket) as api, asyncio.timeout(30):
        while True:
            with suppress(PlatformError):
                found = [r for r in await api.runs(ASKING, **AT) if run in {None, r.id}]
                if found and found[0].state in {"succeeded", "failed", "stopped"}:
                    return found[0]
            await asyncio.sleep(0.05)


async def test_a_run_goes_on_when_the_agent_is_killed_and_is_stopped_by_the_next() -> None:
    with short_folder() as folder:
        home, port, began = folder / "h", free_port(), folder / "began"
        with agent_at(home, port) as agent:
            async with client_of(home) as api:
                await deploy(
                    api, descriptor(more=MORE), folder_of(folder / "s", {"work.py": SCRIPT})
                )
            async with connect(JobsApi, uds=Home(home).agent_socket) as api:
                runs = [
                    await api.run(
                        ASKING, **AT, job="work", arguments=[str(began), str(folder / "go")]
                    )
                    for _ in range(2)
                ]
            await until(began.exists, "the first run")
            end_agent(agent, signal.SIGKILL)
        with agent_at(home, port) as agent:
            (folder / "go").touch()
            first, second = [await ended(home, run.id) for run in runs]
            assert [first.state, second.state] == ["succeeded", "succeeded"]
            assert len(first.attempts) == len(second.attempts) == 1
            assert began.read_text() == "began\n" * 2
            (folder / "go").unlink()
            async with connect(JobsApi, uds=Home(home).agent_socket) as api:
                third = await api.run(
                    ASKING, **AT, job="work", arguments=[str(began), str(folder / "go")]
                )
                await until(lambda: began.read_text() == "began\n" * 3, "the third run")
                await api.stop(ASKING, **AT, run=third.id, reason="enough")
            assert (await ended(home, third.id)).reason == "enough"


@pytest.mark.slow
async def test_an_attempt_of_which_only_a_copy_of_the_home_tells_does_not_begin_again() -> None:
    with short_folder() as folder:
        home, port, began = folder / "h", free_port(), folder / "began"
        with agent_at(home, port) as agent:
            async with client_of(home) as api:
                source = folder_of(folder / "s", {"work.py": SCRIPT})
                await deploy(api, descriptor(more=MORE), source)
            async with connect(JobsApi, uds=Home(home).agent_socket) as api:
                arguments = [str(began), str(folder / "go")]
                run = await api.run(ASKING, **AT, job="work", arguments=arguments)
                await until(began.exists, "the run")
            end_agent(agent)
        end_all(folder)
        shutil.rmtree(home / "instances")  # which no backup has
        with agent_at(home, port):
            found = await ended(home, run.id)
            assert (found.state, found.reason) == ("failed", ELSEWHERE)
            assert began.read_text() == "began\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "begins", "state"),
    [
        ("job.attempt.written", 1, "succeeded"),
        ("start.guard.launched", None, "failed"),
        ("start.process.found", None, "failed"),
        ("job.attempt.begun", 1, "succeeded"),
        ("job.attempt.over", 1, "succeeded"),
    ],
)
async def test_no_attempt_begins_twice_wherever_the_agent_dies(
    place: str, begins: int | None, state: str
) -> None:
    with short_folder() as folder:
        home, port, began = folder / "h", free_port(), folder / "began"
        with agent_at(home, port) as agent:
            async with client_of(home) as api:
                await deploy(
                    api, descriptor(more=MORE), folder_of(folder / "s", {"work.py": SCRIPT})
                )
            end_agent(agent)
        with agent_at(home, port, {"DRYSTONE_FAULT": f"{place}:kill"}) as agent:
            async with connect(JobsApi, uds=Home(home).agent_socket) as api:
                with suppress(PlatformError):
                    await api.run(ASKING, **AT, job="work", arguments=[str(began)])
            await until(lambda: agent.poll() is not None, f"death at {place}")
        with agent_at(home, port):
            run = await ended(home)
            assert (run.state, len(run.attempts)) == (state, 1)
            if begins is None:
                assert run.reason == CUT_SHORT
            lines = began.read_text().splitlines() if began.exists() else []
            assert len(lines) <= 1
            assert begins in {None, len(lines)}
