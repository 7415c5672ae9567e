"""A service of which both sides are compared: copies of safe requests go to a comparer, which asks both sides.

Nobody waits for the comparer. Envoy sends a copy beside the request and throws its answer away; what the comparer does not
take at once is dropped, and the few copies that may be under way bound what a comparer that hangs can hold. It asks both sides
by a listener of its own, on a socket that only this platform's user may open: so it needs no token, meets no limit, and
reaches instances wherever they are. Nothing that comes from there is copied again, here or elsewhere.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge_away import away_cluster, away_endpoints
from drystone.l10_engines.proxy.edge_clusters import BUFFER, HTTP_OPTIONS, UPSTREAM_IDLE, seconds
from drystone.l10_engines.proxy.edge_endpoints import Endpoint
from drystone.l10_engines.proxy.edge_moves import COPY, Mirror, Move
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

COPIED_METHODS = ("GET", "HEAD")
"""Methods that change nothing (RFC 9110 section 9.2.1), and of which an answer can be compared."""

_AT_ONCE = 16
"""Copies under way; what comes beyond is dropped."""

NOT_A_COPY: Config = {"name": COPY, "present_match": True, "invert_match": True}


def copies_name(service: str) -> str:
    """Name the cluster of whoever compares."""
    return f"{service}:copies"


def alone_name(service: str) -> str:
    """Name the cluster of the other side with nothing behind it."""
    return f"{service}:alone"


def copying(service: EdgeService, move: Move, mirror: Mirror) -> dict[str, Any]:
    """Return the part of a ``RouteAction`` that sends copies."""
    share = {"numerator": mirror.share, "denominator": "TEN_THOUSAND"}
    policy = {
        "cluster": copies_name(service.name),
        "runtime_fraction": {"default_value": share},
        "trace_sampled": False,
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": set_header(COPY, move.label)}],
    }
    return {"request_mirror_policies": [policy]}


def copies_cluster(service: EdgeService, mirror: Mirror) -> Config:
    """Return the ``Cluster`` of whoever compares."""
    name = copies_name(service.name)
    address = {"pipe": {"path": str(mirror.copies)}}
    bounds = {
        "max_connections": _AT_ONCE,
        "max_pending_requests": _AT_ONCE,
        "max_requests": _AT_ONCE,
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "per_connection_buffer_limit_bytes": BUFFER,
        "circuit_breakers": {"thresholds": [bounds]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + HTTP_OPTIONS,
                "common_http_protocol_options": {
                    "idle_timeout": seconds(UPSTREAM_IDLE),
                    # A copy has the limits of its request, which may have none.
                    "max_stream_duration": "10s",
                },
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def alone_cluster(service: EdgeService, move: Move, connections: int) -> Config:
    """Return the ``Cluster`` of the other side alone: an answer of this side would be compared with itself."""
    return {**away_cluster(service, move, connections), "name": alone_name(service.name)}


def alone_endpoints(service: EdgeService, move: Move, edge: Endpoint) -> Config:
    """Return the ``ClusterLoadAssignment`` of the other side alone."""
    alone = msgspec.structs.replace(move, has_fallback=False)
    return {
        **away_endpoints(service, alone, edge),
        "cluster_name": alone_name(service.name),
    }
