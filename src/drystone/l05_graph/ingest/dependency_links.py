"""The dependency links that Zipkin and Jaeger compute of their traces: ``parent`` called ``child`` so many times.

Zipkin gives a list (``GET /api/v2/dependencies``), Jaeger the same under ``data`` (``GET /api/dependencies``) or
``dependencies`` (``GET /api/v3/dependencies``), without counting errors. Neither says when the calls were: the file's time stands for it, as the time at which they were last seen.
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
    callCount: int | str = 0  # noqa: N815 - the name in the format; JSON of Protocol Buffers writes it as a text
    errorCount: int | str | None = 0  # noqa: N815


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    dependencies: list[msgspec.Raw] | None = None


_answer = msgspec.json.Decoder(list[msgspec.Raw] | _Answer)
_link = msgspec.json.Decoder(_Link)


def read_zipkin(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read the answer of Zipkin.

    Raises:
        Unreadable: It is none.
    """
    return _read(ZIPKIN, "list of links of Zipkin", "/api/v2/dependencies", stream, endpoints)


def read_jaeger(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read the answer of Jaeger.

    Raises:
        Unreadable: It is none.
    """
    return _read(JAEGER, "answer of Jaeger with links", "/api/dependencies", stream, endpoints)


def _read(source: str, what: str, where: str, stream: Stream, endpoints: Endpoints) -> Observed:
    reading = Reading(stream)
    content = reading.whole(text=True)
    try:
        found = _answer.decode(content)
    except NO_JSON as error:
        raise Unreadable(f"{reading.name} is no {what} ({error}); get it from {where}") from error
    if isinstance(found, list) is not (source == ZIPKIN):
        raise Unreadable(f"{reading.name} is no {what}; get it from {where}")
    links = found if isinstance(found, list) else found.data or found.dependencies or []
    return _observed(source, links, reading, endpoints)


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
        calls, errors = _count(link.callCount), _count(link.errorCount or 0)
        if not (link.parent and link.child and 0 <= errors <= calls <= MOST_CALLS):
            reason = "a link lacks an end, or its numbers cannot be"
            reading.skips.add(reason, f"{reading.name}: link {number}")
        elif calls:
            caller = endpoints.of_name(link.parent, at) or link.parent
            callee = endpoints.of_name(link.child, at) or link.child
            tally.add(caller, callee, at, calls=calls, errors=errors)
    return tally.observed(source, reading, buckets=False)


def _count(written: int | str) -> int:
    """Return a count; -1 for what is none."""
    if isinstance(written, int):
        return written
    return int(written) if written.isascii() and written.isdigit() and len(written) <= 20 else -1
