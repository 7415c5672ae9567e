"""No more file descriptors: the agent refuses and lives, and its trouble is nobody else's."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.shell_guard import most_files
from drystone.l90_assembly.agent import LEAST_FILES
from drystone.testing.command_line import CommandLine, short_home
from journeys.place import Place, eventually, place, remove, small_service

pytestmark = pytest.mark.timeout(200)

LONG_ENOUGH_S = 4.0
"""Many times the interval of the probes, and twice the grace after which an ill instance is ended."""

HEALTH = {"path": "/healthcheck", "interval": "100ms", "grace": "1s", "unhealthy": 2}


@contextmanager
def no_more_descriptors(pid: int) -> Iterator[None]:
    """Let a process open nothing more; it keeps what it has open.

    The limit is that of a process which has used all its numbers: below it, each is taken.
    """
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_first_unused(pid), before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def _first_unused(pid: int) -> int:
    """Return the lowest number that no file of a process has, whatever it opens for a moment."""
    looks = []
    for _ in range(20):
        used = {int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir()}
        looks.append(next(number for number in range(len(used) + 1) if number not in used))
        time.sleep(0.01)
    return min(looks)


def cpu_ticks(pid: int) -> int:
    """Return the processor time that a process has used, in ticks of a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.slow
async def test_an_agent_without_descriptors_lives_and_ends_no_healthy_instance(
    tmp_path: Path,
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name, health=HEALTH)
        assert (await platform.deploy(descriptor)).code == 0
        (before,) = await platform.instances(name)
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        with no_more_descriptors(agent), socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(platform.home / "run/agent.sock"))
            ticks = cpu_ticks(agent)
            async with platform.traffic(name) as stopped:
                await asyncio.sleep(LONG_ENOUGH_S)
                assert (await stopped()).failures() == {}
            spent = (cpu_ticks(agent) - ticks) / os.sysconf("SC_CLK_TCK")
            assert spent < LONG_ENOUGH_S / 2, "who cannot accept must not spin"
        status = await eventually(lambda: _status(platform))
        assert status["agent_pid"] == agent
        (after,) = await platform.instances(name)
        assert (after["pid"], after["restarts"], after["state"]) == (before["pid"], 0, "healthy")
        assert (await platform.deploy(descriptor)).code == 0


async def _status(platform: Place) -> Any:
    said = await platform.drystone.run("status", "--json")
    return json.loads(said.out) if said.code == 0 else None


@pytest.mark.slow
async def test_clients_beyond_what_the_agent_can_bear_are_refused_and_it_goes_on(
    tmp_path: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", name))).code == 0
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        limits = resource.prlimit(agent, resource.RLIMIT_NOFILE)
        assert limits == (hard, hard), f"the agent makes use of all it may have, not of {soft}"
        most = min(hard // 4, 1000)
        clients = [await _client(platform) for _ in range(most + 50)]
        try:
            refused = sum([await _is_refused(client) for client in clients[most:]])
            assert refused == 50
            assert await platform.version(name) == "1"
        finally:
            for _, writer in clients:
                writer.close()
        status = await eventually(lambda: _status(platform))
        assert status["agent_pid"] == agent


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _client(platform: Place) -> Client:
    return await asyncio.open_unix_connection(str(platform.home / "run/agent.sock"))


async def _is_refused(client: Client) -> bool:
    try:
        async with asyncio.timeout(20):
            return await client[0].read(1) == b""
    except ConnectionError:
        return True


LEAKER = """\
import http.server, os, sys
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError as e:
    for _ in range(20):
        os.close(held.pop())
    print(f"{len(held)} open: {e.strerror}", flush=True)
http.server.HTTPServer(
    ("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler
).serve_forever()
"""


@pytest.mark.slow
async def test_an_instance_that_leaks_descriptors_meets_its_own_limit(tmp_path: Path) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        neighbour, leaker = platform.name(), platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", neighbour))).code == 0
        descriptor = small_service(
            tmp_path / "leaker", leaker, health={"path": "/", "interval": "200ms", "grace": "20s"}
        )
        (tmp_path / "leaker/server.py").write_text(LEAKER)
        assert (await platform.deploy(descriptor)).code == 0

        async def said() -> str:
            lines = (await platform.drystone.run("logs", leaker, "--env", "dev")).out
            return lines if "Too many open files" in lines else ""

        text = await eventually(said)
        count = int(text.partition(" open:")[0].split()[-1])
        assert count < most_files()
        assert await platform.version(neighbour) == "1"


async def _up_with(platform: Place, files: int) -> tuple[int, str]:
    """Bring a platform up whose processes may open so many files; exit code and complaint."""
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", 'ulimit -n "$0"; exec "$@"', str(files)),
        *(str(Path(sys.executable).with_name("drystone")), "up", "--detach"),
        *("--port", str(platform.port)),
        stdout=DEVNULL,
        stderr=PIPE,
        env={**os.environ, "DRYSTONE_HOME": str(platform.home), "DRYSTONE_RUNTIME": "processes"},
    )
    _, said = await process.communicate()
    return await process.wait(), said.decode()


@pytest.mark.slow
async def test_a_platform_that_may_open_too_few_files_says_so_and_with_just_enough_it_works(
    tmp_path: Path,
) -> None:
    platform = Place(CommandLine(short_home("few")), free_port())
    try:
        code, said = await _up_with(platform, LEAST_FILES - 1)
        assert code == 1
        assert f"may open {LEAST_FILES - 1} files here, and a platform needs at least" in said
        assert "LimitNOFILE" in said

        code, said = await _up_with(platform, LEAST_FILES)
        assert code == 0, said
        name = platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", name))).code == 0
        proxy = await _proxy(platform)
        # More clients than the edge has descriptors for: those that come too late are turned away.
        idle = [
            await asyncio.open_connection("127.0.0.1", platform.port) for _ in range(LEAST_FILES)
        ]
        try:
            refused = sum([await _is_refused(client) for client in idle[LEAST_FILES // 2 :]])
            assert refused == LEAST_FILES // 2
            reader, writer = idle[0]
            writer.write(f"GET / HTTP/1.1\r\nhost: {name}.dev.localhost\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        finally:
            for _, writer in idle:
                writer.close()
        await eventually(lambda: _answers(platform, name))
        assert await _proxy(platform) == proxy
    finally:
        await remove(platform)


async def _proxy(platform: Place) -> int:
    return (await platform.pids())["proxy"]


async def _answers(platform: Place, name: str) -> bool:
    with suppress(httpx2.TransportError):
        return await platform.version(name) == "1"
    return False


@pytest.mark.parametrize("many", [pytest.param(many, marks=pytest.mark.slow) for many in (40, 400)])
async def test_many_who_follow_a_log_all_get_its_lines_and_the_agent_goes_on(
    tmp_path: Path, many: int
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await platform.deploy(descriptor)).code == 0
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        before = len(list(Path(f"/proc/{agent}/fd").iterdir()))
        clients = [await _client(platform) for _ in range(many)]
        try:
            path = f"/v1/environments/dev/services/{name}/logs?follow=true&lines=0"
            for _, writer in clients:
                writer.write(f"GET {path} HTTP/1.1\r\nhost: agent\r\n\r\n".encode())
            for reader, _ in clients:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            (one,) = await platform.instances(name)
            log = platform.home / "instances" / one["id"] / "log"
            with log.open("a") as stream:
                stream.write("one line for everybody\n")
            for reader, _ in clients:
                assert b"one line for everybody" in await reader.readuntil(b"everybody")
            assert (await platform.deploy(descriptor, "--version", "2")).code == 0
        finally:
            for _, writer in clients:
                writer.close()

        async def are_gone() -> bool:
            return len(list(Path(f"/proc/{agent}/fd").iterdir())) < before + many // 4

        await eventually(are_gone)
        assert (await platform.drystone.ask("status"))["agent_pid"] == agent
