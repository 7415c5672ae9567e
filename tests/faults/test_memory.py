"""No more memory: who uses too much is ended, everybody can read why, and nobody else notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drystone.l10_engines.runtimes.cgroups import Cgroups
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


@pytest.mark.parametrize("runtime", ["processes", "bubblewrap"])
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
    return now if now["state"] == "healthy" and now["pid"] != pid else None


async def test_the_kernel_takes_instances_before_engines_and_these_before_the_agent_and_its_keeper(
    tmp_path: Path,
) -> None:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        name = platform.name()
        assert (await platform.deploy(small_service(tmp_path / "app", name))).code == 0
        status = await platform.drystone.ask("status")
        (instance,) = await platform.instances(name)
        (proxy,) = [engine["pid"] for engine in status["engines"] if engine["pid"]]
        keeper = int((platform.home / "run/keeper.lock").read_text())
        order = [keeper, status["agent_pid"], proxy, instance["pid"]]
        scores = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in order]
        assert scores == sorted(set(scores)), scores
