"""Parts of a home on disks of their own: one that is full is named, and hurts nobody who does not need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.shortage import room_at
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, processes_of
from drystone.testing.conformance.engines import short_home
from faults.disks import MEBIBYTE, Ballast, small_disk
from journeys.place import Place, eventually, remove, small_service

pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def on_disks_of_their_own(
    parts: Sequence[str],
) -> AsyncIterator[Place]:
    """Bring a platform up some of whose folders are disks of their own."""
    with short_home() as home, ExitStack() as mounted:
        Home.create(home)
        for part in parts:
            mounted.enter_context(small_disk(home / part))
        platform = Place(CommandLine(home, {"DRYSTONE_RUNTIME": "processes"}), free_port())
        try:
            await platform.drystone.must("up", "--detach", "--port", str(platform.port))
            yield platform
        finally:
            with suppress(OSError):  # the mounted folders stay
                await remove(platform)
            assert not processes_of(home)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(["run"], marks=pytest.mark.slow),
        pytest.param(["engines", "artifacts", "instances", "services"], marks=pytest.mark.slow),
    ],
    ids=["run", "all"],
)
async def test_a_part_of_the_home_that_is_full_stops_deploys_and_nothing_that_serves(
    tmp_path: Path, parts: list[str]
) -> None:
    async with on_disks_of_their_own(parts) as where:
        name = where.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await where.deploy(descriptor)).code == 0
        before = await where.pids()
        for number, part in enumerate(parts, start=1):
            # What no record names does not stay among the artefacts; in one that is needed it does.
            folder = where.home / part
            disk = Ballast(next(folder.iterdir()) if part == "artifacts" else folder)
            async with where.traffic(name) as stopped:
                disk.fill()
                assert not room_at(where.home / part).bytes
                refused = await where.deploy(descriptor, "--version", f"{number}-refused")
                assert refused.code == 1
                assert f"(file system {where.home / part}) is full" in refused.err, refused.err
                assert "nothing has changed" in refused.err
                await eventually(partial(_tells, where, name, "disk full", number))
                # The access log lies in run/: the edge serves whether it can be written or not.
                report = await stopped()
            assert report.outcomes
            assert report.failures() == {}
            assert await where.pids() == before
            disk.free()
            await eventually(partial(_tells, where, name, "disk has room", number))
        assert (await where.deploy(descriptor, "--version", "2")).code == 0
        assert await where.version(name) == "2"


async def _tells(where: Place, service: str, event: str, times: int) -> bool:
    """Tell whether an event stands in the history of a service, as often as it should."""
    return [one["event"] for one in await where.history(service)].count(event) == times


FLOOD = """\
import http.server, os, sys, threading
def flood():
    while True:
        try:
            os.write(1, b"much ado about nothing " * 2000 + b"\\n")
        except OSError:
            pass
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/flood":
            threading.Thread(target=flood, daemon=True).start()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.send_header("x-version", os.environ["APP_VERSION"])
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.mark.slow
async def test_an_instance_that_floods_the_disk_of_the_logs_hurts_no_neighbour(
    tmp_path: Path,
) -> None:
    async with on_disks_of_their_own(["instances"]) as where:
        neighbour, noisy = where.name(), where.name()
        assert (await where.deploy(small_service(tmp_path / "app", neighbour))).code == 0
        descriptor = small_service(tmp_path / "noisy", noisy)
        (tmp_path / "noisy/server.py").write_text(FLOOD)
        assert (await where.deploy(descriptor)).code == 0
        before = await where.pids()
        async with where.traffic(neighbour) as stopped:
            assert (await where.get(noisy, "/flood")).status_code == 200

            async def is_full() -> bool:
                return room_at(where.home / "instances").is_full

            await eventually(is_full)
            assert (await where.get(noisy)).status_code == 200
            assert "much ado" in (await where.drystone.must("logs", noisy, "-n", "1")).out
            report = await stopped()
        assert report.failures() == {}
        assert await where.pids() == before
        await where.drystone.must("destroy", noisy, "--env", "dev", "--yes", noisy)

        async def has_room() -> bool:
            return not (await where.drystone.ask("status"))["problems"]

        await eventually(has_room)
        assert room_at(where.home / "instances").bytes > 40 * MEBIBYTE
