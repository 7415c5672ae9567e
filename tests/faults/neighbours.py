"""A service that is attacked, and another one behind the same edge that has its ordinary visitors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.generation import Generation, generations
from drystone.testing.load import Load, Outcome, run
from l10_engines.proxy.rig import HOST, Rig, shop, until
from l10_engines.proxy.upstream import Upstream

NEIGHBOUR = "neighbour.dev.localhost"
RATE = 50
MEMORY = 256 << 20


@dataclass
class Attacked:
    """An edge under attack.

    Attributes:
        rig: The edge.
        victim: The instance of the service at ``HOST``.
        neighbour: The instance of the service at ``NEIGHBOUR``.
        internal: The port at which services of this machine reach the neighbour.
        memory: Bytes of heap that the edge is given.
    """

    rig: Rig
    victim: Upstream
    neighbour: Upstream
    internal: int
    memory: int

    @property
    def port(self) -> int:
        """Where the edge listens."""
        return self.rig.port

    @asynccontextmanager
    async def undisturbed(
        self,
        *,
        port: int | None = None,
        reused: float = 0.5,
        protocol: Literal["http1", "http2"] = "http1",
    ) -> AsyncIterator[None]:
        """Let visitors come to the neighbour while the block runs; none may be turned away.

        Args:
            port: Where they come; the edge's own port when omitted.
            reused: Share of the requests over kept connections.
            protocol: What they speak. Over HTTP/1.1 a further connection is kept whenever all others are in use.
        """
        stop, seen = asyncio.Event(), 0

        def count(_: Outcome) -> None:
            nonlocal seen
            seen += 1

        load = Load(
            url=f"http://{NEIGHBOUR}:{port or self.port}/",
            rate=RATE,
            length=timedelta(minutes=2),
            reused=reused,
            protocol=protocol,
        )
        running = asyncio.create_task(run(load, stop=stop, observe=count))
        try:

            async def has_begun() -> bool:
                return seen > 2

            await until(has_begun)
            yield
        finally:
            stop.set()
            report = await running
        assert report.failed == (), report.text()

    async def stat(self, name: str) -> int:
        """Return a number of Envoy's statistics; 0 for one that was never counted."""
        content = await self._generation().admin._ask("GET", f"/stats?format=json&filter=^{name}$")
        found = [s["value"] for s in msgspec.json.decode(content)["stats"] if "value" in s]
        return int(found[0]) if found else 0

    async def strangers(self) -> int:
        """Return how many connections the edge's own port has."""
        return await self.stat(f"listener.127.0.0.1_{self.port}.downstream_cx_active")

    async def until_alone(self) -> None:
        """Wait until nobody is connected any more."""

        async def is_alone() -> bool:
            return await self.stat("http.edge.downstream_cx_active") == 0

        await until(is_alone)

    async def until_quiet(self, counter: str) -> None:
        """Wait until a counter of Envoy's moves by no more than the neighbour's visitors make it move."""
        least = RATE * 2048
        before = await self.stat(counter)

        async def is_quiet() -> bool:
            nonlocal before
            await asyncio.sleep(0.5)
            last, before = before, await self.stat(counter)
            return before - last < least

        await until(is_quiet)

    def heap_is_bounded(self) -> bool:
        """Tell whether Envoy takes no more than its heap and what its program needs beside it."""
        return self.rig.envoy.memory() < self.memory + (64 << 20)

    async def heap_is_bounded_again(self) -> bool:
        """See :meth:`heap_is_bounded`; for :func:`until`, since Envoy gives memory back every ten seconds."""
        return self.heap_is_bounded()

    def _generation(self) -> Generation:
        (generation,) = generations(self.rig.home / "edge")
        return generation


@asynccontextmanager
async def attacked(
    home: Path, *, connections: int = 20_000, memory: int = MEMORY
) -> AsyncIterator[Attacked]:
    """Run an edge with a victim and a neighbour."""
    victim, neighbour = await Upstream("victim").start(), await Upstream("neighbour").start()
    rig = Rig(home)
    rig.bound(connections=connections, memory=memory)
    internal = free_port()
    other = shop(
        ("only", 1, [neighbour]),
        name="dev/neighbour",
        hosts=(NEIGHBOUR,),
        internal_port=internal,
    )
    try:
        service = msgspec.structs.replace(shop(("only", 1, [victim])), hosts=(HOST,))
        await rig.live(rig.snapshot(service, other))
        yield Attacked(rig, victim, neighbour, internal, memory)
    finally:
        await rig.end()
        await victim.stop()
        await neighbour.stop()
