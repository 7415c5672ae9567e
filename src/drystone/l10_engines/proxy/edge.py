"""The edge: one Envoy that answers for every service of this host, configured by a pure function.

Each service is one cluster whose pools (blue and green, old and new) are localities with weights, and one
more while its releases speak different protocols. That one cluster holds both sides is what makes a switch safe: when every instance of one pool is gone, Envoy
gives its share to the other, and a retry may go there too. With one cluster per release both would be
refused.

Values travel inside JSON strings and are never text that somebody parses again. Where Envoy does read
text, in host patterns, regular expressions and ``%COMMAND%`` operators, only constants and what
:func:`~drystone.l10_engines.proxy.edge_services.check_services` lets through appear.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from drystone.l10_engines.proxy.edge_away import away_cluster, away_endpoints
from drystone.l10_engines.proxy.edge_canary import canary_cluster, canary_endpoints
from drystone.l10_engines.proxy.edge_clusters import (
    MOST_CONNECTIONS,
    away_name,
    canary_name,
    cluster,
    cluster_name,
    endpoints,
    protocols_of,
)
from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol
from drystone.l10_engines.proxy.edge_listener import LISTENER, listener
from drystone.l10_engines.proxy.edge_mirror import (
    alone_cluster,
    alone_endpoints,
    alone_name,
    copies_cluster,
    copies_name,
)
from drystone.l10_engines.proxy.edge_moves import WHOLE
from drystone.l10_engines.proxy.edge_own import (
    OwnService,
    check_own,
    own_cluster,
    own_host,
    own_routes,
)
from drystone.l10_engines.proxy.edge_routes import (
    ROUTES,
    index_host,
    route_configuration,
    service_host,
)
from drystone.l10_engines.proxy.edge_services import (
    Canary,
    Cohort,
    EdgeService,
    Pool,
    check_host,
    check_services,
)
from drystone.l10_engines.proxy.edge_sides import SIDES, sides_listener, sides_routes
from drystone.l10_engines.proxy.edge_tls import (
    OUTSIDE,
    OUTSIDE_TLS,
    TLS_LISTENER,
    SecureEdge,
    Shown,
    tls_listener,
    tls_routes,
    tls_secrets,
)
from drystone.l10_engines.proxy.edge_way_hosts import domains_of, way_host
from drystone.l10_engines.proxy.edge_ways import EdgeWay
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.index_page import index_page
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.snapshot import Snapshot

__all__ = [
    "INDEX_HOSTS",
    "WHOLE",
    "Canary",
    "Cohort",
    "EdgeService",
    "EdgeWay",
    "Endpoint",
    "OwnService",
    "Pool",
    "Protocol",
    "SecureEdge",
    "Shown",
    "edge_snapshot",
    "internal_listener",
    "ways_to_instances",
]

INDEX_HOSTS = ("localhost", "127.0.0.1")


def internal_listener(service: str) -> str:
    """Return the name of the listener at which other services of this host reach a service."""
    return f"internal/{service}"


def edge_snapshot(
    services: Sequence[EdgeService],
    *,
    port: int,
    access_log: Path,
    address: str = "127.0.0.1",
    index_hosts: Sequence[str] = INDEX_HOSTS,
    connections: int = MOST_CONNECTIONS,
    own: Sequence[OwnService] = (),
    secure: SecureEdge | None = None,
    outside: str | None = None,
) -> Snapshot:
    """Return the whole configuration of the edge.

    Args:
        services: All of them; the order does not matter.
        port: Where the edge listens.
        access_log: File for one JSON object per request.
        address: IP address on which it listens.
        index_hosts: Hosts at which a page lists the services; a service that claims one of them wins.
        connections: How many there may be to the instances of one service; over HTTP/2 a client has a hundred requests on one
            connection, and each takes one to an instance: without a bound, two clients of a slow service would use up
            what the proxy may open.
        own: Services of the platform, below paths of the index.
        secure: How it answers over HTTPS; not at all when None, and ways that want it are not there then.
        outside: A further address at which it listens, for ways in alone: neither the index nor the platform's own pages nor the
            names that every service has are there.

    Raises:
        InvalidProxyConfig: Something in it cannot be; see ``check_services`` and ``check_own``.
    """
    check_services(services)
    check_own(own, [service.name for service in services])
    try:
        ipaddress.ip_address(address)
    except ValueError as e:
        raise InvalidProxyConfig(
            f"the edge cannot listen on {address!r}: give an IP address"
        ) from e
    if not 0 < port < 65536:
        raise InvalidProxyConfig(f"the edge cannot listen on port {port}: it must lie in 1..65535")
    for service in services:
        if service.internal_port == port:
            raise InvalidProxyConfig(
                f"{service.name} cannot have the internal port {port}: the edge listens there"
            )
    ordered = sorted(services, key=lambda service: service.name)
    hosts = [service_host(service, service.hosts) for service in ordered if service.hosts]
    internal = {internal_listener(s.name): s for s in ordered if s.internal_port is not None}
    tls_port = secure.port if secure else 443
    way_hosts = [way_host(host, ordered, secure_port=tls_port) for host in domains_of(ordered)]
    hosts += way_hosts
    own_names = {*index_hosts, *(one.host for one in own)}
    if taken := own_names.intersection(domains_of(ordered)):
        raise InvalidProxyConfig(f"the host {min(filter(None, taken))} is the platform's own")
    claimed = {host for service in services for host in service.hosts}
    index = [host for host in index_hosts if host not in claimed]
    for host in index:
        check_host(host, "the index page")
    for one in own:
        if one.host is not None and one.host not in claimed:
            check_host(one.host, one.name)
            hosts.append(own_host(one))
    if index:
        # The first route that fits decides, and everything fits those of the root.
        in_turn = sorted(own, key=lambda one: one.is_root)
        more = [route for one in in_turn for route in own_routes(one)]
        has_root = any(one.is_root for one in own)
        page = None if has_root else index_page(ordered, port, own)
        hosts.append(index_host(index, page, more))
    ways = ways_to_instances(
        ordered,
        edge=Endpoint(port, _reached_at(address)),
        access_log=access_log,
        connections=connections,
    )
    further = _further(
        ordered,
        way_hosts,
        address=address,
        port=port,
        access_log=access_log,
        secure=secure,
        outside=outside,
    )
    return Snapshot(
        clusters={**ways.clusters, **{one.name: own_cluster(one) for one in own}},
        endpoints=ways.endpoints,
        listeners={
            LISTENER: listener(address, port, access_log),
            **{
                name: listener(
                    "127.0.0.1", service.internal_port or 0, access_log, name=name, routes=name
                )
                for name, service in internal.items()
            },
            **ways.listeners,
            **further.listeners,
        },
        routes={
            ROUTES: route_configuration(hosts),
            **{
                name: route_configuration([service_host(service, ("*",))], name=name)
                for name, service in internal.items()
            },
            **ways.routes,
            **further.routes,
        },
        secrets=further.secrets,
        optional=ways.optional.union(internal, further.listeners),
    )


def _further(
    services: Sequence[EdgeService],
    hosts: Sequence[Config],
    *,
    address: str,
    port: int,
    access_log: Path,
    secure: SecureEdge | None,
    outside: str | None,
) -> Snapshot:
    """Return what there is beside the edge without TLS: HTTPS, and both at an address for others."""
    listeners: dict[str, Config] = {}
    routes: dict[str, Config] = {}
    if secure is not None:
        listeners[TLS_LISTENER] = tls_listener(secure, services, address, access_log)
        routes |= tls_routes(secure, services)
    if outside is not None and hosts:
        listeners[OUTSIDE] = listener(outside, port, access_log, name=OUTSIDE, routes=OUTSIDE)
        routes[OUTSIDE] = route_configuration(hosts, name=OUTSIDE)
    if outside is not None and secure is not None:
        listeners[OUTSIDE_TLS] = tls_listener(
            secure, services, outside, access_log, name=OUTSIDE_TLS
        )
    secrets = tls_secrets(secure) if secure is not None else {}
    return Snapshot(listeners=listeners, routes=routes, secrets=secrets)


def ways_to_instances(
    services: Sequence[EdgeService],
    *,
    edge: Endpoint,
    access_log: Path,
    connections: int = MOST_CONNECTIONS,
) -> Snapshot:
    """Return how an Envoy reaches the instances of services, here and at their other sides: all but who may ask for that.

    Args:
        services: Checked, see ``check_services``.
        edge: Where the edge is reached from this machine.
        access_log: File for one JSON object per request.
        connections: How many there may be to the instances of one service.
    """
    spoken = [(service, protocol) for service in services for protocol in protocols_of(service)]
    tried = [(service, service.canary) for service in services if service.canary]
    moving = [(service, service.move) for service in services if service.move]
    mirrored = [(s, move, move.mirror) for s, move in moving if move.mirror]
    return Snapshot(
        clusters={
            **{
                cluster_name(s.name, protocol): cluster(s.name, protocol, connections, s.network)
                for s, protocol in spoken
            },
            **{canary_name(s.name): canary_cluster(s, one, connections) for s, one in tried},
            **{away_name(s.name): away_cluster(s, move, connections) for s, move in moving},
            **{copies_name(s.name): copies_cluster(s, mirror) for s, _, mirror in mirrored},
            **{alone_name(s.name): alone_cluster(s, move, connections) for s, move, _ in mirrored},
        },
        endpoints={
            **{cluster_name(s.name, protocol): endpoints(s, protocol) for s, protocol in spoken},
            **{canary_name(s.name): canary_endpoints(s, one) for s, one in tried},
            **{away_name(s.name): away_endpoints(s, move, edge) for s, move in moving},
            **{alone_name(s.name): alone_endpoints(s, move, edge) for s, move, _ in mirrored},
        },
        listeners={
            SIDES + s.name: sides_listener(s, mirror, access_log) for s, _, mirror in mirrored
        },
        routes={SIDES + s.name: sides_routes(s, move) for s, move, _ in mirrored},
        optional=frozenset(SIDES + s.name for s, _, _ in mirrored),
    )


def _reached_at(address: str) -> str:
    """Return where a listener of this address is reached from this machine."""
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is asked, not opened
    return every.get(address, address)
