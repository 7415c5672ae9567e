"""What a decision of the limiter costs, and how near two proxies stay to one limit.

For each way to count, the processor time of the limiter for each decision, user and system together, as the kernel counts
it: that holds on a busy machine, where elapsed time says nothing. Then two proxies ask in turns, as fast as they can, about one
limit of a rate: what came through in proportion to what the rate allows for the time that passed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.stand import table

from drystone.l10_engines.cache.server import Valkey
from drystone.l35_mesh.limits.checking import path_of
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.policies import Policy
from drystone.testing.conformance.engines import short_home

SERVICE = "bench/orders"
SECOND = 1_000_000
RATE = 200
DECISIONS, CONNECTIONS = 20_000, 16
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


async def mesh_limits(count: int) -> str:
    """Measure what a decision costs, counted in memory and in a Valkey, and how near a limit is held."""
    rows = []
    for where in ("memory", "Valkey"):
        async with _limiter(in_store=where == "Valkey") as engine:
            for what, policy in LIMITS.items():
                engine.tell({SERVICE: {"all": policy}})
                await asyncio.sleep(1)
                took = [
                    await cost(engine, DECISIONS, CONNECTIONS) for _ in range(max(1, count // 3))
                ]
                rows.append([where, what, f"{min(took):.1f} µs"])
            near = await nearness(engine, RATE)
            rows.append(
                [where, f"two proxies, one limit of {RATE}/s", f"{near:.3f} of it came through"]
            )
    columns = ["counted in", "what", "processor time of a decision"]
    return table("The exact limiter", columns, rows)


@asynccontextmanager
async def _limiter(*, in_store: bool) -> AsyncIterator[LimiterEngine]:
    async with AsyncExitStack() as stack:
        home = stack.enter_context(short_home())
        url = None
        if in_store:
            valkey = Valkey("limits", home / "valkey")
            await valkey.start()
            stack.push_async_callback(valkey.stop)
            url = valkey.access().url()
        engine = LimiterEngine(home / "limiter", socket=home / "limiter.sock", store=url)
        engine.tell({SERVICE: {"all": LIMITS["a bucket, admitted"]}})
        stack.push_async_callback(engine.stop)
        await engine.start()
        yield engine
