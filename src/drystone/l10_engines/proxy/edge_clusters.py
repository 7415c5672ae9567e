"""How the edge reaches the instances of a service."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from drystone.l10_engines.proxy.edge_services import REMEMBERED, EdgeService, Pool
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

ADS_SOURCE = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "5s"}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# Servers close connections that are idle, uvicorn and Node after 5 s, gunicorn after 2 s; a request that
# meets the close is lost. So the edge closes first.
_UPSTREAM_IDLE = timedelta(seconds=1.5)
_NO_LIMIT = 100_000


def seconds(span: timedelta) -> str:
    """Return a duration in protobuf's JSON form, to the microsecond."""
    return f"{span // timedelta(seconds=1)}.{span.microseconds:06d}s"


@lru_cache(maxsize=REMEMBERED)
def cluster(name: str) -> Config:
    """Return the ``Cluster`` of a service; it is the same whatever its instances are."""
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS_SOURCE},
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "1s",
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
                    "max_connections": _NO_LIMIT,
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
            _HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + _HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": seconds(_UPSTREAM_IDLE)},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _outlier_detection() -> dict[str, Any]:
    """Set aside instances that cannot be reached, never those that answer with an error.

    An application's own 500 says nothing about another request, and a service with one bad page must
    not vanish for it. 99 % spares the last instance: it is tried again on every request.
    """
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 2,
        "enforcing_consecutive_local_origin_failure": 100,
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
def endpoints(service: EdgeService) -> Config:
    """Return the ``ClusterLoadAssignment`` of a service: a locality per pool that has instances."""
    return {
        "cluster_name": service.name,
        "endpoints": [_locality(pool) for pool in service.pools if pool.endpoints],
    }


def _locality(pool: Pool) -> dict[str, Any]:
    locality: dict[str, Any] = {"locality": {"zone": pool.zone}}
    if pool.weight:
        locality["load_balancing_weight"] = pool.weight
    # A host that drains stays in the list, so that its requests can still be counted.
    health = "HEALTHY" if pool.weight else "DRAINING"
    locality["lb_endpoints"] = [
        {
            "endpoint": {
                "address": {
                    "socket_address": {"address": endpoint.address, "port_value": endpoint.port}
                }
            },
            "health_status": health,
        }
        for endpoint in pool.endpoints
    ]
    return locality
