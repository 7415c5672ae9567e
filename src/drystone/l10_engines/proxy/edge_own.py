"""The platform's own pages: behind a path of the hosts at which the index answers, on a unix socket."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge_clusters import BUFFER, HTTP_OPTIONS, UPSTREAM_IDLE, seconds
from drystone.l10_engines.proxy.edge_routes import RETRY_OTHERS, SAFE_METHODS, UNSENT, any_method
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_SILENCE = timedelta(minutes=2)

_MOST = 100
"""Requests that one of them works on at once; what comes beyond waits."""

# Whoever answers with 502 or 503 means it; a socket on which nobody listens is worth another try.
_RETRY_SAFE = (*UNSENT, "reset")


class OwnService(msgspec.Struct, frozen=True, kw_only=True):
    """A service of the platform that people reach at the edge.

    Attributes:
        name: Also the first part of its path: it answers below ``/NAME/``, and sees paths without that.
        title: What the index calls it.
        socket: Where it listens.
        host: A name at which it answers alone, whatever the path; it has none when None. Cookies that it sets there go to
            nobody else.
        has_path: Whether it answers below its path, too; one that does not has a host.
        is_root: Whether it answers, in place of the index and at the same hosts, whatever no other of them does. One may.
    """

    name: str
    title: str
    socket: Path
    host: str | None = None
    has_path: bool = True
    is_root: bool = False


def check_own(own: Sequence[OwnService], others: Sequence[str]) -> None:
    """Refuse names that cannot stand in a path, and those that somebody else has.

    Raises:
        InvalidProxyConfig: There is one.
    """
    taken = set(others)
    for one in own:
        if not _NAME.fullmatch(one.name):
            raise InvalidProxyConfig(
                f"{one.name!r} cannot name a service of the platform: use letters, digits and -"
            )
        if one.name in taken:
            raise InvalidProxyConfig(f"two services are called {one.name}; rename one")
        taken.add(one.name)
    if len(roots := [one.name for one in own if one.is_root]) > 1:
        raise InvalidProxyConfig(f"{' and '.join(roots)} cannot both answer in place of the index")


def own_cluster(one: OwnService) -> Config:
    """Return the ``Cluster`` of one; it has a single host, which is never set aside."""
    address = {"pipe": {"path": str(one.socket)}}
    return {
        "name": one.name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": BUFFER,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _MOST,
                    "max_pending_requests": 10 * _MOST,
                    # When the program dies, everything that was under way is sent again.
                    "max_retries": 10 * _MOST,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": one.name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": seconds(UPSTREAM_IDLE)},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def own_host(one: OwnService) -> Config:
    """Return the ``VirtualHost`` of one that has a name of its own."""
    routes = [
        _route(one, [any_method(SAFE_METHODS)], _RETRY_SAFE, prefix="/"),
        _route(one, [], RETRY_OTHERS, prefix="/"),
    ]
    return {"name": f"*{one.name}", "domains": [one.host], "routes": routes}


def own_routes(one: OwnService) -> list[Config]:
    """Return the routes to one, and the one to its path with the slash at the end."""
    path = f"/{one.name}"
    if not one.has_path:
        return []
    if one.is_root:
        return [
            _route(one, [any_method(SAFE_METHODS)], _RETRY_SAFE, prefix="/"),
            _route(one, [], RETRY_OTHERS, prefix="/"),
        ]
    return [
        {"name": one.name, "match": {"path": path}, "redirect": {"path_redirect": f"{path}/"}},
        _route(one, [any_method(SAFE_METHODS)], _RETRY_SAFE),
        _route(one, [], RETRY_OTHERS),
    ]


def _route(
    one: OwnService,
    headers: list[Config],
    retry_on: Sequence[str],
    *,
    prefix: str | None = None,
) -> dict[str, Any]:
    return {
        "name": one.name,
        "match": {"prefix": prefix or f"/{one.name}/", "headers": headers},
        "route": {
            "cluster": one.name,
            "prefix_rewrite": "/",
            "timeout": "0s",
            "idle_timeout": seconds(_SILENCE),
            "retry_policy": {
                "retry_on": ",".join(retry_on),
                "num_retries": 3,
                "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
            },
        },
    }
