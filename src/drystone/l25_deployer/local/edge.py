"""The route stack of this machine: which release of which service the edge sends requests to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.ads import Ads
    from drystone.l10_engines.proxy.envoy import Envoy

APPLY_LIMIT = timedelta(seconds=10)
IDLE_POLL = timedelta(milliseconds=20)


class Routing(msgspec.Struct, frozen=True):
    """Where the requests of one service go.

    Attributes:
        hosts: Names under which it answers.
        zone: Names the release, so that its instances are one locality.
        ports: Loopback ports of its instances.
        timeout: How long the edge waits for an answer.
        internal_port: Loopback port at which other services reach it.
    """

    hosts: tuple[str, ...]
    zone: str
    ports: tuple[int, ...]
    timeout: timedelta
    internal_port: int


class Edge:
    """Keeps the proxy's configuration equal to the routes of all services.

    Args:
        ads: Serves the configuration.
        envoy: The proxy.
        port: Where people and clients connect.
        access_log: The file for the access log.
    """

    def __init__(self, ads: Ads, envoy: Envoy, *, port: int, access_log: Path) -> None:
        self._ads = ads
        self._envoy = envoy
        self._port = port
        self._access_log = access_log
        self._routings: dict[str, Routing] = {}
        self._version: int | None = None
        self._is_held = True
        self._publishing = asyncio.Lock()

    def routing(self, service: str) -> Routing | None:
        """Return how a service is routed."""
        return self._routings.get(service)

    async def route(self, service: str, routing: Routing) -> None:
        """Route a service; returns when the proxy does so.

        Raises:
            ProxyRefused: The proxy refuses the configuration.
            ProxyUnavailable: It does not answer in time; it will follow when it does.
        """
        if self._routings.get(service) != routing:
            self._routings[service] = routing
            self._version = None
        await self._publish()

    async def forget(self, service: str) -> None:
        """Route a service nowhere.

        Raises:
            ProxyUnavailable: See :meth:`route`.
        """
        if self._routings.pop(service, None) is not None:
            self._version = None
        await self._publish()

    async def open(self) -> None:
        """Begin to publish. Until then routes are gathered, so that a new agent takes none away.

        Raises:
            ProxyUnavailable: See :meth:`route`.
        """
        self._is_held = False
        await self._publish()

    async def _publish(self) -> None:
        if self._is_held:
            return
        async with self._publishing:
            if self._version is None:
                services = tuple(self._service(name, r) for name, r in self._routings.items())
                snapshot = edge_snapshot(services, port=self._port, access_log=self._access_log)
                self._version = await self._ads.publish(snapshot)
            version = self._version
        await self._ads.applied(version, APPLY_LIMIT)

    def _service(self, name: str, routing: Routing) -> EdgeService:
        endpoints = tuple(Endpoint(port) for port in routing.ports)
        return EdgeService(
            name=name,
            hosts=routing.hosts,
            pools=(Pool(routing.zone, 100, endpoints),),
            timeout=routing.timeout,
            internal_port=routing.internal_port,
        )

    async def until_idle(self, service: str, ports: tuple[int, ...], limit: timedelta) -> int:
        """Wait until instances that get no new requests have answered the ones they have.

        Returns:
            How many requests were still running when the limit was reached.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit.total_seconds()
        while (left := await self._running(service, ports)) and loop.time() < end:
            await asyncio.sleep(IDLE_POLL.total_seconds())
        return left

    async def _running(self, service: str, ports: tuple[int, ...]) -> int:
        counts = [await self._envoy.active_requests(service, port) for port in ports]
        return sum(counts)
