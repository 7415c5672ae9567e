"""How the edge reaches the instances of a service.

A service is one cluster, and one more while releases of it speak another protocol: Envoy speaks one with all hosts of a
cluster. A request is sent to the cluster whose pools have weight.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge_endpoints import Protocol
from drystone.l10_engines.proxy.edge_services import REMEMBERED, EdgeService, Pool
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

ADS_SOURCE = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "5s"}
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# Servers close connections that are idle, uvicorn and Node after 5 s, gunicorn after 2 s; a request that
# meets the close is lost. So the edge closes first.
UPSTREAM_IDLE = timedelta(seconds=1.5)
_NO_LIMIT = 100_000

MOST_CONNECTIONS = 100_000
"""Connections to the instances of one service; fewer where the system allows fewer open files."""

BUFFER = 32 << 10
"""Bytes of a message that Envoy holds on either side while the other does not take them.

By default it is a megabyte for instances: some hundred clients that read slowly would fill all memory.
"""

_PROTOCOLS: dict[Protocol, dict[str, Any]] = {
    "http1": {"http_protocol_options": {}},
    # Envoy's own windows are megabytes for each stream, which it would hold for a client that reads slowly.
    "http2": {
        "http2_protocol_options": {
            "initial_stream_window_size": 64 << 10,
            "initial_connection_window_size": 1 << 20,
        }
    },
}


def seconds(span: timedelta) -> str:
    """Return a duration in protobuf's JSON form, to the microsecond."""
    return f"{span // timedelta(seconds=1)}.{span.microseconds:06d}s"


def cluster_name(service: str, protocol: Protocol) -> str:
    """Name the cluster of a service's instances that speak a protocol."""
    return service if protocol == "http1" else f"{service}:{protocol}"


def cluster_names(service: str) -> frozenset[str]:
    """Name every cluster that a service may have."""
    return frozenset(
        (
            away_name(service),
            canary_name(service),
            *(cluster_name(service, protocol) for protocol in _PROTOCOLS),
        )
    )


def away_name(service: str) -> str:
    """Name the cluster of the other side of a service that moves."""
    return f"{service}:away"


def canary_name(service: str) -> str:
    """Name the cluster of a release of a service that is tried beside the one that serves."""
    return f"{service}:canary"


def protocols_of(service: EdgeService) -> tuple[Protocol, ...]:
    """Return what the instances of a service speak; HTTP/1.1 when there are none."""
    spoken = {pool.protocol for pool in service.pools if pool.endpoints}
    return tuple(protocol for protocol in _PROTOCOLS if protocol in spoken) or ("http1",)


def shares_of(service: EdgeService) -> dict[str, int]:
    """Return the clusters that get requests, with the share of each."""
    spoken = protocols_of(service)
    shares = {
        cluster_name(service.name, protocol): sum(
            pool.weight for pool in service.pools if pool.endpoints and pool.protocol == protocol
        )
        for protocol in spoken
    }
    weighty = {name: share for name, share in shares.items() if share}
    return weighty or {cluster_name(service.name, spoken[0]): 1}


@lru_cache(maxsize=REMEMBERED)
def cluster(
    name: str,
    protocol: Protocol,
    connections: int = MOST_CONNECTIONS,
    network: Path | None = None,
) -> Config:
    """Return a ``Cluster`` of a service; it is the same whatever its instances are.

    Args:
        name: The service.
        protocol: What its instances speak.
        connections: How many there may be to them; a request beyond waits for one that becomes free.
        network: File of the network namespace in which they listen; that of the host when None.
    """
    return {
        **bound_in(network),
        "name": cluster_name(name, protocol),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS_SOURCE},
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": BUFFER,
        "common_lb_config": {
            "locality_weighted_lb_config": {},
            # Below half of its hosts healthy, Envoy would by default send to all of them.
            "healthy_panic_threshold": {"value": 0},
            # By default the second change of weights within a second waits for its end.
            "update_merge_window": "0s",
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": connections,
                    "max_pending_requests": _NO_LIMIT,
                    "max_requests": _NO_LIMIT,
                    # When half of the instances die at once, half of the requests need a retry.
                    "retry_budget": {
                        "budget_percent": {"value": 100},
                        "min_retry_concurrency": 100,
                    },
                }
            ]
        },
        "outlier_detection": _outlier_detection(),
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": seconds(UPSTREAM_IDLE)},
                "explicit_http_config": _PROTOCOLS[protocol],
            }
        },
    }


def bound_in(network: Path | None) -> dict[str, Any]:
    """Return what makes a cluster connect inside a network namespace; nothing for that of the host."""
    if network is None:
        return {}
    source = {
        "address": "127.0.0.1",
        "port_value": 0,
        "network_namespace_filepath": str(network),
    }
    return {"upstream_bind_config": {"source_address": source}}


def _outlier_detection() -> dict[str, Any]:
    """Set aside an instance that cannot be reached, while another can.

    An application's own 500 says nothing about another request, and a service with one bad page must
    not vanish for it. Nor may single breaks count: every WebSocket that a service closes looks like one.
    So an instance is set aside when everything failed within an interval, and only where two or more
    instances were asked often enough to tell: what drains counts as an instance too, so that a share of
    all would let the only one that serves be set aside.
    """
    return {
        "split_external_local_origin_errors": True,
        "failure_percentage_threshold": 100,
        "failure_percentage_minimum_hosts": 2,
        "failure_percentage_request_volume": 5,
        "enforcing_failure_percentage": 0,
        "enforcing_failure_percentage_local_origin": 100,
        "enforcing_consecutive_local_origin_failure": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "0.5s",
        "base_ejection_time": "1s",
        "max_ejection_time": "10s",
        "max_ejection_percent": 99,
    }


@lru_cache(maxsize=REMEMBERED)
def endpoints(service: EdgeService, protocol: Protocol) -> Config:
    """Return the ``ClusterLoadAssignment`` of a cluster: a locality per pool that has instances."""
    name = cluster_name(service.name, protocol)
    pools = [p for p in service.pools if p.endpoints and p.protocol == protocol]
    if name not in shares_of(service):
        # The route leads elsewhere. It changes after this, so until then all must go on as it was.
        pools = [msgspec.structs.replace(pool, weight=1) for pool in pools]
    return {"cluster_name": name, "endpoints": [_locality(pool) for pool in pools]}


def _locality(pool: Pool) -> dict[str, Any]:
    locality: dict[str, Any] = {"locality": {"zone": pool.zone}}
    if pool.weight:
        locality["load_balancing_weight"] = pool.weight
    # A host that drains stays in the list, so that its requests can still be counted.
    locality["lb_endpoints"] = [
        {
            "endpoint": {
                "address": {
                    "socket_address": {"address": endpoint.address, "port_value": endpoint.port}
                }
            },
            "health_status": "HEALTHY"
            if pool.weight and endpoint not in pool.draining
            else "DRAINING",
        }
        for endpoint in pool.endpoints
    ]
    return locality
