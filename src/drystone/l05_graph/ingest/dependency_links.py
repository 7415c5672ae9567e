"""The dependency links that Zipkin and Jaeger compute of their traces: ``parent`` called ``child`` so many times.

Zipkin gives a list (``GET /api/v2/dependencies``), Jaeger the same under ``data`` (``GET /api/dependencies``) without counting
errors. Neither says when the calls were: the file's time stands for it, as the time at which they were last seen.
"""

from __future__ import annotations

import msgspec

from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.reading import NO_JSON, Reading
from drystone.l05_graph.ingest.source import Observed, Stream, Unreadable
from drystone.l05_graph.ingest.tally import Tally

ZIPKIN = "zipkin-links"
JAEGER = "jaeger-links"
MOST_CALLS = 1 << 53


class _Link(msgspec.Struct):
    parent: str = ""
    child: str = ""
    callCount: int = 0  # noqa: N815 - the name in the format
    errorCount: int | None = 0  # noqa: N815


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] | None


_list = msgspec.json.Decoder(list[msgspec.Raw])
_answer = msgspec.json.Decoder(_Answer)
_link = msgspec.json.Decoder(_Link)


def read_zipkin(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read the answer of Zipkin.

    Raises:
        Unreadable: It is none.
    """
    reading = Reading(stream)
    content = reading.whole(text=True)
    try:
        links = _list.decode(content)
    except NO_JSON as error:
        raise Unreadable(
            f"{reading.name} is no list of links of Zipkin ({error}); get it from /api/v2/dependencies"
        ) from error
    return _observed(ZIPKIN, links, reading, endpoints)


def read_jaeger(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read the answer of Jaeger.

    Raises:
        Unreadable: It is none.
    """
    reading = Reading(stream)
    content = reading.whole(text=True)
    try:
        links = _answer.decode(content).data or []
    except NO_JSON as error:
        raise Unreadable(
            f"{reading.name} is no answer of Jaeger with links ({error}); get it from /api/dependencies"
        ) from error
    return _observed(JAEGER, links, reading, endpoints)


def _observed(
    source: str, links: list[msgspec.Raw], reading: Reading, endpoints: Endpoints
) -> Observed:
    tally = Tally(reading.skips, endpoints)
    at = reading.seen.timestamp() if reading.seen else None
    for number, raw in enumerate(links, 1):
        tally.records += 1
        try:
            link = _link.decode(raw)
        except NO_JSON:
            reading.skips.add("a link is of another shape", f"{reading.name}: link {number}")
            continue
        errors = link.errorCount or 0
        if not (link.parent and link.child and 0 <= errors <= link.callCount <= MOST_CALLS):
            reason = "a link lacks an end, or its numbers cannot be"
            reading.skips.add(reason, f"{reading.name}: link {number}")
        elif link.callCount:
            caller = endpoints.of_name(link.parent, at) or link.parent
            callee = endpoints.of_name(link.child, at) or link.child
            tally.add(caller, callee, at, calls=link.callCount, errors=errors)
    return tally.observed(source, reading, buckets=False)
