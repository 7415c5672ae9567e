"""What a request costs at the edge, beside other proxies with the same one route to the same upstream."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE
from datetime import timedelta
from statistics import median

import msgspec
from benchmarks.peers.programs import missing, need
from benchmarks.peers.proxies import (
    Caddy,
    DrystoneEdge,
    Haproxy,
    Nginx,
    OneRoute,
    Proxy,
    Traefik,
    cpu_seconds,
)
from benchmarks.peers.stage import Stage, stage, until_answered
from benchmarks.stand import table

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.load import Load, run

ROUNDS = 3
CONNECTIONS = 32
RATE = 400
LENGTH = timedelta(seconds=3)
KINDS: tuple[type[Proxy], ...] = (DrystoneEdge, Nginx, Haproxy, Traefik, Caddy)


class Cost(msgspec.Struct):
    """What was measured of one configuration, a number per round."""

    rates: list[float] = []
    p99_ms: list[float] = []
    full_us: list[float] = []
    calm_us: list[float] = []
    failed: int = 0


async def edge(count: int) -> str:
    """Measure each proxy with and without its access log, in interleaved rounds."""
    rounds = max(1, min(ROUNDS, count))
    found: dict[tuple[str, bool], Cost] = {}
    trouble = {kind.name: missing((*kind.needs, "nginx", "wrk")) for kind in KINDS}
    cases = [(kind, logs) for kind in KINDS for logs in (True, False) if not trouble[kind.name]]
    for number in range(rounds):
        for kind, logs in cases if number % 2 == 0 else cases[::-1]:
            async with stage() as on:
                port = await upstream(on)
                proxy = kind(on, access_log=logs)
                try:
                    await proxy.start(port)
                    await measure(proxy, found.setdefault((kind.name, logs), Cost()))
                finally:
                    await proxy.stop()
    absent = [[name, why, "", "", "", "", ""] for name, why in trouble.items() if why]
    title = f"One route to an nginx that answers 1 kB, one worker each, medians of {rounds} rounds"
    columns = [
        "proxy",
        "access log",
        f"requests/s, {CONNECTIONS} connections",
        "p99",
        "CPU of a request then",
        f"CPU of a request at {RATE}/s",
        "failed",
    ]
    return table(title, columns, [*_rows(found), *absent])


async def upstream(on: Stage) -> int:
    """Start an nginx that answers every request with 1 kB; its port."""
    port = free_port()
    folder = on.folder / "upstream"
    folder.mkdir()
    (folder / "nginx.conf").write_text(
        f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{"x" * 1024}"; }} }}
}}
"""
    )
    await on.start(need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"))
    await until_answered(port)
    return port


async def measure(proxy: OneRoute, cost: Cost, length: timedelta = LENGTH) -> None:
    """Send as much as it takes for a while, whole seconds, then as long at a fixed rate."""
    url = f"http://127.0.0.1:{proxy.port}/"
    before = cpu_seconds(proxy.pids())
    rate, p99_ms, requests, failed = await wrk(url, length)
    cost.full_us.append((cpu_seconds(proxy.pids()) - before) / max(1, requests) * 1e6)
    cost.rates.append(rate)
    cost.p99_ms.append(p99_ms)
    before = cpu_seconds(proxy.pids())
    report = await run(Load(url=url, rate=RATE, length=length, reused=1.0))
    cost.calm_us.append((cpu_seconds(proxy.pids()) - before) / len(report.outcomes) * 1e6)
    cost.failed += failed + len(report.failed)


async def wrk(
    url: str, length: timedelta, *headers: str, connections: int = CONNECTIONS
) -> tuple[float, float, int, int]:
    """Ask as often as it goes; return requests per second, p99 in ms, requests and failures."""
    seconds = str(length // timedelta(seconds=1))
    given = [part for header in headers for part in ("-H", header)]
    command = [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *given, url]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    p99_ms = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    requests = int(re.findall(r"(\d+) requests in", said)[0])
    bad = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    bad += re.findall(r"(?:connect|read|write|timeout) (\d+)", said)
    return rate, p99_ms, requests, sum(map(int, bad))


def _rows(found: dict[tuple[str, bool], Cost]) -> list[list[str]]:
    return [
        [
            name,
            "on" if logs else "off",
            f"{median(cost.rates):.0f}",
            f"{median(cost.p99_ms):.1f} ms",
            f"{median(cost.full_us):.0f} µs",
            f"{median(cost.calm_us):.0f} µs",
            str(cost.failed),
        ]
        for (name, logs), cost in found.items()
    ]
