"""Spans, as OTLP carries them: in JSON, and in Protocol Buffers.

Source: opentelemetry-proto, ``opentelemetry/proto/trace/v1/trace.proto``, and "OTLP/JSON" of the OTLP specification: field
names in lower camel case, identifiers in hexadecimal, enumerations as numbers (some exporters write their names).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from typing import Any

import msgspec

from drystone.l05_graph.ingest.protobuf import fields

Attributes = Mapping[str, str | int]


class SpanKind(IntEnum):
    """What a span is about."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Span(msgspec.Struct, gc=False):
    """A piece of work.

    Attributes:
        service: Whose work.
        trace: Identifier of the trace, in hexadecimal.
        span: Its own identifier.
        parent: Identifier of the span that it belongs to; empty for none.
        kind: What it is about.
        name: What it is called.
        start: When it began, in nanoseconds since 1970, as it was written.
        has_error: Whether it says that it failed.
        attributes: Those that are texts or whole numbers.
        links: Trace and span of those that it is linked with.
    """

    service: str
    trace: str
    span: str
    parent: str
    kind: int
    name: str
    start: object
    has_error: bool
    attributes: Attributes
    links: tuple[tuple[str, str], ...] = ()


class Value(msgspec.Struct, gc=False):
    """A value of an attribute in JSON; other kinds than these do not matter."""

    stringValue: str | None = None  # noqa: N815 - the name in the format
    intValue: str | int | None = None  # noqa: N815


class KeyValue(msgspec.Struct, gc=False):
    """An attribute in JSON."""

    key: str = ""
    value: Value | None = None


class _Resource(msgspec.Struct):
    attributes: list[KeyValue] | None = None


class _Status(msgspec.Struct):
    code: int | str | None = None


class _Link(msgspec.Struct):
    traceId: str | None = None  # noqa: N815
    spanId: str | None = None  # noqa: N815


class _Span(msgspec.Struct):
    traceId: str | None = None  # noqa: N815
    spanId: str | None = None  # noqa: N815
    parentSpanId: str | None = None  # noqa: N815
    name: str | None = None
    kind: int | str | None = None
    startTimeUnixNano: str | int | None = None  # noqa: N815
    attributes: list[KeyValue] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None


class _Scope(msgspec.Struct):
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct):
    resource: _Resource | None = None
    scopeSpans: list[_Scope] | None = None  # noqa: N815
    instrumentationLibrarySpans: list[_Scope] | None = None  # noqa: N815 - until version 0.15


class _Traces(msgspec.Struct):
    resourceSpans: list[_ResourceSpans] | None  # noqa: N815 - null stands for none, as everywhere


_decoder = msgspec.json.Decoder(_Traces)
_STATUS_ERROR = (2, "STATUS_CODE_ERROR")


def of_json(text: bytes) -> Iterator[Span]:
    """Read a document.

    Raises:
        msgspec.DecodeError: It is none.
    """
    for resource in _decoder.decode(text).resourceSpans or ():
        about = plain(resource.resource.attributes) if resource.resource else {}
        service = service_of(about)
        every = (resource.scopeSpans, resource.instrumentationLibrarySpans)
        for scope in (scope for scopes in every for scope in scopes or ()):
            for one in scope.spans or ():
                yield _of_document(one, service)


def _of_document(one: _Span, service: str) -> Span:
    failed = one.status is not None and one.status.code in _STATUS_ERROR
    return Span(
        service,
        _identifier(one.traceId),
        _identifier(one.spanId),
        _unless_zero(_identifier(one.parentSpanId)),
        _kind(one.kind or 0),
        one.name or "",
        one.startTimeUnixNano,
        failed,
        plain(one.attributes),
        tuple((_identifier(link.traceId), _identifier(link.spanId)) for link in one.links or ()),
    )


def _identifier(written: str | None) -> str:
    """Return an identifier in hexadecimal.

    OTLP has it so; what makes JSON of Protocol Buffers by their own rules writes base64, of 12 or 24 characters.
    """
    if written is None:
        return ""
    if len(written) in (12, 24) and written.endswith("="):
        with suppress(ValueError):
            return base64.b64decode(written, validate=True).hex()
    return written.lower()


def _unless_zero(identifier: str) -> str:
    """Return an identifier; one of zeros stands for none."""
    return identifier if identifier.strip("0") else ""


def plain(attributes: list[KeyValue] | None) -> dict[str, str | int]:
    """Return attributes that are texts or whole numbers by name."""
    found: dict[str, str | int] = {}
    for one in attributes or ():
        value = one.value
        if value is None:
            continue
        if value.stringValue is not None:
            found[one.key] = value.stringValue
        elif value.intValue is not None:
            found[one.key] = value.intValue
    return found


def service_of(resource: Attributes) -> str:
    """Name the service of a resource; empty when it has no name."""
    name = resource.get("service.name")
    return name if isinstance(name, str) else ""


def _kind(written: int | str) -> int:
    if isinstance(written, int):
        return written
    return SpanKind.__members__.get(written.removeprefix("SPAN_KIND_"), SpanKind.UNSPECIFIED)


def of_protobuf(message: bytes) -> Iterator[Span]:
    """Read a ``TracesData`` or ``ExportTraceServiceRequest``, which are the same on the wire.

    Raises:
        NotProtobuf: It is none.
    """
    for resource in _inner(message, 1):
        about: dict[str, str | int] = {}
        for inner in _inner(resource, 1):
            about.update(_attributes(_inner(inner, 1)))
        for scope in _inner(resource, 2):
            for span in _inner(scope, 2):
                yield _span(span, service_of(about))


def _span(message: bytes, service: str) -> Span:
    ids = {1: "", 2: "", 4: ""}
    span = Span(service, "", "", "", 0, "", None, has_error=False, attributes={})
    links: list[tuple[str, str]] = []
    attributes: list[bytes] = []
    for number, value in fields(message):
        if isinstance(value, int):
            if number == 6:
                span.kind = value
            elif number == 7:
                span.start = value
        elif number == 9:
            attributes.append(value)
        elif number in ids:
            ids[number] = value.hex()
        elif number == 5:
            span.name = value.decode("utf-8", "replace")
        elif number == 13:
            link = {n: v.hex() for n, v in fields(value) if isinstance(v, bytes)}
            links.append((link.get(1, ""), link.get(2, "")))
        elif number == 15:
            span.has_error = (3, 2) in fields(value)
    span.trace, span.span = ids[1], ids[2]
    span.parent = _unless_zero(ids[4])
    span.attributes = _attributes(attributes)
    span.links = tuple(links)
    return span


def _inner(message: bytes, wanted: int) -> list[bytes]:
    every = (value for number, value in fields(message) if number == wanted)
    return [value for value in every if isinstance(value, bytes)]


def _attributes(every: list[bytes]) -> dict[str, str | int]:
    found = (_known(one) if len(one) <= _SHORT else _attribute(one) for one in every)
    return dict(one for one in found if one is not None)


def _attribute(message: bytes) -> tuple[str, str | int] | None:
    """Return the name and the value of an attribute; None when that is no text and no whole number."""
    parts: dict[int, Any] = dict(fields(message))
    key, value = parts.get(1), parts.get(2)
    if not isinstance(key, bytes) or not isinstance(value, bytes):
        return None
    found: tuple[str, str | int] | None = None
    for number, inner in fields(value):
        if number == 1 and isinstance(inner, bytes):
            found = (key.decode("utf-8", "replace"), inner.decode("utf-8", "replace"))
        elif number == 3 and isinstance(inner, int):
            found = (key.decode("utf-8", "replace"), inner)
    return found


_SHORT = 200
"""Attributes of so many bytes are mostly the same in many spans."""
_known = lru_cache(maxsize=8192)(_attribute)
