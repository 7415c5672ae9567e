"""What a way in costs at the edge beside the name that every service has: by itself, with networks, and with the guard."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.peers.proxies import cpu_seconds
from benchmarks.stand import table

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, EdgeWay, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.generation import generations
from drystone.testing.conformance.engines import short_home

CONNECTIONS, REQUESTS, ROUNDS = 8, 400, 5
TARGET = "/products/42/reviews?rating=4&sort=-created&q=hello+world&utm_source=newsletter"
LONG = TARGET + "&state=" + "af0ifjsldkj" * 100
CASES = (
    ("the name that every service has", "a.dev.localhost", TARGET),
    ("a way in", "plain.example.com", TARGET),
    ("a way in for some networks", "near.example.com", TARGET),
    ("a way in with the guard", "guarded.example.com", TARGET),
    ("the same, and 1.2 kB of query", "guarded.example.com", LONG),
    ("without the guard, and 1.2 kB of query", "plain.example.com", LONG),
)


async def edge_guard(count: int) -> str:
    """CPU of the proxy for a request, by what stands before a service."""
    found: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    with short_home() as home:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        port = free_port()
        ads = Ads(home / "xds.sock")
        log = home / "access.json"
        settings = ProxySettings(port=port, access_log=log, linger=timedelta(seconds=1))
        envoy = Envoy(home / "edge", ads=ads, settings=settings)
        try:
            await ads.start()
            service = _service(server.sockets[0].getsockname()[1])
            await envoy.publish(edge_snapshot([service], port=port, access_log=log))
            await envoy.start()
            for number in range(max(2, min(ROUNDS, count))):
                for name, host, target in CASES if number % 2 == 0 else CASES[::-1]:
                    found[name].append(await _cost(home, port, host, target))
        finally:
            await envoy.stop()
            await ads.stop()
            server.close()
    base = median(found[CASES[0][0]])
    rows = [
        [name, f"{median(costs):.0f} us", f"{median(costs) / base:.2f}"]
        for name, costs in found.items()
    ]
    title = f"CPU of the edge for one request over HTTP/1.1, median of rounds of {CONNECTIONS * REQUESTS}"
    return table(title, ["what stands before the service", "CPU", "ratio"], rows)


def _service(port: int) -> EdgeService:
    near = EdgeWay(hosts=("near.example.com",), allow=("127.0.0.0/8",), deny=("10.0.0.0/8",))
    return EdgeService(
        name="a.dev",
        hosts=("a.dev.localhost",),
        pools=(Pool("v", 1, (Endpoint(port),)),),
        ways=(
            EdgeWay(hosts=("plain.example.com",)),
            near,
            EdgeWay(hosts=("guarded.example.com",), guard="on"),
        ),
    )


async def _cost(home: Path, port: int, host: str, target: str) -> float:
    """Return microseconds of CPU for a request."""
    (generation,) = generations(home / "edge")
    process = generation.envoy()
    assert process is not None
    await _ask(port, host, target, 50)  # connections to the service are there
    before = cpu_seconds([process.pid])
    await asyncio.gather(*(_ask(port, host, target, REQUESTS) for _ in range(CONNECTIONS)))
    return (cpu_seconds([process.pid]) - before) / (CONNECTIONS * REQUESTS) * 1e6


async def _ask(port: int, host: str, target: str, times: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    for _ in range(times):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(2)
    writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
