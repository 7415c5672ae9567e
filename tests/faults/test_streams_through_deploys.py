"""Requests of every kind that are under way while releases replace each other on a whole platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drystone.testing.load import Kind, Load, Report, StreamReport, Streams, run, run_streams
from drystone.testing.python_image import PYTHON
from drystone.testing.talker_folder import lay_out_talker
from journeys.place import Place, place, small_service

LIMIT = timedelta(minutes=10)

OVER_HTTP1 = {
    Kind.EVENTS: "/events?every=0.05",
    Kind.WEBSOCKET: "/socket",
    Kind.DOWNLOAD: "/download?bytes=1000000&seconds=1.5",
    Kind.UPLOAD: "/upload",
}
OVER_HTTP2 = {
    Kind.EVENTS: "/events?every=0.05",
    Kind.UNARY: "/talk.Talk/Wait",
    Kind.COUNT: "/talk.Talk/Count",
    Kind.ECHO: "/talk.Talk/Echo",
}
BY_PROTOCOL = {"http1": OVER_HTTP1, "http2": OVER_HTTP2}
ENDLESS = (Kind.EVENTS, Kind.WEBSOCKET, Kind.COUNT, Kind.ECHO)


@pytest.fixture
async def platform() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


def talker(folder: Path, name: str, *, protocol: str, drain: str = "10s") -> Path:
    """Write the talker as a service; its descriptor's path."""
    arguments = lay_out_talker(folder)
    by_grpc = {"grpc": True, "interval": "200ms", "grace": "30s", "healthy": 1}
    by_path = {"path": "/", "interval": "200ms", "grace": "30s", "healthy": 1}
    return small_service(
        folder,
        name,
        process={"command": [PYTHON, *arguments, "${port}"]},
        health=by_grpc if protocol == "http2" else by_path,
        proxy={"protocol": protocol},
        stop={"drain": drain, "grace": "5s"},
    )


def begun(
    platform: Place, name: str, kinds: dict[Kind, str], stop: asyncio.Event, **more: Any
) -> dict[Kind, asyncio.Task[StreamReport]]:
    """Begin streams of every kind, until told to stop."""
    return {
        kind: asyncio.create_task(
            run_streams(
                Streams(
                    url=platform.url(name, path),
                    kind=kind,
                    length=LIMIT,
                    patience=timedelta(seconds=30),
                    **{"rate": 4, "lasts": timedelta(seconds=1.5), **more},
                ),
                stop=stop,
            )
        )
        for kind, path in kinds.items()
    }


def requests(
    platform: Place, name: str, stop: asyncio.Event, protocol: Any
) -> asyncio.Task[Report]:
    """Send requests that take 1.5 s each, until told to stop."""
    load = Load(
        url=platform.url(name, "/wait?seconds=1.5"),
        rate=20,
        length=LIMIT,
        timeout=timedelta(seconds=30),
        protocol=protocol,
    )
    return asyncio.create_task(run(load, stop=stop))


@pytest.mark.parametrize(
    "deploys", [1, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
async def test_nothing_is_cut_by_deploys_while_it_ends_within_the_drain(
    platform: Place, tmp_path: Path, deploys: int
) -> None:
    async with asyncio.TaskGroup() as group:
        for protocol, kinds in BY_PROTOCOL.items():
            group.create_task(deploy_again(platform, tmp_path / protocol, protocol, kinds, deploys))


async def deploy_again(
    platform: Place, folder: Path, protocol: str, kinds: dict[Kind, str], deploys: int
) -> None:
    name = f"talk-{protocol}"
    descriptor = talker(folder, name, protocol=protocol)
    await platform.drystone.must("deploy", descriptor, "--version", "0")
    stop = asyncio.Event()
    streams = begun(platform, name, kinds, stop, protocol=protocol)
    long = [requests(platform, name, stop, over) for over in ("http1", "http2")]
    for number in range(1, deploys + 1):
        await platform.drystone.must("deploy", descriptor, "--version", str(number))
    stop.set()
    for streaming in streams.values():
        report = await streaming
        assert report.endings() == {}, report.text()
        assert len(report.versions()) >= 2, report.text()
    for asking in long:
        ordinary = await asking
        assert ordinary.failures() == {}, ordinary.text()
        assert len(ordinary.versions()) >= 2
    events = {event["event"] for event in await platform.history(name)}
    assert "cut" not in events


GOODBYES = {
    Kind.EVENTS: "the events ended",
    Kind.WEBSOCKET: "close 1001",
    Kind.COUNT: "grpc-status 14",
    Kind.ECHO: "grpc-status 14",
}


@pytest.mark.slow
async def test_what_outlives_the_drain_is_told_goodbye_and_counted_in_the_history(
    platform: Place, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        for protocol, kinds in BY_PROTOCOL.items():
            group.create_task(outlive(platform, tmp_path / protocol, protocol, kinds))


async def outlive(platform: Place, folder: Path, protocol: str, kinds: dict[Kind, str]) -> None:
    name = f"talk-{protocol}"
    descriptor = talker(folder, name, protocol=protocol, drain="2s")
    await platform.drystone.must("deploy", descriptor, "--version", "1")
    stop = asyncio.Event()
    endless = {kind: path for kind, path in kinds.items() if kind in ENDLESS}
    streams = begun(
        platform, name, endless, stop, protocol=protocol, lasts=timedelta(minutes=5), rate=5
    )
    short = requests(platform, name, stop, protocol)
    await asyncio.sleep(1)
    stop.set()
    ordinary = await short
    await platform.drystone.must("deploy", descriptor, "--version", "2")
    cut = 0
    for kind, streaming in streams.items():
        report = await streaming
        assert report.failed == (), report.text()
        assert {o.detail for o in report.cut} == {GOODBYES[kind]}, report.text()
        assert len(report.cut) == len(report.outcomes) >= 1
        cut += len(report.cut)
    assert ordinary.failures() == {}, ordinary.text()
    (said,) = [e["text"] for e in await platform.history(name) if e["event"] == "cut"]
    assert said.startswith(f"{cut} requests to release 1 were cut at the limit")
    assert (await platform.get(name)).headers["x-version"] == "2"
