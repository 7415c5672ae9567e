"""One agent for a home, which may die and come back while everything goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi, StartupStep
from l25_deployer.agents import agent_at, client_of, end_agent, start_agent
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    folder_of,
    left_in,
    short_folder,
    until,
)

HOST = "greeter.dev.localhost"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        folder_of(path / "source")
        yield path


async def pids(api: DeployerApi) -> dict[str, int | None]:
    """Return the processes of engines and instances."""
    status = await api.status(ASKING)
    found: dict[str, int | None] = {e.name: e.pid for e in status.engines if e.pid}
    for summary in status.services:
        view = await api.show(ASKING, environment="dev", service=summary.service)
        found |= {one.id: one.pid for one in view.instances}
    return found


async def up(api: DeployerApi) -> list[StartupStep]:
    return [step async for step in api.startup(ASKING)]


def log_of(folder: Path) -> str:
    return (folder / "agent.log").read_text()


def test_a_second_agent_is_refused_and_told_by_whom(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as first:
        second = start_agent(home, port)

        assert second.wait(20) == 3
        assert first.poll() is None

    assert f"another agent (process {first.pid}) looks after {home}" in log_of(folder)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda home: (home / "thesis.doc").write_text("mine"), "is not a platform's home"),
        (lambda home: (home / "settings.toml").write_text("prot = 1"), "prot"),
    ],
    ids=["foreign folder", "settings with a mistake"],
)
def test_an_agent_that_can_never_start_says_why_and_is_not_tried_again(
    folder: Path, prepare: object, said: str
) -> None:
    home = folder / "h"
    home.mkdir()
    assert callable(prepare)
    prepare(home)

    assert start_agent(home, free_port()).wait(20) == 3

    assert said in log_of(folder)
    assert "Traceback" not in log_of(folder)


def test_nobody_else_may_reach_the_agent_or_look_into_its_home(folder: Path) -> None:
    home = folder / "h"
    with agent_at(home, free_port()):
        modes = {
            path.relative_to(home).as_posix(): stat.S_IMODE(path.stat().st_mode)
            for path in [home, *home.iterdir(), Home(home).agent_socket]
        }

    passable = 0o711 if os.geteuid() == 0 else 0o700
    assert modes["."] == modes["engines"] == passable
    assert modes["run/agent.sock"] == 0o600
    for name in ("run", "services", "instances", "artifacts", "volumes", "secrets"):
        assert modes[name] == 0o700, name


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGINT)),
    ],
)
async def test_whatever_ends_an_agent_requests_are_answered_and_the_next_one_adopts(
    folder: Path, number: signal.Signals
) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as first:
        async with client_of(home) as api:
            await up(api)
            await deploy(api, descriptor(more="scale: 2"), folder / "source")
            before = await pids(api)
        code = end_agent(first, number)
    assert code == (-9 if number is signal.SIGKILL else 0)
    for _ in range(4):
        assert (await ask(port, HOST)).startswith("200 hello")

    with agent_at(home, port):
        async with client_of(home) as api:
            steps = await up(api)
            after = await pids(api)
            assert (await ask(port, HOST)).startswith("200 hello")

    assert after == before
    assert set(after) >= {"proxy", "keys", "keys-copy"}
    assert len(after) == 5
    assert {step.name: step.state for step in steps}["greeter.dev"] == "adopted"
    assert {step.name: step.state for step in steps}["proxy"] == "adopted"


async def test_what_died_meanwhile_is_started_by_the_next_agent(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as first:
        async with client_of(home) as api:
            await deploy(api, descriptor(), folder / "source")
            before = await pids(api)
        end_agent(first, signal.SIGKILL)
    instance = before["greeter-dev-r1-web-0"]
    assert instance is not None
    os.kill(instance, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{instance}/exe").exists(), "its end")

    with agent_at(home, port):
        async with client_of(home) as api:
            await up(api)
            after = await pids(api)
            assert (await ask(port, HOST)).startswith(
                f"200 hello from {after['greeter-dev-r1-web-0']}"
            )

    assert after["proxy"] == before["proxy"]
    assert after["greeter-dev-r1-web-0"] not in {None, instance}


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
async def test_a_deploy_that_its_agent_did_not_survive_is_undone(
    folder: Path, number: signal.Signals
) -> None:
    home, port = folder / "h", free_port()
    idle = folder_of(folder / "idle", {"server.py": "import time\ntime.sleep(3600)"})
    with agent_at(home, port) as first:
        async with client_of(home) as api:
            await deploy(api, descriptor(), folder / "source")
            deploying = asyncio.create_task(deploy(api, descriptor(), idle))
            await until((home / "instances/greeter-dev-r2-web-0").exists, "it")
            await asyncio.to_thread(end_agent, first, number)
            with pytest.raises(Exception):  # noqa: B017, PT011 - the connection broke, or it was aborted
                await deploying
    assert (await ask(port, HOST)).startswith("200 hello")

    with agent_at(home, port):
        async with client_of(home) as api:
            await up(api)
            view = await api.show(ASKING, environment="dev", service="greeter")
            assert (await ask(port, HOST)).endswith("release 1")

    assert [one.id for one in view.instances] == ["greeter-dev-r1-web-0"]
    assert view.operation is None
    assert not [pid for pid in left_in(home) if b"greeter-dev-r2" in environ(pid)]


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_stop_ends_everything_and_keeps_what_is_needed_to_come_back(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as first:
        async with client_of(home) as api:
            await deploy(api, descriptor(), folder / "source")
            steps = [step async for step in api.stop(ASKING)]
        assert first.wait(20) == 0
    assert left_in(home) == []
    assert not any(step.state == "failed" for step in steps)
    stopped = [s.name for s in steps if s.text == "stopped"]
    assert stopped[0] == "greeter.dev"
    none_needs_another = {"console", "dependencies", "mesh", "migration", "signin"}
    assert set(stopped[1:-3]) == none_needs_another
    assert stopped[-3] == "deployer"
    assert set(stopped[-2:]) == {"keys", "proxy"}

    with agent_at(home, port):
        async with client_of(home) as api:
            await up(api)
            assert (await ask(port, HOST)).startswith("200 hello")


async def test_one_damaged_service_keeps_no_other_down_and_is_left_alone(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as first:
        async with client_of(home) as api:
            await deploy(api, descriptor("greeter"), folder / "source")
            await deploy(api, descriptor("harmed"), folder / "source")
            before = await pids(api)
        end_agent(first, signal.SIGKILL)
    record = home / "services/dev/harmed/service.json"
    record.write_text("{")

    with agent_at(home, port):
        async with client_of(home) as api:
            await up(api)
            status = await api.status(ASKING)
            assert (await ask(port, HOST)).startswith("200 hello")
            assert any("harmed/service.json cannot be read" in text for text in status.problems)
            with pytest.raises(Exception, match="cannot be read"):
                await deploy(api, descriptor("harmed"), folder / "source")
            await deploy(api, descriptor("greeter"), folder / "source")

    assert record.read_text() == "{"
    harmed = before["harmed-dev-r1-web-0"]
    assert harmed in left_in(home), "what runs of it goes on"


def test_the_help_needs_no_home() -> None:
    from l25_deployer.agents import AGENT  # noqa: PLC0415

    done = subprocess.run([*AGENT[:-1], "--help"], capture_output=True, text=True, check=True)

    assert "--home" in done.stdout
