"""How the edge listens: protocol limits, what it logs, what it answers itself.

Limits follow "Configuring Envoy as an edge proxy" of Envoy's documentation, where no reason is given. Envoy's
own limits on floods of HTTP/2 frames hold as they are; ``tests/faults/test_hostile_clients.py`` proves them. Slashes
that a path escapes stay escaped, since the edge chooses by host alone and what a path means is the application's affair.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.attempt_log import attempts
from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, BUFFER
from drystone.l10_engines.proxy.edge_guard import FILTER, REFUSED, RULE
from drystone.l10_engines.proxy.edge_routes import ROUTES
from drystone.l10_engines.proxy.edge_way_hosts import NETWORKS
from drystone.l10_engines.proxy.local_replies import (
    INSTANCE_ANSWERS,
    Answer,
    local_replies,
    otherwise,
)
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.occasions import flags, says

LISTENER = "edge"
HTTP_CONNECTION = (
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
ROUTER = Shared(
    {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": TYPE_PREFIX + "envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": True,
        },
    }
)


@lru_cache
def router(access_log: Path) -> Config:
    """Return the router of a listener that leads to instances: it writes attempts down where routes say so."""
    config = {**ROUTER["typed_config"], "upstream_log": [attempts(access_log)]}
    return Shared({**ROUTER, "typed_config": config})


_FILE_LOG = "envoy.extensions.access_loggers.file.v3.FileAccessLog"

# What a client chooses is cut: nobody fills a disk or hides a line by writing 60 kB into each.
LOG_FIELDS = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID):128%",
    "trace": "%REQ(TRACEPARENT):128%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "protocol": "%PROTOCOL%",
    "method": "%REQ(:METHOD):32%",
    "host": "%REQ(:AUTHORITY):255%",
    "path": "%PATH(NQ:ORIG_OR_PATH):2048%",  # no query: that is where people put tokens
    "agent": "%REQ(USER-AGENT):512%",
    "service": "%ROUTE_NAME%",
    "instance": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "received_bytes": "%BYTES_RECEIVED%",
    "sent_bytes": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "first_byte_ms": "%RESPONSE_DURATION%",
}


def listener(
    address: str, port: int, access_log: Path, *, name: str = LISTENER, routes: str = ROUTES
) -> dict[str, Any]:
    """Return a ``Listener`` of the edge: HTTP/1.1 and HTTP/2 with prior knowledge on one port."""
    return {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": port}},
        # A second Envoy may listen on the same port, and so replace the first without a gap.
        "enable_reuse_port": True,
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": http_connections(access_log, routes)}]}
        ],
    }


def http_connections(access_log: Path, routes: str, *, is_secure: bool = False) -> dict[str, Any]:
    """Return the ``HttpConnectionManager`` of a listener of the edge.

    Args:
        access_log: File for one JSON object per request.
        routes: Name of its routes.
        is_secure: Whether it knows the hosts of one certificate alone.
    """
    return {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": LISTENER,
        "codec_type": "AUTO",
        "rds": {"config_source": ADS_SOURCE, "route_config_name": routes},
        "http_filters": [FILTER, NETWORKS, router(access_log)],
        **client_identity(),
        **protocol_limits(),
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [json_log(access_log, {"listener": "edge", **LOG_FIELDS, "guard": RULE})],
        "local_reply_config": _local_replies(is_secure=is_secure),
    }


def json_log(path: Path, fields: Config) -> dict[str, Any]:
    """Return an ``AccessLog`` that writes a JSON object per request.

    Args:
        path: Where to.
        fields: Envoy's ``%COMMAND%`` operators, by key of the object.
    """
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": TYPE_PREFIX + _FILE_LOG,
            "path": str(path),
            "log_format": {"json_format": fields},
        },
    }


def client_identity() -> dict[str, Any]:
    """Say who the client is, and let no client say it, nor steer retries by ``x-envoy-*`` headers."""
    return {
        "use_remote_address": True,
        "skip_xff_append": True,  # the routes say it better: for a local client, this names the host
        # No address is trusted for being near: an empty list would mean this machine, whose clients could
        # then set timeouts and retries by x-envoy-* headers. This one no connection comes from.
        "internal_address_config": {
            "cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]
        },
        "append_x_forwarded_port": True,
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "server_header_transformation": "PASS_THROUGH",
    }


def protocol_limits() -> dict[str, Any]:
    """Bound what a client may send, and how long it may take for it."""
    return {
        "max_request_headers_kb": 60,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        # While Envoy drains, it closes a connection only so long after its last answer.
        "drain_timeout": "0.5s",
        "normalize_path": True,
        "strip_trailing_host_dot": True,
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 200,
            # a_b and a-b are one header to CGI and WSGI: dropping the first keeps it from being forged.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http_protocol_options": {
            "accept_http_10": True
        },  # old health checkers and load generators
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 64 << 10,
            "initial_connection_window_size": 1 << 20,
        },
    }


def _local_replies(*, is_secure: bool) -> Config:
    """Make each answer of the edge itself a problem document that says what to do."""
    host = "%REQ(:AUTHORITY):255%"
    unknown = Answer(
        when=flags("NR"),
        code="HostNotFound",
        title="No service has this host name",
        detail=f"No service answers at {host}. `drystone services` lists those that exist.",
    )
    elsewhere = Answer(
        when=flags("NR"),
        code="HostElsewhere",
        title="This connection is for another host",
        detail=f"The certificate of this connection is not for {host}: connect to that name.",
        status=421,
    )
    outside = Answer(
        when=says("response.code == 403 && response.code_details.startsWith('rbac_access_denied')"),
        code="NetworkRefused",
        title="This network may not come in here",
        detail=f"The way in to %ROUTE_NAME% at {host} is closed to the network of"
        " %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%.",
    )
    first = elsewhere if is_secure else unknown
    return local_replies(
        "edge", (first, outside, REFUSED, *INSTANCE_ANSWERS, otherwise("edge", "edge"))
    )
