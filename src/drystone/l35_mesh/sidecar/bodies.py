"""How large the body of a request may be.

Where the client says how long it is, that decides, and nothing waits. Where it does not, the body is held back until its end
or until it is too long, which is the only way that Envoy has; so a bound beyond
:data:`~drystone.l25_deployer.stacks.model.HELD_BODY` does not count there, which plan says. Streams, those of gRPC and
WebSockets, have no length and no bound: nor has a body of which its sender says that it is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l10_engines.proxy.edge_routes import CALL, WEBSOCKET
from drystone.l10_engines.proxy.local_replies import Answer
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l25_deployer.stacks.model import HELD_BODY

_BUFFER = "envoy.filters.http.buffer"
_TYPES = TYPE_PREFIX + "envoy.extensions.filters.http.buffer.v3."

UNSIZED: Config = Shared(
    {
        "name": _BUFFER,
        "disabled": True,
        "typed_config": {"@type": f"{_TYPES}Buffer", "max_request_bytes": HELD_BODY},
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


def bounded(name: str, routes: Sequence[Config], largest: int) -> list[Config]:
    """Return routes that refuse bodies of more than so many bytes.

    Args:
        name: Of the routes.
        routes: Those that lead to the service.
        largest: Bytes.
    """
    # What is no number that Envoy can hold is no length that fits, either.
    fits = {"start": 0, "end": largest + 1}
    sized = {"name": "content-length", "range_match": fits, "invert_match": True}
    refused = {
        "name": name,
        "match": {"prefix": "/", "headers": [sized, *_NO_STREAM]},
        "direct_response": {"status": 413},
    }
    if largest > HELD_BODY:
        return [refused, *routes]
    held = Shared({"@type": f"{_TYPES}BufferPerRoute", "buffer": {"max_request_bytes": largest}})
    bounded: list[Config] = [refused]
    for route in routes:
        headers = route["match"].get("headers", [])
        if not any(header["name"] in _STREAMS for header in headers):
            further = {**route.get("typed_per_filter_config", {}), _BUFFER: held}
            match = {**route["match"], "headers": [*headers, _UNSAID]}
            bounded.append({**route, "match": match, "typed_per_filter_config": further})
        bounded.append(route)
    return bounded


_UNSAID = Shared({"name": "content-length", "present_match": True, "invert_match": True})
_NO_STREAM = [
    Shared({**stream, "invert_match": True, "treat_missing_header_as_empty": True})
    for stream in (WEBSOCKET, CALL)
]
_STREAMS = frozenset(stream["name"] for stream in (WEBSOCKET, CALL))
