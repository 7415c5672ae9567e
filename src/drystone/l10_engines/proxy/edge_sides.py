"""Where whoever compares asks both sides of a service that moves: a listener on a unix socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge_away import destination
from drystone.l10_engines.proxy.edge_clusters import BUFFER
from drystone.l10_engines.proxy.edge_listener import http_connections
from drystone.l10_engines.proxy.edge_mirror import COPIED_METHODS, alone_name
from drystone.l10_engines.proxy.edge_moves import COPY, HOP, SIDE, Mirror, Move
from drystone.l10_engines.proxy.edge_routes import any_method
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.messages import Config

SIDES = "sides/"
"""How names of these listeners and of their routes begin."""

_LIMIT = "5s"


def sides_listener(service: EdgeService, mirror: Mirror, access_log: Path) -> Config:
    """Return the ``Listener`` at which both sides can be asked."""
    name = SIDES + service.name
    return {
        "name": name,
        # Whoever connects is taken for somebody whose requests were let through before.
        "address": {"pipe": {"path": str(mirror.sides), "mode": 0o600}},
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": http_connections(access_log, name)}]}
        ],
    }


def sides_routes(service: EdgeService, move: Move) -> Config:
    """Return the ``RouteConfiguration`` of that listener; what is not safe goes to neither side."""
    here = destination(msgspec.structs.replace(service, move=None))
    there: dict[str, Any] = {"cluster": alone_name(service.name)}
    if move.host is not None:
        there["auto_host_rewrite"] = True
    safe = any_method(COPIED_METHODS)
    routes = [
        {
            "name": service.name,
            "match": {
                "prefix": "/",
                "headers": [safe, {"name": SIDE, "string_match": {"exact": side}}],
            },
            "route": {**where, "timeout": _LIMIT},
        }
        for side, where in (("here", here), ("there", there))
    ]
    refused = {
        "name": "refused",
        "match": {"prefix": "/"},
        "direct_response": {"status": 405},
    }
    return {
        "name": SIDES + service.name,
        # No service can have this name, so nobody leads these requests elsewhere.
        "virtual_hosts": [{"name": "*sides", "domains": ["*"], "routes": [*routes, refused]}],
        "request_headers_to_add": [
            {"header": {"key": name, "value": move.label}, "append_action": action}
            for name, action in (
                (HOP, "APPEND_IF_EXISTS_OR_ADD"),
                (COPY, "OVERWRITE_IF_EXISTS_OR_ADD"),
            )
        ],
        "request_headers_to_remove": [SIDE],
    }
