"""No more memory: who uses too much is ended, everybody can read why, and nobody else notices."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.testing.conformance.engines import short_home
from drystone.testing.python_image import CODE, PYTHON, python_image
from faults.groups import group_of
from journeys.place import Place, eventually, place, small_service

pytestmark = [
    pytest.mark.timeout(200),
    pytest.mark.skipif(
        "memory" not in Cgroups().enforced(), reason="no memory limit is enforced here"
    ),
]

EATER = """\
import http.server, os, sys
def eat():
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1024)) * 1024)
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/eat":
            eat()
        if self.path == "/child":
            child = os.fork()
            if child == 0:
                eat()
            os.waitpid(child, 0)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.send_header("x-version", os.environ["APP_VERSION"])
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def eater(folder: Path, name: str) -> Path:
    """Write a service that eats when it is asked to, and may have 64 MB."""
    descriptor = small_service(folder, name, size={"memory": "64Mi", "cpu": 1})
    (folder / "server.py").write_text(EATER)
    return descriptor


@pytest.mark.parametrize(
    "runtime", [pytest.param("processes", marks=pytest.mark.slow), "bubblewrap"]
)
async def test_an_instance_over_its_limit_is_ended_and_told_and_its_neighbour_notices_nothing(
    tmp_path: Path, runtime: str
) -> None:
    async with place({"DRYSTONE_RUNTIME": runtime}) as platform:
        neighbour, greedy = platform.name(), platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", neighbour))).code == 0
        assert (await platform.deploy(eater(tmp_path / "eater", greedy))).code == 0
        (before,) = await platform.instances(greedy)
        async with platform.traffic(neighbour) as stopped:
            # A part of it is killed: the rest goes on, and it is told all the same.
            assert (await platform.get(greedy, "/child")).status_code == 200
            told = await eventually(lambda: _event(platform, greedy, "memory"))
            assert "goes on after a part of it used more than its limit of" in told
            view = await platform.show(greedy)
            assert any("memory limit" in problem for problem in view["problems"]), view["problems"]
            (still,) = await platform.instances(greedy)
            assert (still["pid"], still["restarts"]) == (before["pid"], 0)

            # All of it is killed.
            assert (await platform.get(greedy, "/eat")).status_code >= 500
            after = await eventually(lambda: _restarted(platform, greedy, before["pid"]))
            assert (await stopped()).failures() == {}
        assert "used more than its limit of 64 MB" in after["last_exit"], after
        told = await eventually(lambda: _event(platform, greedy, "backing-off"))
        assert "used more than its limit of" in told
        assert await platform.version(greedy) == "1"


async def _event(platform: Place, service: str, kind: str) -> str:
    events = await platform.history(service)
    return next((event["text"] for event in events if event["event"] == kind), "")


async def _restarted(platform: Place, service: str, pid: int) -> Any:
    (now,) = await platform.instances(service)
    return now if now["state"] == "healthy" and now["pid"] not in {None, pid} else None


@pytest.mark.slow
async def test_a_container_over_its_limit_is_ended_and_told_and_its_neighbour_notices_nothing(
    tmp_path: Path,
) -> None:
    code = tmp_path / "eater.py"
    code.write_text(EATER)
    async with place() as platform:
        neighbour, greedy = platform.name(), platform.name()
        with python_image(code) as image:
            assert (await platform.deploy(small_service(tmp_path / "app", neighbour))).code == 0
            done = await platform.deploy(
                small_service(
                    tmp_path / "eater",
                    greedy,
                    process=None,
                    image=image,
                    command=[PYTHON, CODE, "${port}"],
                    size={"memory": "64Mi", "cpu": 1},
                )
            )
            assert done.code == 0, done.err
            (before,) = await platform.instances(greedy)
            async with platform.traffic(neighbour) as stopped:
                assert (await platform.get(greedy, "/eat")).status_code >= 500
                after = await eventually(lambda: _restarted(platform, greedy, before["pid"]))
                assert (await stopped()).failures() == {}
            assert "used more than its limit of 64 MB" in after["last_exit"], after
            await platform.drystone.must("destroy", greedy, "--env", "dev", "--yes", greedy)


@pytest.mark.slow
@pytest.mark.slow
async def test_an_agent_that_the_kernel_ends_for_want_of_memory_comes_back_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await platform.deploy(descriptor)).code == 0
        before = await platform.pids()
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        async with platform.traffic(name) as stopped:
            with group_of("memory", agent) as group:
                (group / "memory.limit_in_bytes").write_text("64K")

                async def is_another() -> bool:
                    said = await platform.drystone.run("status", "--json")
                    return said.code == 0 and json.loads(said.out)["agent_pid"] != agent

                await eventually(is_another)
                assert "oom_kill 1" in (group / "memory.oom_control").read_text().splitlines()
            assert (await stopped()).failures() == {}
        assert await platform.pids() == before
        assert "ended (signal 9)" in (platform.home / "run/keeper.log").read_text()
        assert (await platform.deploy(descriptor, "--version", "2")).code == 0


async def test_the_kernel_takes_instances_before_engines_and_these_before_the_agent_and_its_keeper(
    tmp_path: Path,
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", name))).code == 0
        status = await platform.drystone.ask("status")
        (instance,) = await platform.instances(name)
        engines = [engine["pid"] for engine in status["engines"] if engine["pid"]]
        keeper = int((platform.home / "run/keeper.lock").read_text())

        def score(pid: int) -> int:
            return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

        of_engines = sorted(map(score, engines))
        assert len(of_engines) >= 3
        assert score(keeper) < score(status["agent_pid"]) < of_engines[0]
        assert of_engines[-1] < score(instance["pid"])


async def test_a_statement_that_wants_too_much_memory_fails_alone_and_the_death_of_a_backend_costs_nothing() -> (
    None
):
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            url = server.admin().url()
            with (
                psycopg.connect(url, autocommit=True) as session,
                psycopg.connect(url, autocommit=True) as other,
            ):
                session.execute("CREATE TABLE kept AS SELECT 1 AS one")
                with pytest.raises(psycopg.errors.OutOfMemory):
                    session.execute("SELECT length(repeat('x', 700000000))")
                # Neither its own session nor another one noticed.
                assert session.execute("SELECT one FROM kept").fetchall() == [(1,)]
                assert other.execute("SELECT one FROM kept").fetchall() == [(1,)]

                # What the kernel does to a backend when the machine has no memory left.
                main = server.status().pid
                os.kill(session.info.backend_pid, signal.SIGKILL)
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")

            async def answers() -> bool:
                with suppress(psycopg.OperationalError), psycopg.connect(url) as again:
                    return again.execute("SELECT one FROM kept").fetchall() == [(1,)]
                return False

            await eventually(answers)
            assert server.status().pid == main
        finally:
            await server.stop()
