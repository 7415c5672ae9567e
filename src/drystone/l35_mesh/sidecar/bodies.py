"""How large the body of a request may be.

Where the client says how long it is, that decides, and nothing waits. Where it does not, the body is held back until its end
or until it is too long, which is the only way that Envoy has; so a bound beyond :data:`HELD` does not count there. Streams,
those of gRPC and WebSockets, have no length and no bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drystone.l10_engines.proxy.local_replies import Answer
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared

HELD = 4 << 20
"""Bytes of a body without a length that are held back."""

_BUFFER = "envoy.filters.http.buffer"
_TYPES = TYPE_PREFIX + "envoy.extensions.filters.http.buffer.v3."
_STREAMS = frozenset({"upgrade", "content-type"})
_MOST = 2**63 - 1

UNSIZED: Config = Shared(
    {
        "name": _BUFFER,
        "disabled": True,
        "typed_config": {"@type": f"{_TYPES}Buffer", "max_request_bytes": HELD},
    }
)
"""The filter that holds bodies back, where a route says so."""

TOO_LARGE = Answer(
    when={
        "status_code_filter": {
            "comparison": {
                "op": "EQ",
                "value": {"default_value": 413, "runtime_key": "mesh.too_large"},
            }
        }
    },
    code="BodyTooLarge",
    title="The body of the request is too large",
    detail="%ROUTE_NAME% takes no body of this size: `proxy.body` of its descriptor is the bound.",
)


def bounded(routes: Iterable[Config], largest: int) -> list[Config]:
    """Return routes that refuse bodies of more than so many bytes."""
    bounded: list[Config] = []
    for route in routes:
        headers = route["match"].get("headers", [])
        if any(header["name"] in _STREAMS for header in headers):
            bounded.append(route)
            continue
        sized = {"name": "content-length", "range_match": {"start": largest + 1, "end": _MOST}}
        refused = {
            "name": route["name"],
            "match": _with(route, sized),
            "direct_response": {"status": 413},
        }
        bounded.append(refused)
        if largest <= HELD:
            unsized = {"name": "content-length", "present_match": True, "invert_match": True}
            held = {"@type": f"{_TYPES}BufferPerRoute", "buffer": {"max_request_bytes": largest}}
            further = {**route.get("typed_per_filter_config", {}), _BUFFER: held}
            bounded.append(
                {**route, "match": _with(route, unsized), "typed_per_filter_config": further}
            )
        bounded.append(route)
    return bounded


def _with(route: Config, header: Config) -> dict[str, Any]:
    match: Config = route["match"]
    return {**match, "headers": [*match.get("headers", []), header]}
