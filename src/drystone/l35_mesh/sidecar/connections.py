"""What the listeners of the mesh have in common: how they speak HTTP, what they log, and how one Envoy reaches itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from drystone.l10_engines.proxy.attempt_log import CARRIED_HEADER, failed_calls
from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, BUFFER, HTTP_OPTIONS, bound_in
from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol
from drystone.l10_engines.proxy.edge_listener import (
    HTTP_CONNECTION,
    LOG_FIELDS,
    ROUTER,
    client_identity,
    json_log,
    protocol_limits,
    router,
)
from drystone.l10_engines.proxy.edge_services import REMEMBERED
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.refusal_log import refused_requests
from drystone.l35_mesh.sidecar.model import Address
from drystone.l35_mesh.sidecar.permissions import CALLER, NAMESPACE, RBAC
from drystone.l35_mesh.sidecar.tokens import IDENTITY_HEADERS

NO_LIMIT = 100_000
BESIDE = ":beside"
"""How names of clusters end that lead to another Envoy."""

_EARLY = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_INTERNAL = "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
_RAW = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"

_HTTP2 = {
    "allow_connect": True,  # WebSockets over HTTP/2 (RFC 8441)
    "initial_stream_window_size": 64 << 10,
    "initial_connection_window_size": 1 << 20,
}
BY_PROTOCOL: Mapping[Protocol | None, Config] = {
    "http1": {"explicit_http_config": {"http_protocol_options": {}}},
    "http2": {"explicit_http_config": {"http2_protocol_options": _HTTP2}},
    # HTTP/2 costs more than it saves where both ends are one process; calls of gRPC need it on the whole way.
    None: {
        "use_downstream_protocol_config": {
            "http_protocol_options": {},
            "http2_protocol_options": _HTTP2,
        }
    },
}
"""Options of a cluster that speaks one protocol; with None, the one that the client speaks."""

WITHIN: Config = Shared(
    {
        "name": "envoy.transport_sockets.internal_upstream",
        "typed_config": {
            "@type": TYPE_PREFIX + _INTERNAL,
            "transport_socket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typed_config": {"@type": TYPE_PREFIX + _RAW},
            },
        },
    }
)
"""The transport socket of a cluster that leads to a listener of the same Envoy."""


def _unbounded(retried: int, at_least: int) -> Config:
    """Return ``CircuitBreakers`` without a bound, but for how many percent of all requests may be repeated ones."""
    budget = {"budget_percent": {"value": retried}, "min_retry_concurrency": at_least}
    threshold = {
        "max_connections": NO_LIMIT,
        "max_pending_requests": NO_LIMIT,
        "max_requests": NO_LIMIT,
        "retry_budget": budget,
    }
    return Shared({"thresholds": [threshold]})


_UNBOUNDED = _unbounded(20, 10)
_EVERYTHING_AGAIN = _unbounded(100, NO_LIMIT)
"""For a way that everything goes: while nothing is at its end, everything waits and is tried again."""


MOST_CONNECTIONS = 1000
"""How many a service has to one of its dependencies at once; who opens more finds them closed.

One Envoy carries the calls of many, and each connection takes of the memory and the open files of all.
"""

_BOUNDED: Config = Shared(
    {
        "name": "envoy.filters.network.connection_limit",
        "typed_config": {
            "@type": TYPE_PREFIX
            + "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            "stat_prefix": "outbound",
            "max_connections": MOST_CONNECTIONS,
        },
    }
)


def inbound_name(service: str) -> str:
    """Name the listener before a service."""
    return f"inbound/{service}"


def entry_name(service: str) -> str:
    """Name the listener at which Envoys of other services find the one before a service."""
    return f"entry/{service}"


def way_name(service: str, *, is_beside: bool = False) -> str:
    """Name the cluster by which the edge comes to the inbound of a service.

    It has another name where the inbound is in another Envoy. So the way to the old place is there until nobody goes it any more.
    """
    return f"to/{service}{BESIDE if is_beside else ''}"


def outbound_name(caller: str, service: str) -> str:
    """Name the routes, the cluster and the statistics by which a service reaches another."""
    return f"outbound/{caller}>{service}"


def slot_name(caller: str, service: str, slot: int) -> str:
    """Name the listener of one slot; that of the first one is called like the routes."""
    name = outbound_name(caller, service)
    return f"{name}#{slot}" if slot else name


def address(at: Address) -> dict[str, Any]:
    """Return an ``Address``."""
    if at.socket is not None:
        return {"pipe": {"path": str(at.socket), "mode": 0o600}}
    place: dict[str, Any] = {"address": at.address, "port_value": at.port}
    if at.network is not None:
        place["network_namespace_filepath"] = str(at.network)
    return {"socket_address": place}


def listening(
    name: str, at: Address | None, chains: Sequence[Config], told: Mapping[str, str]
) -> dict[str, Any]:
    """Return a ``Listener``; inside the Envoy alone where it has no address.

    Args:
        name: Of the listener.
        at: Where it listens.
        chains: Its filter chains.
        told: What its log and its answers name, see :func:`tells`.
    """
    where: dict[str, Any] = {"internal_listener": {}}
    if at is not None:
        where = {"address": address(at)}
        if at.socket is None:
            where["enable_reuse_port"] = True
        if at.more:
            others = [msgspec.structs.replace(at, address=one, more=()) for one in at.more]
            where["additional_addresses"] = [{"address": address(one)} for one in others]
    return {
        "name": name,
        **where,
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": list(chains),
        "metadata": {"filter_metadata": {NAMESPACE: told}},
    }


def tells(key: str) -> str:
    """Return the operator for something that a listener is told; so one text serves all listeners."""
    return f"%METADATA(LISTENER:{NAMESPACE}:{key})%"


def http(
    kind: Literal["inbound", "outbound"],
    *,
    name: str,
    filters: Sequence[Config],
    replies: Config,
    access_log: Path | None,
    strip: tuple[str, ...] = (),
    trusts_hop: bool = False,
) -> dict[str, Any]:
    """Return a filter chain that speaks HTTP; its listener tells ``caller`` and ``slot`` of an outbound, and ``callee``.

    Args:
        kind: What the log calls the listener.
        name: Of the routes that it asks for, and of its statistics.
        filters: Before the router.
        replies: ``LocalReplyConfig``.
        access_log: Where to log; nowhere when None.
        strip: Headers that no client may set, beside those by which callers are named.
        trusts_hop: Whether only proxies of the mesh can connect, so that what they say of the client counts.
    """
    identity = client_identity()
    if trusts_hop:
        identity = {**identity, "use_remote_address": False, "append_x_forwarded_port": False}
    limits = protocol_limits()
    is_watched = kind == "inbound" and access_log is not None
    config = {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "rds": {"config_source": ADS_SOURCE, "route_config_name": name},
        "early_header_mutation_extensions": [
            _stripped((*IDENTITY_HEADERS, *strip), notes_carried=kind == "outbound")
        ],
        "http_filters": [*filters, router(access_log) if is_watched else ROUTER],
        **identity,
        **limits,
        # Proxies share a connection for many requests, and WebSockets among them (RFC 8441).
        "http2_protocol_options": {
            **limits["http2_protocol_options"],
            "max_concurrent_streams": 1000 if trusts_hop else 100,
            "allow_connect": True,
        },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": _logs(kind, access_log) if access_log else [],
        "local_reply_config": replies,
    }
    spoken = {"name": "http", "typed_config": config}
    return {"filters": [_BOUNDED, spoken] if kind == "outbound" else [spoken]}


@lru_cache
def _logs(kind: Literal["inbound", "outbound"], access_log: Path) -> list[Config]:
    caller = f"%DYNAMIC_METADATA({NAMESPACE}:{CALLER})%" if kind == "inbound" else tells("caller")
    fields = {
        "listener": kind,
        "caller": caller,
        "would": f"%DYNAMIC_METADATA({RBAC}:shadow_engine_result)%",
        **LOG_FIELDS,
    }
    refused = refused_requests(access_log, kind, caller=caller, service=tells("callee"))
    logs: list[Config] = [Shared(json_log(access_log, fields)), Shared(refused)]
    if kind == "outbound":
        logs.append(Shared(failed_calls(access_log, caller=caller, slot=tells("slot"))))
    return logs


@lru_cache
def _stripped(headers: tuple[str, ...], *, notes_carried: bool) -> Config:
    mutations: list[Config] = [{"remove": header} for header in (*headers, CARRIED_HEADER)]
    if notes_carried:
        header = {"key": CARRIED_HEADER, "value": "%REQ(TRACEPARENT?X-REQUEST-ID):64%"}
        mutations.append({"append": {"header": header, "keep_empty_value": False}})
    extension = {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": TYPE_PREFIX + _EARLY,
            "mutations": mutations,
        },
    }
    return Shared(extension)


@lru_cache(maxsize=REMEMBERED)
def way_within(service: str) -> Config:
    """Return the ``Cluster`` that leads to the inbound of a service of the same Envoy, without a token."""
    return {
        **bare_cluster(way_name(service), None),
        "type": "STATIC",
        "transport_socket": WITHIN,
        "circuit_breakers": _EVERYTHING_AGAIN,
        "load_assignment": within(way_name(service), service),
    }


@lru_cache(maxsize=REMEMBERED)
def way_beside(service: str, at: Address) -> Config:
    """Return the ``Cluster`` that leads to the inbound of a service in another Envoy, without a token.

    It speaks what the client speaks. On a connection that many clients share, those that read nothing would hold up the others.
    """
    name = way_name(service, is_beside=True)
    return {
        **bare_cluster(name, None),
        **bound_in(at.network),
        "type": "STATIC",
        "circuit_breakers": _EVERYTHING_AGAIN,
        "load_assignment": reached(name, (Endpoint(at.port, at.address),)),
    }


def reached(cluster: str, places: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the ``ClusterLoadAssignment`` of a cluster that leads to some addresses."""
    ends = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": at.address, "port_value": at.port}}
            }
        }
        for at in places
    ]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": ends}]}


def within(cluster: str, service: str) -> dict[str, Any]:
    """Return the ``ClusterLoadAssignment`` of a cluster that leads to an inbound of the same Envoy."""
    where = {"envoy_internal_address": {"server_listener_name": inbound_name(service)}}
    return {
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}],
    }


def bare_cluster(name: str, protocol: Protocol | None, **options: Any) -> dict[str, Any]:
    """Return what clusters within the mesh have in common: neither bounds nor opinions of their own.

    Args:
        name: Of the cluster.
        protocol: See :data:`BY_PROTOCOL`.
        options: More fields of ``HttpProtocolOptions``.
    """
    return {
        "name": name,
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": BUFFER,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _UNBOUNDED,
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": "60s"},
                **BY_PROTOCOL[protocol],
                **options,
            }
        },
    }
