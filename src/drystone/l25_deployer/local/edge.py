"""The route stack of this machine: which release of which service the edge sends requests to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.proxy.admin import Outcomes
from drystone.l10_engines.proxy.attempt_log import attempts_beside
from drystone.l10_engines.proxy.edge import (
    Canary,
    EdgeService,
    EdgeWay,
    OwnService,
    Pool,
    edge_snapshot,
)
from drystone.l10_engines.proxy.edge_clusters import MOST_CONNECTIONS, cluster_names
from drystone.l10_engines.proxy.edge_tls import OUTSIDE, OUTSIDE_TLS, TLS_LISTENER
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.proxy.settings import connections_here
from drystone.l10_engines.proxy.times import read_calls, read_times, statistics_pattern
from drystone.l25_deployer.local.https import Https, NoHttps

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge_moves import Move
    from drystone.l10_engines.proxy.envoy import Envoy
    from drystone.l25_deployer.local.mesh import Member, Mesh

FIRST_GLANCE, LAST_GLANCE = timedelta(milliseconds=20), timedelta(milliseconds=200)
"""Pauses between looks at what is still running: most of it ends soon, and what does not may take long."""

CALM_GLANCES = 2
"""How many looks in a row must find nothing."""


class Routing(msgspec.Struct, frozen=True):
    """Where the requests of one service go.

    Attributes:
        hosts: Names under which it answers.
        pools: The instances of each release, with its share; a share of 0 only finishes what it has.
        timeout: How long the edge waits for an answer.
        network: The network in which the instances listen; that of the host when None.
        canary: What is tried beside the pools.
        ways: Names and paths of its own at which it answers, too.
        sites: Static sites beside it.
    """

    hosts: tuple[str, ...]
    pools: tuple[Pool, ...]
    timeout: timedelta
    network: Path | None = None
    canary: Canary | None = None
    ways: tuple[EdgeWay, ...] = ()
    sites: tuple[SiteRouting, ...] = ()


class SiteRouting(msgspec.Struct, frozen=True):
    """Where the requests of a static site go.

    Attributes:
        name: The resource.
        pools: Its instances, by release.
        way: Its hosts.
    """

    name: str
    pools: tuple[Pool, ...]
    way: EdgeWay


class Counted(msgspec.Struct, frozen=True):
    """What proxies show of the requests to a service.

    Attributes:
        hosts: What has become of attempts at an address, by the process of the proxy, the cluster and address, and the port.
        times: How many answers took no longer than each of Envoy's bounds, and all of them last, by process and
            cluster.
        calls: How many calls of its own were answered below 500, by process, whom it called, and the port at which it did.
    """

    hosts: dict[tuple[int, str, int], Outcomes]
    times: dict[tuple[int, str], tuple[int, ...]]
    calls: dict[tuple[int, str, int], int] = {}


class Edge:
    """Keeps the proxy's configuration equal to the routes of all services.

    Args:
        envoy: The proxy.
        port: Where people and clients connect.
        access_log: The file for the access log.
        mesh: Stands between services.
        ensure: Starts the proxy if it does not run, and keeps it.
        own: Services of the platform that people reach at the edge.
        https: Answers over HTTPS, where there is something to answer.
        outside: A further address at which ways in are there, and nothing else.
    """

    def __init__(
        self,
        envoy: Envoy,
        *,
        port: int,
        access_log: Path,
        mesh: Mesh,
        ensure: Callable[[], Awaitable[object]],
        own: Sequence[OwnService] = (),
        https: Https | None = None,
        outside: str | None = None,
    ) -> None:
        self._envoy = envoy
        self._ensure = ensure
        self._own = tuple(own)
        self._https = https or NoHttps()
        self._outside = outside
        self._mesh = mesh
        self._members: Callable[[], Sequence[Member]] = tuple
        self._port = port
        self._access_log = access_log
        self._connections = connections_here(MOST_CONNECTIONS)
        self._routings: dict[str, Routing] = {}
        self._moves: dict[str, Move] = {}
        self._is_current = False
        self._publishing = asyncio.Lock()

    @property
    def attempts(self) -> Path:
        """Where attempts at instances are written down while a release is tried."""
        return attempts_beside(self._access_log)

    async def until_ready(self) -> None:
        """Return when the proxy serves, starting it if it does not run.

        Raises:
            PlatformError: It cannot start, for example because its port is taken.
        """
        await self._ensure()

    def routing(self, service: str) -> Routing | None:
        """Return how a service is routed."""
        return self._routings.get(service)

    def attend(self, members: Callable[[], Sequence[Member]]) -> None:
        """Ask from now on for every service of this home whenever something is published."""
        self._members = members

    def problems(self, service: str) -> list[str]:
        """Say why something of a service cannot be reached."""
        routing = self._routings.get(service)
        found = self._mesh.problems(service, self._envoy.refused)
        ways = [*routing.ways, *(site.way for site in routing.sites)] if routing else []
        secure = {host for way in ways if way.tls for host in way.hosts}
        found += [
            f"the certificate for {host} is missing or old: {why}"
            for host in sorted(secure)
            if (why := self._https.problem(host))
        ]
        ours = ((TLS_LISTENER, secure), (OUTSIDE, ways), (OUTSIDE_TLS, secure))
        found += [
            f"not everybody reaches its ways in: {self._envoy.refused[name]}; end the other program, or set"
            " edge.https_port or edge.address"
            for name, wanted in ours
            if wanted and name in self._envoy.refused
        ]
        return found

    def note(self, service: str, routing: Routing | None) -> None:
        """Take note of a route that :meth:`publish` is to bring about; None takes the route away."""
        if self._routings.get(service) != routing:
            self._is_current = False
        if routing is None:
            self._routings.pop(service, None)
        else:
            self._routings[service] = routing

    def note_move(self, service: str, move: Move | None) -> None:
        """Take note of where else a service's requests go, for :meth:`publish`; None ends it."""
        if self._moves.get(service) != move:
            self._is_current = False
        if move is None:
            self._moves.pop(service, None)
        else:
            self._moves[service] = move

    async def outcomes(self, service: str) -> tuple[Outcomes, Outcomes]:
        """Return what the proxy has counted of requests to a service since it runs: here, and at its other side.

        Raises:
            ProxyUnavailable: It does not answer.
        """
        move = self._moves.get(service)
        elsewhere = {(one.address, one.port) for one in move.addresses} if move else set()
        here, there = Outcomes(), Outcomes()
        every = [
            (await envoy.outcomes(cluster)).items()
            for envoy in self._before(service)
            for cluster in sorted(cluster_names(service))
        ]
        for counts in every:
            for at, counted in counts:
                if at in elsewhere:
                    there += counted
                else:
                    here += counted
        return here, there

    async def counted(self, service: str) -> Counted:
        """Return what the proxies have counted of a service since each of them runs: attempts at its instances, times, and calls of its own.

        Raises:
            ProxyUnavailable: One does not answer.
        """
        hosts: dict[tuple[int, str, int], Outcomes] = {}
        times: dict[tuple[int, str], tuple[int, ...]] = {}
        calls: dict[tuple[int, str, int], int] = {}
        names = sorted(cluster_names(service))
        for envoy in self._before(service):
            number = envoy.status().pid or 0
            for cluster in names:
                for (address, port), found in (await envoy.outcomes(cluster)).items():
                    hosts[number, f"{cluster} {address}:{port}", port] = found
            answer = await envoy.statistics(statistics_pattern(names, service))
            for cluster, spread in read_times(answer, names).items():
                times[number, cluster] = spread
            for (callee, port), answered in read_calls(answer, service).items():
                calls[number, callee, port] = answered
            if number != envoy.status().pid:
                raise ProxyUnavailable(f"{envoy.name} ended while it was asked; ask again")
        return Counted(hosts, times, calls)

    def _before(self, service: str) -> Sequence[Envoy]:
        """Return the proxies that send requests to a service's instances."""
        own = self._mesh.own_proxies.get(service)
        return (self._envoy,) if own is None else (self._envoy, own)

    async def route(self, service: str, routing: Routing | None) -> None:
        """Route a service, or take its route away; returns when the proxy does so.

        Raises:
            InvalidProxyConfig: The proxy refuses the configuration.
            ProxyUnavailable: It does not answer in time; it will follow when it does.
        """
        self.note(service, routing)
        await self.publish()
        self._mesh.require(service)

    def outdate(self) -> None:
        """Take note that what stands between services has changed; the next :meth:`publish` brings it about."""
        self._is_current = False

    async def refresh(self) -> None:
        """Publish again, since what stands between services has changed.

        Raises:
            ProxyUnavailable: See :meth:`route`.
        """
        self.outdate()
        await self.publish()

    async def renew(self) -> None:
        """Show new certificates in the place of those that are about to end.

        Raises:
            ProxyUnavailable: See :meth:`route`.
        """
        if self._https.is_due():
            await self.refresh()

    async def publish(self) -> None:
        """Bring about every route that was noted.

        Raises:
            InvalidProxyConfig: See :meth:`route`.
            ProxyUnavailable: See :meth:`route`.
        """
        async with self._publishing:
            if self._is_current:
                return
            self._is_current = True  # a route that is noted meanwhile makes it untrue again
            services = tuple(
                EdgeService(
                    name=name,
                    hosts=routing.hosts,
                    pools=routing.pools,
                    timeout=routing.timeout,
                    internal_port=self._mesh.own_port(name),
                    network=routing.network,
                    move=self._move(name, routing),
                    canary=routing.canary,
                    ways=routing.ways,
                )
                for name, routing in self._routings.items()
            ) + tuple(
                EdgeService(
                    name=f"{name}/{site.name}",
                    hosts=(),
                    pools=site.pools,
                    timeout=routing.timeout,
                    network=routing.network,
                    ways=(site.way,),
                )
                for name, routing in self._routings.items()
                for site in routing.sites
            )
            try:
                secure = await self._https.of(services)
                edge = edge_snapshot(
                    services,
                    port=self._port,
                    access_log=self._access_log,
                    connections=self._connections,
                    own=self._own,
                    secure=secure,
                    outside=self._outside,
                )
                lead = self._envoy.publish
                if not await self._mesh.publish(edge, services, self._members(), lead):
                    self._is_current = False
            except BaseException:
                self._is_current = False
                raise

    def _move(self, service: str, routing: Routing) -> Move | None:
        """Return where else requests go; nowhere while an instance of this side has got the other side's port."""
        move = self._moves.get(service)
        pools = (*routing.pools, *([routing.canary.pool] if routing.canary else []))
        taken = {endpoint for pool in pools for endpoint in pool.endpoints}
        return None if move is None or taken & set(move.addresses) else move

    async def require_kept(self) -> None:
        """Return when the routes lie on disk, where a proxy that dies finds them again.

        Raises:
            DiskFull: There is no room for them.
        """
        for envoy in (self._envoy, *self._mesh.own_proxies.values()):
            await envoy.require_kept()

    async def until_idle(self, service: str, ports: tuple[int, ...], limit: timedelta) -> int:
        """Wait until instances that get no new requests have answered the ones they have.

        Returns:
            How many requests were still running when the limit was reached.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit.total_seconds()
        pause, calm = FIRST_GLANCE, 0
        while True:
            left = sum([await e.active_requests(service, *ports) for e in self._before(service)])
            calm = 0 if left else calm + 1
            remaining = end - loop.time()
            # A request that was on its way when the route changed is not counted before it has a connection.
            if calm == CALM_GLANCES or remaining <= 0:
                return left
            await asyncio.sleep(min(pause.total_seconds(), remaining))
            pause = FIRST_GLANCE if calm else min(pause * 1.5, LAST_GLANCE)
