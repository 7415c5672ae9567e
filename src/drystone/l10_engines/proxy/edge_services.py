"""What the edge is asked to do: services, their hosts and their pools of instances."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol, check_endpoint
from drystone.l10_engines.proxy.edge_moves import WHOLE, Move, check_move
from drystone.l10_engines.proxy.edge_ways import EdgeWay, check_ways
from drystone.l10_engines.proxy.errors import InvalidProxyConfig

_NAME = re.compile(r"[a-z0-9]([a-z0-9._/-]{0,126}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_METHOD = re.compile(r"[A-Z]([A-Z-]{0,30}[A-Z])?")
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SALT = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST = timedelta(days=1)
_MOST_WEIGHT = 1_000_000

REMEMBERED = 4096
"""How many results are kept: a switch of one service then costs nothing for each of the others."""


class Pool(msgspec.Struct, frozen=True):
    """Instances that get a share of the requests together, such as those of one release.

    Attributes:
        zone: Name of the pool, for example ``blue`` or a release.
        weight: Share in proportion to the other pools. 0 drains: requests under way go on and can be
            counted, no new one arrives.
        endpoints: The instances; those of a pool get equal shares.
        protocol: What they speak, whatever the client speaks.
        draining: Those of the endpoints that get nothing new, whatever the weight.
    """

    zone: str
    weight: int
    endpoints: tuple[Endpoint, ...]
    protocol: Protocol = "http1"
    draining: tuple[Endpoint, ...] = ()


Cohort: TypeAlias = Literal["request", "user", "tenant", "visitor"]
"""What stays on one release while requests are parted; of requests, nothing does."""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A release that is tried beside the one that serves.

    Attributes:
        pool: Its instances; the weight counts for nothing.
        share: Of the requests, in hundredths of a percent.
        cohort: What stays on one release. Who cannot be told from others is given to either by chance.
        header: Header in lower case in which a request chooses ``canary`` or ``stable``; none can when None.
        salt: Another one parts others; small letters, digits and -.
        by: Whose attempts are told apart while it has a share, for the log of attempts.
    """

    pool: Pool
    share: int = 0
    cohort: Cohort = "request"
    header: str | None = None
    salt: str = "canary"
    by: Cohort = "request"


class EdgeService(msgspec.Struct, frozen=True, kw_only=True):
    """One service behind the edge.

    Attributes:
        name: Unique name, for example ``dev/orders``; it names the cluster and stands in the log.
        hosts: Host names, lower case, without a port; any port matches.
        pools: The instances. When no pool has any, the edge answers 503.
        timeout: How long the service may be silent, before the answer begins and between its parts. An
            answer that keeps coming is never cut, however long it takes. Silence gives 504.
        stream_timeout: The same for WebSockets, for requests that accept ``text/event-stream`` and for gRPC calls.
        idempotent_methods: Methods, apart from GET, HEAD and OPTIONS, of which a request may reach the
            service twice: it is sent again when the connection breaks before an answer.
        internal_port: A loopback port at which it answers to any host name, for services of this host.
        network: File of the network namespace in which its instances listen; that of the host when None.
        move: Where else requests go, while it moves.
        canary: What is tried beside the pools, and gets its share of what they would.
        ways: Names and paths of its own at which it answers, too.
    """

    name: str
    hosts: tuple[str, ...]
    pools: tuple[Pool, ...] = ()
    timeout: timedelta = timedelta(seconds=30)
    stream_timeout: timedelta = timedelta(hours=1)
    idempotent_methods: tuple[str, ...] = ("PUT", "DELETE")
    internal_port: int | None = None
    network: Path | None = None
    move: Move | None = None
    canary: Canary | None = None
    ways: tuple[EdgeWay, ...] = ()


def check_services(services: Iterable[EdgeService]) -> None:
    """Refuse what Envoy would refuse, or read in another way than it is meant.

    Raises:
        InvalidProxyConfig: A name, host, weight, address, port, method or timeout cannot be; or two
            services claim the same name or host.
    """
    owners: dict[str, str] = {}
    ports: dict[int, str] = {}
    names: set[str] = set()
    ways: dict[str, tuple[EdgeWay, ...]] = {}
    for service in services:
        ways[service.name] = service.ways
        _check_service(service)
        if service.name in names:
            raise InvalidProxyConfig(f"two services are called {service.name}; rename one")
        names.add(service.name)
        if service.internal_port is not None:
            owner = ports.setdefault(service.internal_port, service.name)
            if owner != service.name or not 0 < service.internal_port < 65536:
                raise InvalidProxyConfig(
                    f"{service.name} cannot have the internal port {service.internal_port}:"
                    " it must lie in 1..65535 and belong to one service"
                )
        for host in service.hosts:
            owner = owners.setdefault(host, service.name)
            if owner != service.name:
                raise InvalidProxyConfig(
                    f"the host {host} is claimed by {owner} and by {service.name}; take it from one",
                    host=host,
                )
    check_ways(ways, owners)


@lru_cache(maxsize=REMEMBERED)
def _check_service(service: EdgeService) -> None:
    name = service.name
    if not _NAME.fullmatch(name):
        raise InvalidProxyConfig(
            f"{name!r} cannot name a service at the edge: use lower-case letters, digits and . _ / -"
        )
    for host in service.hosts:
        check_host(host, name)
    if len(set(service.hosts)) != len(service.hosts):
        raise InvalidProxyConfig(f"{name} lists a host twice")
    for what, span in (("timeout", service.timeout), ("stream timeout", service.stream_timeout)):
        if not timedelta(milliseconds=1) <= span <= _LONGEST:
            raise InvalidProxyConfig(
                f"the {what} of {name} is {span}; it must lie between a millisecond and a day"
            )
    for method in service.idempotent_methods:
        if not _METHOD.fullmatch(method):
            raise InvalidProxyConfig(f"{name} names {method!r}, which is not an HTTP method")
    _check_pools(service)
    _check_canary(service.canary, service)
    if service.move is not None:
        check_move(service.move, name)
        here = {endpoint for pool in service.pools for endpoint in pool.endpoints}
        if taken := here & set(service.move.addresses):
            raise InvalidProxyConfig(
                f"{name} cannot move to port {taken.pop().port}: its instances here listen there"
            )


def _check_canary(canary: Canary | None, service: EdgeService) -> None:
    if canary is None:
        return
    if not 0 <= canary.share <= WHOLE:
        raise InvalidProxyConfig(
            f"the share of the canary of {service.name} lies outside 0 to {WHOLE} (100 %)"
        )
    if canary.header is not None and not _HEADER.fullmatch(canary.header):
        raise InvalidProxyConfig(
            f"{canary.header!r} cannot choose a release of {service.name}: use lower-case letters, digits and -"
        )
    if not _SALT.fullmatch(canary.salt):
        raise InvalidProxyConfig(f"{canary.salt!r} cannot part the requests of {service.name}")
    _check_pools(msgspec.structs.replace(service, pools=(*service.pools, canary.pool)))


def _check_pools(service: EdgeService) -> None:
    zones = [pool.zone for pool in service.pools]
    if len(set(zones)) != len(zones):
        raise InvalidProxyConfig(f"{service.name} has two pools of one name: {', '.join(zones)}")
    seen: set[Endpoint] = set()
    for pool in service.pools:
        if not _NAME.fullmatch(pool.zone):
            raise InvalidProxyConfig(f"{pool.zone!r} cannot name a pool of {service.name}")
        if not 0 <= pool.weight <= _MOST_WEIGHT:
            raise InvalidProxyConfig(
                f"pool {pool.zone} of {service.name} has weight {pool.weight}; it must lie between 0"
                f" and {_MOST_WEIGHT}"
            )
        for endpoint in pool.endpoints:
            check_endpoint(endpoint, service.name)
            if endpoint in seen:
                raise InvalidProxyConfig(
                    f"{service.name} lists {endpoint.address}:{endpoint.port} twice"
                )
            seen.add(endpoint)


def check_host(host: str, owner: str) -> None:
    """Refuse a host that is no plain host name or IPv4 address.

    Raises:
        InvalidProxyConfig: It is not; wildcards and ports are not names either.
    """
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidProxyConfig(
            f"{host!r} of {owner} is not a host name: use lower-case labels of letters, digits and -,"
            " with dots between them and without a port"
        )
