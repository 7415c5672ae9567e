"""How large the body of a request may be.

Where the client says how long it is, that decides, and nothing waits. Where it does not, the body is held back until its end
or until it is too long, which is the only way that Envoy has. So where there is a bound, such a body may have no more than
:data:`~drystone.l25_deployer.stacks.limits.HELD_BODY`, which plan says where the bound is larger: who sends more says how much
it is. Streams have no length and no bound: WebSockets, and the calls of gRPC where the service speaks HTTP/2, without which
there are none. There, a body of which its sender says that it is one has no bound either.
"""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l10_engines.proxy.edge_routes import CALL, WEBSOCKET
from drystone.l10_engines.proxy.local_replies import Answer
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.occasions import status_is
from drystone.l25_deployer.stacks.limits import HELD_BODY

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
    when=status_is(413, runtime_key="mesh.too_large"),
    code="BodyTooLarge",
    title="The body of the request is too large",
    detail="%ROUTE_NAME% takes no body of this size: `proxy.body` of its descriptor is the bound, and"
    f" {HELD_BODY >> 20} MiB where the request does not say by content-length how large it is.",
)


def bounded(
    name: str, routes: Sequence[Config], largest: int, *, takes_calls: bool
) -> list[Config]:
    """Return routes that refuse bodies of more than so many bytes.

    Args:
        name: Of the routes.
        routes: Those that lead to the service.
        largest: Bytes.
        takes_calls: Whether the service may speak gRPC.
    """
    streams = (WEBSOCKET, CALL) if takes_calls else (WEBSOCKET,)
    unbounded = {stream["name"] for stream in streams}
    # What is no number that Envoy can hold is no length that fits, either.
    fits = {"start": 0, "end": largest + 1}
    sized = {"name": "content-length", "range_match": fits, "invert_match": True}
    refused = {
        "name": name,
        "match": {"prefix": "/", "headers": [sized, *(_NOT[stream["name"]] for stream in streams)]},
        "direct_response": {"status": 413},
    }
    most = {"max_request_bytes": min(largest, HELD_BODY)}
    held = Shared({"@type": f"{_TYPES}BufferPerRoute", "buffer": most})
    bounded: list[Config] = [refused]
    for route in routes:
        headers = route["match"].get("headers", [])
        if not any(header["name"] in unbounded for header in headers):
            further = {**route.get("typed_per_filter_config", {}), _BUFFER: held}
            match = {**route["match"], "headers": [*headers, _UNSAID]}
            bounded.append({**route, "match": match, "typed_per_filter_config": further})
        bounded.append(route)
    return bounded


_UNSAID = Shared({"name": "content-length", "present_match": True, "invert_match": True})
_NOT = {
    stream["name"]: Shared({**stream, "invert_match": True, "treat_missing_header_as_empty": True})
    for stream in (WEBSOCKET, CALL)
}
