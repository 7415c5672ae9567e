"""What ways out have in common: bytes that pass, and what is written down of it."""

from __future__ import annotations

from typing import Any

from drystone.l10_engines.proxy.edge_clusters import BUFFER
from drystone.l10_engines.proxy.edge_listener import LOG_FIELDS
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l35_mesh.sidecar.connections import NO_LIMIT
from drystone.l35_mesh.sidecar.model import Egress, issuer_of

NOWHERE = "*nowhere"  # no service can have this name
NOWHERE_AT_ALL: Config = {
    "name": NOWHERE,
    "type": "STATIC",
    "connect_timeout": "1s",
    "load_assignment": {"cluster_name": NOWHERE},
}
BEYOND: Config = {
    "connect_timeout": "5s",
    "per_connection_buffer_limit_bytes": BUFFER,
    "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    "circuit_breakers": {
        "thresholds": [
            {
                "max_connections": NO_LIMIT,
                "max_pending_requests": NO_LIMIT,
                "max_requests": NO_LIMIT,
            }
        ]
    },
}
"""What every cluster of a host outside has."""

_TCP = TYPE_PREFIX + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_LISTENER_FILTERS = TYPE_PREFIX + "envoy.extensions.filters.listener"

_FIRST_WORDS = "1s"
"""How long a client may take to say which host it wants, before it counts as one that does not say."""


def egress_name(egress: Egress) -> str:
    """Name the listener of a way out, and the cluster that is the host outside."""
    return f"egress/{egress.caller}>{egress.host}:{egress.port}"


def egress_fields(egress: Egress) -> Config:
    """Return what the log says of a connection to the host outside."""
    same = ("time", "client", "instance", "flags", "details", "received_bytes", "sent_bytes")
    return {
        "listener": "egress",
        "caller": issuer_of(egress.caller),
        "host": f"{egress.host}:{egress.port}",
        **{key: LOG_FIELDS[key] for key in (*same, "duration_ms")},
    }


def tcp(cluster: str, log: Config, **options: object) -> Config:
    """Return a network filter that passes bytes on.

    Args:
        cluster: Where to.
        log: ``AccessLog`` of connections.
        options: More fields of ``TcpProxy``.
    """
    config = {
        "@type": _TCP,
        "stat_prefix": cluster,
        "cluster": cluster,
        "idle_timeout": "3600s",
        "access_log": [log],
        **options,
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def inspected(*kinds: str) -> dict[str, Any]:
    """Return what makes a listener look at the begin of a connection: ``original_dst``, ``tls_inspector``, ``http_inspector``."""
    messages = {
        "original_dst": "OriginalDst",
        "tls_inspector": "TlsInspector",
        "http_inspector": "HttpInspector",
    }
    return {
        "listener_filters": [
            {
                "name": f"envoy.filters.listener.{kind}",
                "typed_config": {"@type": f"{_LISTENER_FILTERS}.{kind}.v3.{messages[kind]}"},
            }
            for kind in kinds
        ],
        "listener_filters_timeout": _FIRST_WORDS,
        # Who says nothing is refused like the others, and logged, where Envoy alone would only close.
        "continue_on_listener_filters_timeout": True,
    }
