"""Deploys while requests of one kind after the other are under way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.stand import Stand, stand, table

from drystone.testing.load import Kind, Load, Report, StreamReport, Streams, run, run_streams
from drystone.testing.python_image import PYTHON
from drystone.testing.talker_folder import lay_out_talker

RATE = 200
LONG_RATE = 20
STREAM_RATE = 5
LIVES = timedelta(seconds=3)
DRAIN = "10s"
LIMIT = timedelta(minutes=20)

Protocol = Literal["http1", "http2"]
Began = Callable[[Stand, asyncio.Event], Coroutine[Any, Any, Report | StreamReport]]


def _requests(protocol: Protocol) -> Began:
    async def begin(one: Stand, stop: asyncio.Event) -> Report:
        url = f"{one.url}wait?seconds=1.5"
        load = Load(url=url, rate=LONG_RATE, length=LIMIT, protocol=protocol)
        return await run(load, stop=stop)

    return begin


def _streams(kind: Kind, path: str, protocol: Protocol = "http1") -> Began:
    async def begin(one: Stand, stop: asyncio.Event) -> StreamReport:
        streams = Streams(
            url=one.url + path,
            kind=kind,
            rate=STREAM_RATE,
            length=LIMIT,
            lasts=LIVES,
            protocol=protocol,
        )
        return await run_streams(streams, stop=stop)

    return begin


# What the service speaks, and what is under way.
CASES: dict[str, tuple[Protocol, Began]] = {
    "requests of 1.5 s": ("http1", _requests("http1")),
    "requests of 1.5 s side by side, HTTP/2": ("http1", _requests("http2")),
    "WebSockets of 3 s": ("http1", _streams(Kind.WEBSOCKET, "socket")),
    "server-sent events for 3 s": ("http1", _streams(Kind.EVENTS, "events?every=0.05")),
    "downloads of 1 MB in 3 s": (
        "http1",
        _streams(Kind.DOWNLOAD, "download?bytes=1000000&seconds=3"),
    ),
    "uploads of 1 MB in 3 s": ("http1", _streams(Kind.UPLOAD, "upload")),
    "gRPC, unary, 3 s": ("http2", _streams(Kind.UNARY, "talk.Talk/Wait")),
    "gRPC, server streaming for 3 s": ("http2", _streams(Kind.COUNT, "talk.Talk/Count")),
    "gRPC, both directions for 3 s": ("http2", _streams(Kind.ECHO, "talk.Talk/Echo")),
}


async def deploys_in_flight(count: int) -> str:
    """Deploys, twice as many as other benchmarks run, with every kind of request under way."""
    rows = [
        await _case(name, protocol, begin, 2 * count) for name, (protocol, begin) in CASES.items()
    ]
    return table(
        f"{2 * count} deploys at {RATE} requests/s, half over new connections, and beside them",
        [
            "kind",
            "number",
            "failed",
            "cut before the drain limit",
            "short ones failed",
            "slowest of these",
            "switch",
        ],
        rows,
    )


async def _case(name: str, protocol: Protocol, begin: Began, deploys: int) -> list[Any]:
    async with stand() as one:
        descriptor = _descriptor(one, protocol)
        await one.deploy(descriptor, "first")
        one.steps.clear()
        enough = asyncio.Event()
        short = asyncio.create_task(run(Load(url=one.url, rate=RATE, length=LIMIT), stop=enough))
        long = asyncio.create_task(begin(one, enough))
        for number in range(deploys):
            await one.deploy(descriptor, f"v{number}")
        enough.set()
        ordinary, report = await short, await long
    cut = len(report.cut) if isinstance(report, StreamReport) else 0
    slowest = (ordinary.latency(1) or timedelta()) / timedelta(milliseconds=1)
    switch = median(one.steps["switch"]) * 1000
    return [
        name,
        len(report.outcomes),
        len(report.failed),
        cut,
        f"{len(ordinary.failed)} of {len(ordinary.outcomes)}",
        f"{slowest:.0f} ms",
        f"{switch:.0f} ms",
    ]


def _descriptor(one: Stand, protocol: Protocol) -> Path:
    """Write the talker's descriptor in place of the trivial service's."""
    path = one.descriptor()
    described = json.loads(path.read_text())
    command = [PYTHON, *lay_out_talker(path.parent), "${port}"]
    described |= {
        "process": {"command": command},
        "proxy": {"protocol": protocol},
        "stop": {"drain": DRAIN, "grace": "2s"},
        "health": {"path": "/"} if protocol == "http1" else {"grpc": True},
    }
    path.write_text(json.dumps(described))
    return path
