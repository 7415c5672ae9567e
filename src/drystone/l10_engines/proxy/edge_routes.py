"""Which request goes to which service, how long it may take and when it is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from drystone.l10_engines.proxy.edge_away import (
    OTHER_SIDE,
    comes_back,
    destination,
    destination_away,
)
from drystone.l10_engines.proxy.edge_canary import Way, chosen, hashed
from drystone.l10_engines.proxy.edge_clusters import seconds
from drystone.l10_engines.proxy.edge_mirror import COPIED_METHODS, NOT_A_COPY, copying
from drystone.l10_engines.proxy.edge_services import REMEMBERED, EdgeService
from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import Config, Shared

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

WEBSOCKET: Config = Shared(
    {"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}
)
# A call may be a stream that is silent for long; how long a reply may take, the caller says (grpc-timeout).
CALL: Config = Shared({"name": "content-type", "string_match": {"prefix": "application/grpc"}})
EVENTS: Config = Shared(
    {"name": "accept", "string_match": {"contains": "text/event-stream", "ignore_case": True}}
)


def route_configuration(hosts: Sequence[Config], *, name: str = ROUTES) -> dict[str, Any]:
    """Return the ``RouteConfiguration`` of a listener from its virtual hosts."""
    return {
        "name": name,
        "virtual_hosts": list(hosts),
        # Whoever maps the port to another one still reaches the services by name.
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": _LARGEST_INDEX,
        # No proxy in front of the edge is trusted, so what a client says of itself is replaced.
        "request_headers_to_add": _ADDED,
        "request_headers_to_remove": list(_SAID_OF_ITSELF),
        "response_headers_to_remove": ["server"],
    }


@lru_cache(maxsize=REMEMBERED)
def service_host(service: EdgeService, domains: tuple[str, ...]) -> Config:
    """Return a ``VirtualHost`` of a service; its first route that matches decides."""
    safe = any_method(SAFE_METHODS)
    again = [method for method in service.idempotent_methods if method not in SAFE_METHODS]
    kinds: list[_Kind] = [
        ([WEBSOCKET], RETRY_OTHERS, service.stream_timeout),
        ([CALL], RETRY_OTHERS, service.stream_timeout),
        ([EVENTS, safe], RETRY_SAFE, service.stream_timeout),
        ([EVENTS], RETRY_OTHERS, service.stream_timeout),
        ([safe], RETRY_SAFE, service.timeout),
        ([], RETRY_OTHERS, service.timeout),
    ]
    if again:
        kinds.insert(-1, ([any_method(tuple(again))], RETRY_IDEMPOTENT, service.timeout))
    routes = []
    for matched, where, more in ways_of(service):
        for headers, retry_on, silence in kinds:
            if headers == [safe]:
                routes += _copied(service, matched, where, more)
            route = _route(service, [*matched, *headers], retry_on, silence, where)
            routes.append({**route, **more})
    return Shared({"name": service.name, "domains": list(domains), "routes": routes})


@lru_cache
def any_method(methods: tuple[str, ...]) -> Config:
    """Match any of these methods; each consists of letters and -, so that the pattern means itself."""
    matched = {"safe_regex": {"regex": "|".join(methods)}}
    return Shared({"name": ":method", "string_match": matched})


_Kind: TypeAlias = tuple[list[Config], Sequence[str], timedelta]
"""Headers of a kind of request, when it is sent again, and how long its answer may be silent."""


def ways_of(service: EdgeService) -> list[Way]:
    """Return where requests go, by headers; the first that match decide."""
    move = service.move
    by_hash = hashed(service.canary, destination(service))
    if move is None:
        return [*chosen(service), *by_hash]
    stays = msgspec.structs.replace(service, move=None)
    ways: list[Way] = [
        ([comes_back(move), *matched], where, more)
        for matched, where, more in (
            *chosen(stays),
            *hashed(service.canary, destination(stays)),
        )
    ]
    for rule in move.rules:
        named = {"name": rule.header, "string_match": {"exact": rule.value}}
        ways.append(([named], destination_away(service, move), {}))
    return [*ways, *chosen(service), *by_hash]


def _copied(
    service: EdgeService, matched: list[Config], where: Config, more: Config
) -> list[Config]:
    """Return the route of requests of which copies are sent, if there are any on this way."""
    move = service.move
    if move is None or move.mirror is None or comes_back(move) in matched:
        return []
    headers = [*matched, any_method(COPIED_METHODS), NOT_A_COPY]
    where = {**where, **copying(service, move, move.mirror)}
    return [{**_route(service, headers, RETRY_SAFE, service.timeout, where), **more}]


def _route(
    service: EdgeService,
    headers: list[Config],
    retry_on: Sequence[str],
    silence: timedelta,
    where: Config,
) -> dict[str, Any]:
    return {
        "name": service.name,
        "match": {"prefix": "/", "headers": headers},
        "route": {
            **where,
            # The limit of the whole answer is off: it would cut long downloads and event streams. The
            # idle timeout counts from the last byte in either direction, and so limits silence.
            "timeout": "0s",
            "idle_timeout": seconds(silence),
            "retry_policy": _retry_policy(
                tuple(retry_on), has_sides=service.move is not None or service.canary is not None
            ),
        },
    }


@lru_cache
def _retry_policy(retry_on: tuple[str, ...], *, has_sides: bool) -> Config:
    return Shared(
        {
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
            **({"retry_priority": OTHER_SIDE} if has_sides else {}),
        }
    )


def index_host(
    hosts: Sequence[str], page: str | None, more: Sequence[Config] = ()
) -> dict[str, Any]:
    """Return the ``VirtualHost`` that answers its root with a page.

    Args:
        hosts: Its domains.
        page: HTML; None where one of the others answers.
        more: Its other routes.
    """
    if page is None:
        return {"name": "*index", "domains": list(hosts), "routes": list(more)}
    index = {
        "name": "index",
        "match": {"path": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": page}},
        "response_headers_to_add": [
            set_header("content-type", "text/html; charset=utf-8"),
            set_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
            set_header("cache-control", "no-store"),
            set_header("x-content-type-options", "nosniff"),
        ],
    }
    # No service can have this name.
    return {"name": "*index", "domains": list(hosts), "routes": [index, *more]}


_ADDED = [
    set_header("x-forwarded-host", "%REQ(:AUTHORITY)%"),
    set_header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
]
