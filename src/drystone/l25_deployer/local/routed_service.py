"""One service as the edge has it: which of its releases get requests, and how many."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.proxy.edge import WHOLE, Canary, Endpoint, Pool, Protocol
from drystone.l25_deployer.errors import ReleaseNotFound
from drystone.l25_deployer.local.documents import UnreadableDocument
from drystone.l25_deployer.local.edge import Routing, SiteRouting
from drystone.l25_deployer.local.meshed_service import MeshedService
from drystone.l25_deployer.local.readiness import running_ones
from drystone.l25_deployer.local.sites import sites_of
from drystone.l25_deployer.stacks.model import WEB
from drystone.l25_deployer.stacks.ways import EdgeRoute, StaticSite, group_of_site, is_of_site

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import Canary as Held
    from drystone.l25_deployer.local.records import ReleaseRecord

FULL_SHARE = 100


class RoutedService(MeshedService):
    """A service that the edge sends requests to."""

    async def look(self) -> None:
        """Find out which instances run of the active release and of the one that is tried, without looking after them yet.

        The ports of those that do not run may be anybody's: after a restart of the machine, or where a copy of
        the home runs beside the original.
        """
        releases = [self.active_release(), self._tried()]
        seen = [await running_ones(self.machine, one) for one in releases if one is not None]
        self._seen = frozenset[str]().union(*seen)
        await self.choose_network()

    def routing(self) -> Routing | None:
        """Return how the edge should route this service; None when nothing of it serves.

        While the active release is not looked after yet, its record tells where those of its instances are that
        :meth:`look` found. Releases that are kept warm get no new requests and may finish those they have.
        """
        release = self.active_release()
        if release is None:
            return None
        pools = [self._pool(release.number, FULL_SHARE)]
        pools += [self._pool(n, 0) for n in self.record.warm if n in self.running]
        stack = release.stacks.environment
        return Routing(
            hosts=stack.hosts,
            pools=tuple(pool for pool in pools if pool.endpoints),
            timeout=stack.timeout,
            network=self.network,
            canary=self._canary(),
            ways=tuple(
                self.machine.ways.edge_way(one)
                for one in release.stacks.eternal.resources.values()
                if isinstance(one, EdgeRoute)
            ),
            sites=tuple(self._site(name, one, release) for name, one in sites_of(release).items()),
        )

    def _site(self, name: str, site: StaticSite, release: ReleaseRecord) -> SiteRouting:
        """Return how the edge should route a static site; that of a release that is kept warm finishes what it has."""
        group = group_of_site(name)
        pools = [self._site_pool(release.number, group, FULL_SHARE)]
        pools += [self._site_pool(n, group, 0) for n in self.record.warm if n in self.running]
        way = self.machine.ways.edge_way(site.route)
        return SiteRouting(name, tuple(pool for pool in pools if pool.endpoints), way)

    def _site_pool(self, number: int, group: str, share: int) -> Pool:
        running = self.running.get(number)
        recorded = () if running else self.release(number).instances
        seen = [one for one in recorded if one.id in self._seen and one.group == group]
        ports = running.site_ports(group) if running else [one.port for one in seen if one.port]
        return Pool(f"release-{number}", share, tuple(map(Endpoint, ports)))

    def _canary(self) -> Canary | None:
        """Return what is tried beside the pools; one that is taken away only finishes what it has."""
        release, held = self._tried(), self.record.canary
        if release is None:
            return None
        pool = self._pool(release.number, FULL_SHARE)
        if held is None:
            return Canary(pool=pool) if pool.endpoints else None
        return Canary(
            pool=pool,
            share=round(held.share * WHOLE),
            cohort=held.cohort,
            header=held.header,
            salt=_salt(held),
            by=held.by,
        )

    def _tried(self) -> ReleaseRecord | None:
        """Return the release that is held, or was until a moment ago."""
        held, operation = self.record.canary, self.record.operation
        number = held.release if held is not None else None
        if operation is not None and operation.kind == "withdraw":
            number = operation.release
        try:
            return None if number is None else self.release(number)
        except (ReleaseNotFound, UnreadableDocument):
            return None  # nothing of it can be started

    def _pool(self, number: int, share: int) -> Pool:
        running = self.running.get(number)
        recorded = () if running else self.release(number).instances
        seen = [one for one in recorded if one.id in self._seen and not is_of_site(one.group)]
        found = (one.port for one in seen if one.port)
        ports = running.ports if running else found
        web = self.release(number).stacks.deployment.groups.get(WEB)
        protocol: Protocol = (web and web.protocol) or "http1"  # static files have no group
        leaving = tuple(Endpoint(port) for port in running.leaving_ports) if running else ()
        endpoints = (*(Endpoint(port) for port in ports), *leaving)
        return Pool(f"release-{number}", share, endpoints, protocol, leaving)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names under which the edge answers for it now; none when it only works."""
        routing = self.machine.edge.routing(self.name)
        return routing.hosts if routing and routing.pools else ()

    async def publish(self) -> None:
        """Make the edge route as the record says; returns once it does."""
        await self.machine.edge.route(self.name, self.routing())

    async def stand_down(self) -> None:
        """Let the edge send nothing more to the service; requests under way go on."""
        routing = self.routing()
        if routing is not None:
            pools = tuple(msgspec.structs.replace(pool, weight=0) for pool in routing.pools)
            routing = msgspec.structs.replace(routing, pools=pools, canary=_closed(routing.canary))
        await self.machine.edge.route(self.name, routing)


def _salt(held: Held) -> str:
    """Return what parts the users of one rollout, which nobody outside can know beforehand."""
    said = f"{held.release} {held.key} {held.since.isoformat()}"
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def _closed(canary: Canary | None) -> Canary | None:
    return None if canary is None else msgspec.structs.replace(canary, share=0, header=None)
