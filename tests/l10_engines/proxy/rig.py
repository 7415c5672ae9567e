"""An edge with everything around it, as an agent would have it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import msgspec

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.generation import Generation, generations
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.testing.conformance.engines import eventually
from drystone.testing.load import Load, Outcome, Report, run
from l10_engines.proxy.upstream import Upstream

HOST = "shop.dev.localhost"


class Rig:
    """One home with an agent that serves configuration and watches an Envoy.

    :meth:`die` leaves what a killed agent leaves; :meth:`live` is the next agent.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.access_log = home / "access.json"
        self.ads = Ads(home / "xds.sock")
        self._log_limit = 1 << 20
        self._connections, self._memory = 20_000, 256 << 20
        self.envoy = self._envoy()
        self._http = httpx2.AsyncClient(trust_env=False, timeout=20)

    def _envoy(self) -> Envoy:
        settings = ProxySettings(
            port=self.port,
            access_log=self.access_log,
            access_log_limit=self._log_limit,
            connections=self._connections,
            memory=self._memory,
            linger=timedelta(seconds=2),
        )
        return Envoy(self.home / "edge", ads=self.ads, settings=settings)

    def bound_access_log(self, size: int) -> None:
        self._log_limit = size
        self.envoy = self._envoy()

    def bound(self, *, connections: int, memory: int) -> None:
        self._connections, self._memory = connections, memory
        self.envoy = self._envoy()

    async def live(self, snapshot: Snapshot | None = None) -> None:
        await self.ads.start()
        if snapshot is not None:
            await self.envoy.publish(snapshot)
        await self.envoy.start()

    async def die(self) -> None:
        await self.envoy.detach()
        await self.ads.stop()
        self.ads = Ads(self.home / "xds.sock")
        self.envoy = self._envoy()

    async def end(self) -> None:
        await self._http.aclose()
        await self.envoy.stop()
        await self.ads.stop()

    def snapshot(self, *services: EdgeService) -> Snapshot:
        return edge_snapshot(services, port=self.port, access_log=self.access_log)

    async def publish(self, *services: EdgeService) -> None:
        await self.envoy.publish(self.snapshot(*services))

    async def get(
        self,
        path: str = "/",
        *,
        host: str = HOST,
        method: str = "GET",
        **headers: str,
    ) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        return await self._http.request(method, url, headers={"host": host, **named})

    async def send(self, method: str, path: str, body: bytes) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.port}{path}"
        return await self._http.request(method, url, headers={"host": HOST}, content=body)

    async def load_until(
        self,
        stop: asyncio.Event,
        *,
        rate: float = 150,
        method: str = "GET",
        reused: float = 0.5,
        observe: Callable[[Outcome], None] | None = None,
    ) -> Report:
        load = Load(
            url=f"http://127.0.0.1:{self.port}/",
            rate=rate,
            length=timedelta(seconds=60),
            method=method,
            reused=reused,
        )
        return await run(load, stop=stop, observe=observe)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds, at most 30 seconds."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - what is waited for is outside
            await asyncio.sleep(0.02)


def shop(*pools: tuple[str, int, list[Upstream]], **changes: object) -> EdgeService:
    """A service at :data:`HOST` and at 127.0.0.1, with pools as (zone, weight, instances)."""
    service = EdgeService(
        name="dev/shop",
        hosts=(HOST, "127.0.0.1"),
        pools=tuple(
            Pool(zone, weight, tuple(Endpoint(instance.port) for instance in instances))
            for zone, weight, instances in pools
        ),
    )
    return msgspec.structs.replace(service, **changes)


def only_generation(rig: Rig) -> Generation:
    (generation,) = generations(rig.home / "edge")
    return generation


async def answers(rig: Rig) -> bool:
    """Tell whether a new connection is answered."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    except ConnectionError:
        return False
    writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    try:
        return (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
    except ConnectionError:
        return False
    finally:
        writer.close()


class Running:
    """Load that runs while the block does; its report must show no failure.

    Args:
        reused: Share of requests over kept connections. 1 where a port is closed meanwhile: a connection
            that is opened in that very millisecond may be reset.
    """

    def __init__(self, rig: Rig, *, reused: float = 0.5) -> None:
        self.rig = rig
        self._reused = reused
        self._stop = asyncio.Event()

    async def __aenter__(self) -> None:
        self._seen = 0
        self._task: asyncio.Task[Report] = asyncio.create_task(
            self.rig.load_until(self._stop, reused=self._reused, observe=self._count)
        )
        await eventually(lambda: self._seen > 5)

    async def __aexit__(self, *_: object) -> None:
        before = self._seen
        await eventually(lambda: self._seen > before + 5)
        self._stop.set()
        assert (await self._task).failures() == {}

    def _count(self, _outcome: Outcome) -> None:
        self._seen += 1
