"""What the mesh costs a request, beside a splice of bytes in the same Envoy and beside other proxies.

Rounds of all are interleaved. The first row, an Envoy that passes bytes on without looking at them, is what no proxy of its
kind can be below, and the others are told as multiples of it: that ratio survives a busy machine.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from benchmarks.edge import CONNECTIONS, upstream, wrk
from benchmarks.mesh_rig import SPLICE, Measured
from benchmarks.peers.programs import missing
from benchmarks.peers.proxies import (
    Caddy,
    Haproxy,
    Nginx,
    OneRoute,
    PythonProxy,
    Traefik,
    cpu_seconds,
)
from benchmarks.peers.stage import stage
from benchmarks.stand import table

ROUNDS = 5
LENGTH = timedelta(seconds=2)
PEERS: tuple[type[OneRoute], ...] = (Nginx, Haproxy, Traefik, Caddy, PythonProxy)


class Costs(msgspec.Struct):
    """What was measured of one way, a number per round."""

    cpu_us: list[float] = []
    rates: list[float] = []
    alone_ms: list[float] = []
    failed: int = 0


async def mesh(count: int) -> str:
    """Measure the processor time of a request on each way, and of other proxies on the plain one."""
    if why := missing(("nginx", "wrk")):
        return f"The mesh: not measured, {why}\n"
    rounds = max(1, min(ROUNDS, count))
    found: dict[str, Costs] = {}
    async with stage() as on:
        port = await upstream(on)
        measured = Measured(on.folder, port)
        peers = [kind(on) for kind in PEERS if not missing(kind.needs)]
        try:
            await measured.start()
            for peer in peers:
                await peer.start(port)
            for _ in range(rounds):
                for way, at in measured.ports.items():
                    costs = found.setdefault(way, Costs())
                    await _measure(at, measured.pids(), costs, *measured.headers(way))
                for peer in peers:
                    costs = found.setdefault(peer.name, Costs())
                    await _measure(peer.port, peer.pids(), costs)
        finally:
            for peer in peers:
                await peer.stop()
            await measured.stop()
    floor = min(found[SPLICE].cpu_us)
    absent = [[kind.name, why, "", "", "", ""] for kind in PEERS if (why := missing(kind.needs))]
    rows = [
        [
            name,
            f"{min(costs.cpu_us):.0f} µs",
            f"{min(costs.cpu_us) / floor:.1f}",
            f"{max(costs.rates):.0f}",
            f"{min(costs.alone_ms):.2f} ms",
            str(costs.failed),
        ]
        for name, costs in found.items()
    ]
    columns = [
        "way",
        "CPU of a request",
        "times the first",
        f"requests/s, {CONNECTIONS} connections",
        "a request alone",
        "failed",
    ]
    return table(
        f"The mesh, best of {rounds} rounds, 1 kB from an nginx", columns, [*rows, *absent]
    )


async def _measure(port: int, pids: list[int], costs: Costs, *headers: str) -> None:
    url = f"http://127.0.0.1:{port}/"
    rate, _, requests, failed = await wrk(url, timedelta(seconds=1), *headers, connections=1)
    costs.alone_ms.append(1000 / rate)
    before = cpu_seconds(pids)
    rate, _, requests, more = await wrk(url, LENGTH, *headers)
    costs.cpu_us.append((cpu_seconds(pids) - before) / max(1, requests) * 1e6)
    costs.rates.append(rate)
    costs.failed += failed + more
