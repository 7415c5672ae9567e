"""Ways out that a service declares, and the end of all others.

A way out passes bytes on and never looks into them: TLS goes from the service to the host outside, whose certificate the
service checks itself. Only which host is asked for is read, where the client says it in the clear (SNI, RFC 6066 section 3).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import BUFFER
from drystone.l10_engines.proxy.edge_listener import (
    HTTP_CONNECTION,
    LOG_FIELDS,
    ROUTER,
    client_identity,
    json_log,
    protocol_limits,
)
from drystone.l10_engines.proxy.local_replies import Answer, any_error, local_replies
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.refusal_log import refused_connections
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.checks import check_catcher, check_egress
from drystone.l35_mesh.sidecar.connections import NO_LIMIT, listening
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import Catcher, Egress, issuer_of

NOWHERE = "*nowhere"  # no service can have this name
_TCP = TYPE_PREFIX + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_LISTENER_FILTERS = TYPE_PREFIX + "envoy.extensions.filters.listener"

_FIRST_WORDS = "1s"
"""How long a client may take to say which host it wants, before it counts as one that does not say."""


def egress_name(egress: Egress) -> str:
    """Name the listener and the cluster of a way out."""
    return f"egress/{egress.caller}>{egress.host}:{egress.port}"


def catcher_name(caller: str) -> str:
    """Name the listener at which everything ends that a service has not declared."""
    return f"caught/{caller}"


@lru_cache(maxsize=PARTS)
def egress_part(egress: Egress, access_log: Path) -> Snapshot:
    """Return all that belongs to a way out.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_egress(egress)
    name, caller = egress_name(egress), issuer_of(egress.caller)
    passes: dict[str, Any] = {
        "filters": [_tcp(name, json_log(access_log, _fields(egress, caller)))]
    }
    chains = [passes]
    if egress.tls:
        passes["filter_chain_match"] = {"transport_protocol": "tls", "server_names": [egress.host]}
        refused = refused_connections(access_log, "egress", caller=caller)
        chains.append({"filters": [_tcp(NOWHERE, refused)]})
    listener = {
        **listening(name, egress.listen, chains, {}),
        **(_inspected("tls_inspector") if egress.tls else {}),
    }
    return Snapshot(
        clusters={name: _outside(name, egress), NOWHERE: _NOWHERE},
        listeners={name: listener},
        optional=frozenset({name}),
    )


@lru_cache(maxsize=PARTS)
def catcher_part(catcher: Catcher, access_log: Path) -> Snapshot:
    """Return all that belongs to the end of undeclared ways; whoever speaks HTTP is told what to declare.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_catcher(catcher)
    name = catcher_name(catcher.caller)
    issuer = issuer_of(catcher.caller)
    told = Answer(
        when=any_error("mesh"),
        code="DestinationUndeclared",
        title="The caller did not declare this destination",
        detail=f"{issuer} may not reach %REQ(:AUTHORITY):255% (%DOWNSTREAM_LOCAL_ADDRESS%). A service is added to"
        " `dependencies` of its descriptor, and called at the address that is then given; a host outside is added to"
        " `network.egress` as `host:port`.",
    )
    named = refused_connections(access_log, "catcher", caller=issuer, name="%REQ(:AUTHORITY):255%")
    speaks_http = {
        "filter_chain_match": {"application_protocols": ["http/1.0", "http/1.1", "h2c"]},
        "filters": [_answering(name, local_replies("mesh", [told]), named)],
    }
    unnamed = refused_connections(access_log, "catcher", caller=issuer)
    chains: list[Config] = [speaks_http, {"filters": [_tcp(NOWHERE, unnamed)]}]
    listener = {
        **listening(name, catcher.listen, chains, {}),
        **_inspected("original_dst", "tls_inspector", "http_inspector"),
    }
    return Snapshot(
        clusters={NOWHERE: _NOWHERE}, listeners={name: listener}, optional=frozenset({name})
    )


def _fields(egress: Egress, caller: str) -> Config:
    """Return what the log says of a connection to the host outside."""
    same = ("time", "client", "instance", "flags", "details", "received_bytes", "sent_bytes")
    return {
        "listener": "egress",
        "caller": caller,
        "host": f"{egress.host}:{egress.port}",
        **{key: LOG_FIELDS[key] for key in (*same, "duration_ms")},
    }


def _answering(name: str, replies: Config, log: Config) -> Config:
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 403}}
    host = {"name": name, "domains": ["*"], "routes": [route]}
    config = {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "route_config": {"name": name, "virtual_hosts": [host]},
        "http_filters": [ROUTER],
        **client_identity(),
        **protocol_limits(),
        "access_log": [log],
        "local_reply_config": replies,
    }
    return {"name": "http", "typed_config": config}


def _tcp(cluster: str, log: Config) -> Config:
    config = {
        "@type": _TCP,
        "stat_prefix": cluster,
        "cluster": cluster,
        "idle_timeout": "3600s",
        "access_log": [log],
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def _inspected(*kinds: str) -> dict[str, Any]:
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


def _outside(name: str, egress: Egress) -> Config:
    try:
        ipaddress.ip_address(egress.host)
        kind: dict[str, Any] = {"type": "STATIC"}
    except ValueError:
        # Looked up again when the answer's time is over, and what was found stays while nobody answers.
        kind = {"type": "STRICT_DNS", "respect_dns_ttl": True, "dns_lookup_family": "V4_PREFERRED"}
    at = {"socket_address": {"address": egress.host, "port_value": egress.port}}
    return {
        "name": name,
        **kind,
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BUFFER,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [{"max_connections": NO_LIMIT, "max_pending_requests": NO_LIMIT}]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at}}]}],
        },
    }


_NOWHERE: Config = {
    "name": NOWHERE,
    "type": "STATIC",
    "connect_timeout": "1s",
    "load_assignment": {"cluster_name": NOWHERE},
}
