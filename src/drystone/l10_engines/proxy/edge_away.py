"""A service that moves: a share of its requests, or those with a header, goes to another address.

The other side is a cluster of its own, in which this side stands as the second priority: what the other side does not
take is tried here, at once and without anybody who decides. A request is given to one of the two clusters by weight, which
is as exact as chance is, or by a hash of a cookie or header, so that who has moved once stays moved while the share grows.
With one cluster and a locality for each side, a retry would leave a dead side only as often as the weights say: at a
share of 99 %, one time in a hundred.

A request that goes over carries the name of this platform in a header. One that comes back with it is served here, so
that two platforms which point at each other do not send it in circles.
"""

from __future__ import annotations

from typing import Any

from drystone.l10_engines.proxy.edge_canary import parted
from drystone.l10_engines.proxy.edge_clusters import (
    HTTP_OPTIONS,
    away_name,
    cluster,
    endpoints,
    protocols_of,
)
from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol
from drystone.l10_engines.proxy.edge_moves import HOP, WHOLE, Encryption, Move
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

AWAY = "away"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_RAW = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
_LEAVING = "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"

OTHER_SIDE = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": {"@type": TYPE_PREFIX + _LEAVING, "update_frequency": 1},
}
"""Where a retry goes: to the side that was not asked yet."""


def away_cluster(service: EdgeService, move: Move, connections: int) -> Config:
    """Return the ``Cluster`` of the other side."""
    protocol = away_protocol(service, move)
    of: dict[str, Any] = {
        **cluster(service.name, protocol, connections),
        "name": away_name(service.name),
    }
    if move.tls is None:
        return of
    options = of["typed_extension_protocol_options"][HTTP_OPTIONS]
    encrypted = _encrypted(move.tls, protocol)
    raw = {
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {"@type": TYPE_PREFIX + _RAW},
    }
    return {
        **of,
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
        "transport_socket_matches": [
            {"name": AWAY, "match": {AWAY: True}, "transport_socket": encrypted},
            {"name": "here", "match": {}, "transport_socket": raw},
        ],
    }


def away_protocol(service: EdgeService, move: Move) -> Protocol:
    """Return what the other side is spoken to in."""
    return move.protocol or protocols_of(service)[0]


def _encrypted(tls: Encryption, protocol: Protocol) -> dict[str, Any]:
    alpn = "h2" if protocol == "http2" else "http/1.1"
    validation = {
        "trusted_ca": {"filename": str(tls.authorities)},
        "match_typed_subject_alt_names": [
            {"san_type": "DNS", "matcher": {"exact": tls.name, "ignore_case": True}}
        ],
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": TYPE_PREFIX + _TLS,
            "sni": tls.name,
            "common_tls_context": {"alpn_protocols": [alpn], "validation_context": validation},
        },
    }


def away_endpoints(service: EdgeService, move: Move, edge: Endpoint) -> Config:
    """Return the ``ClusterLoadAssignment`` of the other side, with this side behind it.

    A cluster connects from one network alone, and speaks one protocol. Where the instances have a network of their own, or speak
    another, it asks the edge itself, which understands both and keeps what comes back.

    Args:
        service: What moves.
        move: Where to.
        edge: Where the edge listens.
    """
    hosts = [_host(one, name=move.host, encrypted=move.tls is not None) for one in move.addresses]
    there = _locality(AWAY, hosts)
    here: list[dict[str, Any]] = []
    if move.has_fallback and service.network is None:
        here = endpoints(service, away_protocol(service, move))["endpoints"]
    if move.has_fallback and service.hosts and not any(one["lb_endpoints"] for one in here):
        here = [_locality("here", [_host(edge, name=service.hosts[0])])]
    return {
        "cluster_name": away_name(service.name),
        "endpoints": [there, *({**locality, "priority": 1} for locality in here)],
        # By default a part of the requests leaves a side as soon as some of its hosts are set aside.
        "policy": {"overprovisioning_factor": 100 * 1000},
    }


def _locality(zone: str, hosts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"locality": {"zone": zone}, "load_balancing_weight": 1, "lb_endpoints": hosts}


def _host(at: Endpoint, *, name: str | None, encrypted: bool = False) -> dict[str, Any]:
    address = {"socket_address": {"address": at.address, "port_value": at.port}}
    endpoint = {"address": address, **({"hostname": name} if name else {})}
    host: dict[str, Any] = {"endpoint": endpoint, "health_status": "HEALTHY"}
    if encrypted:
        host["metadata"] = {"filter_metadata": {"envoy.transport_socket_match": {AWAY: True}}}
    return host


def destination(service: EdgeService) -> dict[str, Any]:
    """Return the part of a ``RouteAction`` that says where requests go by their shares."""
    here = parted(service)
    move = service.move
    if move is None or move.share == 0:
        if len(here) == 1:
            return {"cluster": next(iter(here))}
        return _weighted([{"name": name, "weight": share} for name, share in here.items()])
    total = sum(here.values())
    left = WHOLE - move.share
    clusters = [_over(service, move, move.share * total)]
    clusters += [{"name": n, "weight": share * left} for n, share in here.items() if left]
    weighted = _weighted(clusters)
    if move.sticky is not None:
        weighted["weighted_clusters"]["use_hash_policy"] = True
    return {**weighted, **_staying(move), **_rewriting(move)}


def destination_away(service: EdgeService, move: Move) -> dict[str, Any]:
    """Return the part of a ``RouteAction`` that sends everything to the other side."""
    return {**_weighted([_over(service, move, 1)]), **_rewriting(move)}


def comes_back(move: Move) -> dict[str, Any]:
    """Match a request that this platform has sent on before."""
    return {"name": HOP, "string_match": {"contains": move.label}}


def _over(service: EdgeService, move: Move, weight: int) -> dict[str, Any]:
    hop = {
        "header": {"key": HOP, "value": move.label},
        "append_action": "APPEND_IF_EXISTS_OR_ADD",
    }
    name = away_name(service.name)
    return {"name": name, "weight": weight, "request_headers_to_add": [hop]}


def _weighted(clusters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"weighted_clusters": {"clusters": clusters}}


def _rewriting(move: Move) -> dict[str, Any]:
    # Only a host that has a name in the cluster's endpoints gets it, which those of this side have not.
    return {} if move.host is None else {"auto_host_rewrite": True}


def _staying(move: Move) -> dict[str, Any]:
    """Let a hash decide instead of chance; the other side stands first, so that a growing share keeps whom it has."""
    if move.sticky is None:
        return {}
    if move.sticky.cookie is not None:
        policy: dict[str, Any] = {"cookie": {"name": move.sticky.cookie}}
    else:
        policy = {"header": {"header_name": move.sticky.header}}
    return {"hash_policy": [policy]}
