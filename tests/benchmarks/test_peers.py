"""The comparison with other programs runs where they are installed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from benchmarks.peers import changes, first_response, programs, switch
from benchmarks.peers.proxies import PROXIES, Nginx, Proxy, cpu_seconds
from benchmarks.peers.stage import Stage, stage, until_answered
from benchmarks.stand import first_answer

from benchmarks import edge, recovery
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import short_home

ROOT = Path(__file__).parents[2]


def on_a_stage(place: Path) -> list[int]:
    """Every process that works in the folder of a stage below this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(entry, "cwd").readlink().is_relative_to(place):
                found.append(int(entry.name))
    return found


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where stages are set up, by this process and by those it starts; nothing may remain there."""
    place = short_home("peers")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert on_a_stage(place) == []
    place.rmdir()


def require(*names: str) -> None:
    if lacking := programs.missing(names):
        pytest.skip(lacking)


@pytest.mark.parametrize("kind", PROXIES, ids=lambda kind: kind.name)
@pytest.mark.usefixtures("place")
async def test_a_proxy_sends_requests_where_it_is_told(kind: type[Proxy]) -> None:
    require(*kind.needs)
    async with stage() as on:
        proxy = kind(on, access_log=True)
        try:
            old, new = free_port(), free_port()
            await on.serve("old", old)
            await on.serve("new", new)
            await proxy.start(old)
            await proxy.switch(new)
            async with asyncio.timeout(20):
                await first_answer(proxy.port, version="new")
            assert cpu_seconds(proxy.pids()) >= 0
            assert proxy.pids()
        finally:
            await proxy.stop()


@pytest.mark.parametrize("name", ["script", "gunicorn"])
@pytest.mark.usefixtures("place")
async def test_a_way_puts_the_next_version_in_place(name: str) -> None:
    if lacking := changes.lacking(name):
        pytest.skip(lacking)
    _, took = await first_response._measure(name, "", 1)
    assert len(took) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("place")
async def test_failed_requests_are_counted_while_a_service_is_away() -> None:
    require("supervisord")
    found = switch.Measured("supervisor")
    async with changes.change("supervisor", "") as way:
        await switch._round(way, found, count=1, slow=False)
    (report,) = found.reports
    assert report.failed  # it stops the old version before it starts the new one
    assert len(found.switches) == 1


@pytest.mark.usefixtures("place")
async def test_a_killed_instance_is_found_again() -> None:
    require("gunicorn")
    async with recovery._kept("gunicorn workers", 2, "") as kept:
        (death,) = await recovery._deaths(kept, 1)
    assert death.seconds >= 0


@pytest.mark.usefixtures("place")
async def test_the_cost_of_a_request_is_measured() -> None:
    require("nginx", "wrk")
    cost = edge.Cost()
    async with stage() as on:
        proxy = Nginx(on)
        await proxy.start(await edge.upstream(on))
        await edge.measure(proxy, cost, timedelta(seconds=1))
    assert cost.rates[0] > 0
    assert cost.failed == 0


async def test_an_interrupted_comparison_leaves_nothing_behind(place: Path) -> None:
    require("nginx", "wrk")
    command = [sys.executable, "-m", "benchmarks", "--only", "peers-edge", "--count", "1"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while len(on_a_stage(place)) < 3:  # noqa: ASYNC110 - other processes end it
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.usefixtures("place")
async def test_what_is_started_ends_with_the_stage_even_if_it_fails() -> None:
    port = free_port()
    with pytest.raises(ZeroDivisionError):
        await _fail(port)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await until_answered(port)


async def _fail(port: int) -> None:
    async with stage() as on:
        assert isinstance(on, Stage)
        await on.serve("v0", port)
        raise ZeroDivisionError


def test_a_program_that_is_not_there_is_named() -> None:
    assert programs.missing(("sh", "no-such-program")) == "not installed: no-such-program"
    with pytest.raises(FileNotFoundError, match=r"benchmarks\.peers\.install"):
        programs.need("no-such-program")
