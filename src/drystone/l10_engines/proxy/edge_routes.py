"""Which request goes to which service, how long it may take and when it is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import seconds, shares_of
from drystone.l10_engines.proxy.edge_services import REMEMBERED, EdgeService
from drystone.l10_engines.proxy.messages import Config

ROUTES = "edge"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_LARGEST_INDEX = 4 << 20

# Frameworks take the client's address, the scheme or even the path from these if they are told to trust a proxy.
_SAID_OF_ITSELF = (
    "forwarded",
    "x-real-ip",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-original-url",
    "x-rewrite-url",
    "x-envoy-attempt-count",
    "x-envoy-external-address",
)

# A request that never reached the application may always be sent again.
UNSENT = ("connect-failure", "refused-stream")
RETRY_SAFE = (*UNSENT, "reset", "gateway-error")
# A 502 or 503 of the application itself is its answer to a PUT; only a broken connection is none.
RETRY_IDEMPOTENT = (*UNSENT, "reset")
RETRY_OTHERS = (*UNSENT, "reset-before-request")


def route_configuration(hosts: Sequence[Config], *, name: str = ROUTES) -> dict[str, Any]:
    """Return the ``RouteConfiguration`` of a listener from its virtual hosts."""
    return {
        "name": name,
        "virtual_hosts": list(hosts),
        # Whoever maps the port to another one still reaches the services by name.
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": _LARGEST_INDEX,
        # No proxy in front of the edge is trusted, so what a client says of itself is replaced.
        "request_headers_to_add": [
            _header("x-forwarded-host", "%REQ(:AUTHORITY)%"),
            _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
        ],
        "request_headers_to_remove": list(_SAID_OF_ITSELF),
        "response_headers_to_remove": ["server"],
    }


@lru_cache(maxsize=REMEMBERED)
def service_host(service: EdgeService, domains: tuple[str, ...]) -> Config:
    """Return a ``VirtualHost`` of a service; its first route that matches decides."""
    websocket = {"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}
    events = {
        "name": "accept",
        "string_match": {"contains": "text/event-stream", "ignore_case": True},
    }
    # A call may be a stream that is silent for long; how long a reply may take, the caller says (grpc-timeout).
    call = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    safe = any_method(SAFE_METHODS)
    again = [method for method in service.idempotent_methods if method not in SAFE_METHODS]
    routes = [
        _route(service, [websocket], RETRY_OTHERS, service.stream_timeout),
        _route(service, [call], RETRY_OTHERS, service.stream_timeout),
        _route(service, [events, safe], RETRY_SAFE, service.stream_timeout),
        _route(service, [events], RETRY_OTHERS, service.stream_timeout),
        _route(service, [safe], RETRY_SAFE, service.timeout),
        *(
            [_route(service, [any_method(again)], RETRY_IDEMPOTENT, service.timeout)]
            if again
            else []
        ),
        _route(service, [], RETRY_OTHERS, service.timeout),
    ]
    return {"name": service.name, "domains": list(domains), "routes": routes}


def any_method(methods: Sequence[str]) -> dict[str, Any]:
    """Match any of these methods; each consists of letters and -, so that the pattern means itself."""
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(methods)}}}


def _route(
    service: EdgeService, headers: list[dict[str, Any]], retry_on: Sequence[str], silence: timedelta
) -> dict[str, Any]:
    return {
        "name": service.name,
        "match": {"prefix": "/", "headers": headers},
        "route": {
            **_destination(service),
            # The limit of the whole answer is off: it would cut long downloads and event streams. The
            # idle timeout counts from the last byte in either direction, and so limits silence.
            "timeout": "0s",
            "idle_timeout": seconds(silence),
            "retry_policy": {
                "retry_on": ",".join(retry_on),
                "num_retries": 3,
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                            ".PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 5,
                "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
            },
        },
    }


def _destination(service: EdgeService) -> dict[str, Any]:
    shares = shares_of(service)
    if len(shares) == 1:
        return {"cluster": next(iter(shares))}
    clusters = [{"name": name, "weight": share} for name, share in shares.items()]
    return {"weighted_clusters": {"clusters": clusters}}


def index_host(hosts: Sequence[str], page: str, more: Sequence[Config] = ()) -> dict[str, Any]:
    """Return the ``VirtualHost`` that answers its root with a page.

    Args:
        hosts: Its domains.
        page: HTML.
        more: Its other routes.
    """
    index = {
        "name": "index",
        "match": {"path": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": page}},
        "response_headers_to_add": [
            _header("content-type", "text/html; charset=utf-8"),
            _header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            _header("cache-control", "no-store"),
            _header("x-content-type-options", "nosniff"),
        ],
    }
    # No service can have this name.
    return {"name": "*index", "domains": list(hosts), "routes": [index, *more]}


def _header(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
