"""Traces of OpenTelemetry: who called whom, found by putting together the two spans that each call leaves.

A call is a span of kind CLIENT of the one and its child of kind SERVER of the other; a message likewise PRODUCER and CONSUMER,
where a link may stand for the parent. This is what the ``servicegraph`` connector of the OpenTelemetry Collector does. What
has no spans of its own (databases, queues, others' services) is named by the attributes of the caller's span; see the
semantic conventions of OpenTelemetry for these.

A file is one JSON document, JSON lines as the Collector's file exporter writes them, one message of Protocol Buffers, or such
messages with their length before each. Spans of a trace may stand far apart: those whose other half has not come yet wait,
and when too many do, the oldest are taken to have none.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from drystone.l05_graph.ingest.calls import operation, request
from drystone.l05_graph.ingest.endpoints import EXTERNAL, Endpoints
from drystone.l05_graph.ingest.hosts import address_of, bare, is_host
from drystone.l05_graph.ingest.otlp_files import parts
from drystone.l05_graph.ingest.reading import Reading
from drystone.l05_graph.ingest.source import Observed, Stream
from drystone.l05_graph.ingest.spans import Attributes, Span, SpanKind, of_json, of_protobuf
from drystone.l05_graph.ingest.tally import Tally
from drystone.l05_graph.ingest.times import seconds

NAME = "otlp-traces"
MOST_WAITING = 200_000
"""So many spans wait for their other half."""
CLIENTS = f"{EXTERNAL}clients"
"""Who makes the requests with which traces begin."""

_ASKING = (SpanKind.CLIENT, SpanKind.PRODUCER)
_ANSWERING = (SpanKind.SERVER, SpanKind.CONSUMER)
_HOSTS = (
    "server.address",
    "net.peer.name",
    "network.peer.address",
    "net.sock.peer.addr",
    "net.peer.ip",
    "http.host",
)
_SYSTEMS = ("db.system.name", "db.system", "messaging.system")

Key = tuple[str, str]
Held = TypeVar("Held")


def read(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read traces.

    Raises:
        Unreadable: The file has none of the forms, is damaged, or too large.
    """
    reading = Reading(stream)
    pairing = _Pairing(reading, endpoints)
    for span in parts(reading, of_json, of_protobuf):
        pairing.take(span)
    pairing.finish()
    return pairing.tally.observed(NAME, reading)


class _Asked:
    """A span that asks, and whether one that answers was found."""

    __slots__ = ("at", "is_answered", "span")

    def __init__(self, span: Span, at: float) -> None:
        self.span, self.at = span, at
        self.is_answered = False


class _Pairing:
    def __init__(self, reading: Reading, endpoints: Endpoints) -> None:
        self._skips = reading.skips
        self._name = reading.name
        self._endpoints = endpoints
        self.tally = Tally(reading.skips, endpoints)
        self._asked: OrderedDict[Key, _Asked] = OrderedDict()
        self._answers: OrderedDict[Key, list[Span]] = OrderedDict()

    def take(self, span: Span) -> None:
        self.tally.records += 1
        if span.kind not in _ASKING and span.kind not in _ANSWERING:
            return
        if not span.service:
            self._skip("the span's resource has no service.name", span)
            return
        if not span.trace or not span.span:
            self._skip("the span has no identifier", span)
            return
        at = seconds(span.start, 1e9)
        if at is None:
            self._skip("the span does not say when it began", span)
        elif span.kind in _ASKING:
            self._ask(_Asked(span, at))
        else:
            self._answer(span)

    def _skip(self, reason: str, span: Span) -> None:
        self._skips.add(reason, f"{self._name}: {operation(span.name)}")

    def _ask(self, asked: _Asked) -> None:
        key = (asked.span.trace, asked.span.span)
        self._asked[key] = asked
        for answer in self._answers.pop(key, ()):
            self._pair(asked, answer)
        if len(self._asked) > MOST_WAITING:
            self._unanswered(self._asked.popitem(last=False)[1])

    def _answer(self, span: Span) -> None:
        origins = [*span.links] if span.kind == SpanKind.CONSUMER else []
        if span.parent:
            origins.append((span.trace, span.parent))
        for origin in origins:
            if origin in self._asked:
                self._pair(self._asked[origin], span)
                return
        if not origins:
            self._unasked(span)
            return
        self._answers.setdefault(origins[0], []).append(span)
        if len(self._answers) > MOST_WAITING:
            for orphan in self._answers.popitem(last=False)[1]:
                self._orphan(orphan)

    def finish(self) -> None:
        """Take what still waits to have no other half."""
        for asked in self._asked.values():
            self._unanswered(asked)
        for spans in self._answers.values():
            for span in spans:
                self._orphan(span)

    def _pair(self, asked: _Asked, answer: Span) -> None:
        asked.is_answered = True
        failed = _has_failed(asked.span) or _has_failed(answer)
        self._add(asked.span.service, answer.service, asked.at, failed, _sample(answer))

    def _add(self, caller: str, callee: str, at: float, failed: bool, sample: str) -> None:
        self.tally.add(
            self._endpoints.of_name(caller, at) or caller,
            self._endpoints.of_name(callee, at) or callee,
            at,
            errors=int(failed),
            sample=sample,
        )

    def _unanswered(self, asked: _Asked) -> None:
        """Name what left no span of its own by what its caller says about it."""
        if asked.is_answered:
            return
        span, at = asked.span, asked.at
        other = self._other(span.attributes, at)
        if other is None:
            self._skip("nothing in the span says what it called", span)
            return
        self._add(span.service, other, at, _has_failed(span), _sample(span))

    def _other(self, attributes: Attributes, at: float) -> str | None:
        peer = _first(attributes, ("service.peer.name", "peer.service"))
        if peer:
            return peer
        host = _first(attributes, _HOSTS)
        address = address_of(host)
        known = self._endpoints.of_name(host, at) if host else None
        if known is None and address is not None:
            known = self._endpoints.of_address(address, at)
        system = _first(attributes, _SYSTEMS)
        known = known or (self._endpoints.of_name(system, at) if system else None)
        if known:
            return known
        if address is not None and not address.is_loopback:
            return self.tally.callee(address, at)
        if address is None and host and is_host(host) and bare(host) != "localhost":
            return f"{EXTERNAL}{bare(host)}"
        return f"{EXTERNAL}{system}" if system else None

    def _unasked(self, span: Span) -> None:
        """Take what nothing asked for to be the begin of a trace."""
        at = seconds(span.start, 1e9)
        if span.kind == SpanKind.SERVER and at is not None:
            self._add(CLIENTS, span.service, at, _has_failed(span), _sample(span))
        else:
            self._orphan(span)

    def _orphan(self, span: Span) -> None:
        at = seconds(span.start, 1e9)
        broker = None if at is None else self._other(span.attributes, at)
        if span.kind == SpanKind.CONSUMER and broker is not None and at is not None:
            self._add(span.service, broker, at, False, _sample(span))
        else:
            reason = (
                "the span of who called is missing: not sampled, not exported, or in another file"
            )
            self._skip(reason, span)


def _first(attributes: Attributes, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and 0 < len(value) <= 253 and value.isprintable():
            return value
    return None


def _status(span: Span) -> int | None:
    for name in ("http.response.status_code", "http.status_code"):
        value = span.attributes.get(name)
        if isinstance(value, int):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
            return int(value)
    return None


def _has_failed(span: Span) -> bool:
    """Whether the callee failed: to a client, an answer of 404 is an error too, and it is the caller's own."""
    status = _status(span)
    return span.has_error if status is None else status >= 500


def _sample(span: Span) -> str:
    method = _first(span.attributes, ("http.request.method", "http.method"))
    if method:
        path = _first(span.attributes, ("http.route", "url.path", "http.target"))
        return request(method, path or "/")
    system = _first(span.attributes, _SYSTEMS)
    return operation(system) if system else operation(span.name)
