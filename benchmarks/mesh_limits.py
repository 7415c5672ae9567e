"""What a decision of the limiter costs, and how near two proxies stay to one limit.

::

    nice -n 19 .venv/bin/python benchmarks/mesh_limits.py [--decisions 40000] [--connections 16] [--store]

Prints for each way to count the processor time of the limiter for each decision, user and system together, as the kernel counts
it: that holds on a busy machine, where elapsed time says nothing. Then two proxies ask in turns, as fast as they can, about one
limit of a rate: what came through in proportion to what the rate allows for the time that passed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from drystone.l10_engines.cache.server import Valkey
from drystone.l35_mesh.limits.checking import path_of
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.policies import Policy
from drystone.testing.conformance.engines import short_home

SERVICE = "bench/orders"
SECOND = 1_000_000
_AHEAD = 4
"""Questions on their way on one connection."""

LIMITS = {
    "a bucket, admitted": Policy(10**9, SECOND, "token-bucket", header="x-asap-issuer"),
    "a bucket, refused": Policy(1, 3600 * SECOND, "token-bucket", header="x-asap-issuer"),
    "a sliding window, admitted": Policy(10**9, SECOND, "sliding-window", header="x-asap-issuer"),
    "a fixed window, admitted": Policy(10**9, SECOND, "fixed-window", header="x-asap-issuer"),
}


def question(caller: int) -> bytes:
    """Return a question as Envoy asks it."""
    return (
        f"GET {path_of(SERVICE, closed=False)}/reports/1 HTTP/1.1\r\nhost: limiter\r\n"
        f"x-asap-issuer: dev/caller-{caller}\r\ncontent-length: 0\r\nx-envoy-internal: true\r\n"
        "x-forwarded-for: 127.0.0.1\r\nx-envoy-expected-rq-timeout-ms: 300\r\n\r\n"
    ).encode()


async def ask(socket: Path, times: int) -> int:
    """Ask so often on one connection; return how often the answer was 200."""
    reader, writer = await asyncio.open_unix_connection(socket)
    passed = 0
    for begin in range(0, times, _AHEAD):
        writer.write(b"".join(question((begin + n) % 1000) for n in range(_AHEAD)))
        for _ in range(_AHEAD):
            head = await reader.readuntil(b"\r\n\r\n")
            passed += head.startswith(b"HTTP/1.1 200")
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
    writer.close()
    return passed


def used(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cost(engine: LimiterEngine, decisions: int, connections: int) -> float:
    """Return the processor time of a decision in microseconds."""
    pid = engine.status().pid
    assert pid is not None
    each = decisions // connections
    await ask(engine.socket, 2000)
    before = used(pid)
    await asyncio.gather(*(ask(engine.socket, each) for _ in range(connections)))
    return (used(pid) - before) / (each * connections) * SECOND


async def nearness(engine: LimiterEngine, rate: int) -> float:
    """Return what came through two connections in proportion to what one limit of a rate allows."""
    engine.tell({SERVICE: {"all": Policy(rate, SECOND, "token-bucket", burst=rate // 10)}})
    await asyncio.sleep(1)
    begun = time.monotonic()
    passed = 0
    while time.monotonic() - begun < 5:
        passed += sum(await asyncio.gather(ask(engine.socket, 100), ask(engine.socket, 100)))
    return passed / (rate * (time.monotonic() - begun) + rate // 10)


async def measure(words: argparse.Namespace) -> None:
    """Print everything."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(short_home())
        url = None
        if words.store:
            valkey = Valkey("limits", home / "valkey")
            await valkey.start()
            stack.push_async_callback(valkey.stop)
            url = valkey.access().url()
        engine = LimiterEngine(home / "limiter", socket=home / "limiter.sock", store=url)
        stack.push_async_callback(engine.stop)
        for what, policy in LIMITS.items():
            engine.tell({SERVICE: {"all": policy}})
            await engine.start()
            await asyncio.sleep(1)
            took = await cost(engine, words.decisions, words.connections)
            print(f"{what}: {took:.1f} µs of processor time for each decision")
        print(f"two proxies, one limit: {await nearness(engine, 200):.3f} of what it allows")


def main(words: Sequence[str] | None = None) -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--store", action="store_true", help="count in a Valkey")
    asyncio.run(measure(parser.parse_args(words)))


if __name__ == "__main__":
    main()
