"""How the edge listens: protocol limits, what it logs, what it answers itself.

Limits follow "Configuring Envoy as an edge proxy" of Envoy's documentation, where no reason is given. Envoy's
own limits on floods of HTTP/2 frames hold as they are; ``tests/faults/test_hostile_clients.py`` proves them. Slashes
that a path escapes stay escaped, since the edge chooses by host alone and what a path means is the application's affair.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, BUFFER
from drystone.l10_engines.proxy.edge_routes import ROUTES
from drystone.l10_engines.proxy.messages import TYPE_PREFIX

LISTENER = "edge"
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
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
            {"filters": [{"name": "http", "typed_config": _http(access_log, routes)}]}
        ],
    }


def _http(access_log: Path, routes: str) -> dict[str, Any]:
    return {
        "@type": TYPE_PREFIX + _HCM,
        "stat_prefix": LISTENER,
        "codec_type": "AUTO",
        "rds": {"config_source": ADS_SOURCE, "route_config_name": routes},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": TYPE_PREFIX + _ROUTER, "suppress_envoy_headers": True},
            }
        ],
        **_identity(),
        **_limits(),
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": TYPE_PREFIX + _FILE_LOG,
                    "path": str(access_log),
                    "log_format": {"json_format": LOG_FIELDS},
                },
            }
        ],
        "local_reply_config": _local_replies(),
    }


def _identity() -> dict[str, Any]:
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


def _limits() -> dict[str, Any]:
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


def _local_replies() -> dict[str, Any]:
    """Make each answer of the edge itself a problem document (RFC 9457) that says what to do.

    A gRPC call gets a status and the sentence alone: Envoy would put the whole document into ``grpc-message``.
    """
    host, service = "%REQ(:AUTHORITY):255%", "%ROUTE_NAME%"
    answers: list[tuple[dict[str, Any], str, str, str]] = [
        (
            _flags("NR"),
            "HostNotFound",
            "No service has this host name",
            f"No service answers at {host}. `drystone services` lists those that exist.",
        ),
        (
            _flags("UH", "NC"),
            "NoHealthyInstance",
            "The service has no healthy instance",
            f"{service} has no instance that can answer now. `drystone services` shows its state.",
        ),
        (
            _flags("SI", "UT"),
            "InstanceSilent",
            "The service did not answer in time",
            f"{service} was silent for longer than its descriptor allows.",
        ),
        (
            _flags("UF", "UC", "UR", "LR", "URX", "UPE"),
            "InstanceFailed",
            "The service broke off the connection",
            f"An instance of {service} broke off the connection. `drystone logs` shows what it wrote.",
        ),
        (
            {
                "status_code_filter": {
                    "comparison": {
                        "op": "GE",
                        "value": {"default_value": 400, "runtime_key": "edge.problem"},
                    }
                }
            },
            "RequestRefused",
            "The edge refused the request",
            "%LOCAL_REPLY_BODY%",
        ),
    ]
    mappers: list[dict[str, Any]] = []
    for when, code, title, detail in answers:
        mappers += [
            {
                "filter": {"and_filter": {"filters": [_CALL, when]}},
                "body_format_override": {"text_format_source": {"inline_string": detail}},
            },
            {"filter": when, "body_format_override": _problem(code, title, detail)},
        ]
    return {"mappers": mappers}


_CALL = {
    "header_filter": {
        "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    }
}


def _flags(*flags: str) -> dict[str, Any]:
    return {"response_flag_filter": {"flags": list(flags)}}


def _problem(code: str, title: str, detail: str) -> dict[str, Any]:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"edge.{code}",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "instance": "%REQ(X-REQUEST-ID):128%",
        },
    }
