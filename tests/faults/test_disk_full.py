"""A full disk: what serves goes on, what changes is refused or undone, and says which disk it was."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from drystone.l00_kernel.shortage import room_at
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, processes_of, short_home
from faults.disks import Ballast, small_disk
from journeys.place import Place, eventually, remove, small_service

pytestmark = pytest.mark.timeout(300)

TALKER = """\
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path != "/healthcheck":
            print("asked for", self.path, "and says much about it " * 20, flush=True)
        body = os.environ["APP_VERSION"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-version", os.environ["APP_VERSION"])
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
"""Writes half a kilobyte for every request, and fails the request when it cannot."""


@asynccontextmanager
async def on_a_small_disk(below: str = "", **disk: Any) -> AsyncIterator[tuple[Place, Ballast]]:
    """Bring a platform up whose home, or a folder of it, is a disk of its own."""
    home = short_home("dsk")
    place = home / below
    place.mkdir(parents=True, exist_ok=True)
    platform = Place(CommandLine(home, {"DRYSTONE_RUNTIME": "processes"}), free_port())
    try:
        with small_disk(place, **disk):
            ballast = Ballast(place)
            try:
                await platform.drystone.must("up", "--detach", "--port", str(platform.port))
                yield platform, ballast
            finally:
                ballast.free()
                # The folder on which the disk is mounted stays until it no longer is.
                with suppress(OSError):
                    await remove(platform)
                assert not processes_of(home)
    finally:
        shutil.rmtree(home)


async def releases(platform: Place, service: str) -> list[str]:
    """Return the states of a service's releases, newest first."""
    return [release["state"] for release in (await platform.show(service))["releases"]]


def talker(folder: Path, name: str, **changes: Any) -> Path:
    """Write a service that cannot do without its standard output."""
    descriptor = small_service(folder, name, **changes)
    (folder / "server.py").write_text(TALKER)
    return descriptor


async def test_what_serves_goes_on_and_what_changes_is_refused_until_there_is_room(
    tmp_path: Path,
) -> None:
    async with on_a_small_disk() as (platform, ballast):
        name = platform.name()
        first = talker(tmp_path / "app", name)
        assert (await platform.deploy(first, "--version", "1")).code == 0
        await _kept_room(platform)
        agent = (await platform.drystone.ask("status"))["agent_pid"]
        async with platform.traffic(name) as stopped:
            ballast.fill()

            refused = await platform.deploy(first, "--version", "2")
            assert refused.code == 1
            assert f"(file system {platform.home}) is full" in refused.err, refused.err
            assert "free space there" in refused.err
            status = await platform.drystone.ask("status")
            assert any("is full" in problem for problem in status["problems"])
            assert status["agent_pid"] == agent, "the agent must live through it"
            assert await platform.version(name) == "1"
            assert await releases(platform, name) == ["active"], "a refused deploy leaves nothing"

            # An instance that ends is started again, disk or no disk, and its end is known.
            (one,) = await platform.instances(name)
            ballast.fill()
            report = await stopped()
        assert report.outcomes
        assert report.failures() == {}
        os.kill(one["pid"], signal.SIGKILL)

        async def again() -> bool:
            (now,) = await platform.instances(name)
            return bool(now["state"] == "healthy" and now["pid"] != one["pid"])

        await eventually(again)
        (now,) = await platform.instances(name)
        assert "SIGKILL" in now["last_exit"], now

        ballast.free()
        done = await platform.deploy(first, "--version", "2")
        assert done.code == 0, done.err
        assert await platform.version(name) == "2"
        problems = (await platform.drystone.ask("status"))["problems"]
        assert problems == []


async def _kept_room(platform: Place) -> None:
    """Wait until the log of each instance has room of its own."""

    async def reserved() -> bool:
        logs = list((platform.home / "instances").glob("*/log"))
        return bool(logs) and all(log.stat().st_blocks * 512 >= 128 * 1024 for log in logs)

    await eventually(reserved)


FILLS_UP = """\
import sys
with open(sys.argv[1], "ab", buffering=0) as ballast:
    while ballast.write(bytes(65536)):
        pass
"""


async def test_a_build_that_fills_the_disk_is_undone_and_leaves_nothing(tmp_path: Path) -> None:
    async with on_a_small_disk() as (platform, _ballast):
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await platform.deploy(descriptor, "--version", "1")).code == 0
        before = sorted(path.name for path in (platform.home / "artifacts").iterdir())
        (tmp_path / "app/fill.py").write_text(FILLS_UP)
        process = yaml.safe_load(descriptor.read_text())["process"]
        filling = {**process, "setup": ["python3", "fill.py", "ballast"]}
        async with platform.traffic(name) as stopped:
            failed = await platform.deploy(
                small_service(tmp_path / "app", name, process=filling), "--version", "2"
            )
            report = await stopped()
        assert failed.code == 1, failed.out
        assert f"(file system {platform.home}) is full" in failed.err, failed.err
        assert "release 1 (version 1) serves as before" in failed.err
        assert report.failures() == {}
        await _only_the_first_is_left(platform, name)
        assert sorted(path.name for path in (platform.home / "artifacts").iterdir()) == before


@pytest.mark.slow
async def test_a_disk_that_fills_up_between_two_steps_undoes_the_deploy_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    async with on_a_small_disk() as (platform, ballast):
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await platform.deploy(descriptor, "--version", "1")).code == 0
        migrated = tmp_path / "migrated"
        waiting = f"touch {migrated}; while [ -e {migrated} ]; do sleep 0.05; done"
        slow = {"keep_warm": "0s", "migrate": ["sh", "-c", waiting]}
        descriptor = small_service(tmp_path / "app", name, deploy=slow)
        async with platform.traffic(name) as stopped:
            deploying = asyncio.create_task(platform.deploy(descriptor, "--version", "2"))
            await eventually(_becomes(migrated.exists))
            full = asyncio.create_task(ballast.keep_full())
            try:
                await eventually(_becomes(lambda: room_at(platform.home).bytes == 0))
                # What the reserve holds is used up as well: the hardest case.
                shutil.rmtree(platform.home / "services/.reserve")
                migrated.unlink()
                failed = await deploying
                view = await platform.show(name)
            finally:
                full.cancel()
            report = await stopped()
        assert failed.code == 1, failed.out
        assert f"(file system {platform.home}) is full" in failed.err, failed.err
        assert "release 1 (version 1) serves as before" in failed.err
        assert report.failures() == {}
        assert view["summary"]["state"] == "serving"

        ballast.free()
        await eventually(lambda: _has_no_problem(platform, name))
        await _only_the_first_is_left(platform, name)
        done = await platform.deploy(small_service(tmp_path / "app", name), "--version", "3")
        assert done.code == 0, done.err
        assert await platform.version(name) == "3"
        events = [event["event"] for event in await platform.history(name)]
        assert events.count("deploy failed") == 1, events


def _becomes(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return holds()

    return look


async def _has_no_problem(platform: Place, name: str) -> bool:
    return not (await platform.show(name))["problems"]


async def _only_the_first_is_left(platform: Place, name: str) -> None:
    """Make sure that of the second release nothing is left but its record."""
    view = await platform.show(name)
    assert view["operation"] is None
    assert [one["release"] for one in view["instances"]] == [1]
    assert await releases(platform, name) == ["failed", "active"]
    written = json.loads((platform.home / f"services/dev/{name}/service.json").read_text())
    assert (written["active"], written["operation"]) == (1, None)


@pytest.mark.slow
async def test_no_more_files_is_as_full_as_no_more_bytes_and_an_old_release_still_comes_back(
    tmp_path: Path,
) -> None:
    async with on_a_small_disk(files=1500) as (platform, ballast):
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name, deploy={"keep_warm": "1h"})
        for version in ("1", "2"):
            assert (await platform.deploy(descriptor, "--version", version)).code == 0

        async def has_reserve() -> bool:
            return len(list((platform.home / "services/.reserve").glob("*"))) == 16

        await eventually(has_reserve)
        ballast.fill()
        ballast.take_all_files()
        refused = await platform.deploy(descriptor, "--version", "3")
        assert refused.code == 1
        assert "is full" in refused.err

        back = await platform.drystone.run("rollback", name, "--env", "dev")
        assert back.code == 0, back.err
        assert await platform.version(name) == "1"
        ballast.take_all_files()
        gone = await platform.drystone.run("destroy", name, "--env", "dev", "--yes", name)
        assert gone.code == 0, gone.err


@pytest.mark.slow
async def test_a_platform_comes_up_and_goes_down_on_a_full_disk(tmp_path: Path) -> None:
    async with on_a_small_disk() as (platform, ballast):
        name = platform.name()
        descriptor = small_service(tmp_path / "app", name)
        assert (await platform.deploy(descriptor, "--version", "1")).code == 0
        ballast.fill()
        os.kill((await platform.drystone.ask("status"))["agent_pid"], signal.SIGKILL)

        async def adopted() -> bool:
            said = await platform.drystone.run("status", "--json")
            return said.code == 0

        await eventually(adopted)
        assert await platform.version(name) == "1"
        down = await platform.drystone.run("down")
        assert down.code == 0, down.err
        ballast.fill()
        up = await platform.drystone.run("up", "--detach")
        if up.code == 0:
            assert await platform.version(name) == "1"
        else:
            assert "is full" in up.err, up.err
        ballast.free()

        async def serves() -> bool:
            await platform.drystone.run("up", "--detach")
            return (await platform.get(name)).status_code == 200

        await eventually(serves)
