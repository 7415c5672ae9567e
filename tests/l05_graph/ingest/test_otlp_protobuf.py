"""Traces in Protocol Buffers, encoded by the library of that name after the published ``trace.proto``."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.ingest.protobuf import NotProtobuf, fields
from drystone.l05_graph.ingest.source import Unreadable
from l05_graph.ingest.logs import TRACES, read, shown

_TEXT, _BYTES, _INT64, _FIXED64, _ENUM = 9, 12, 3, 6, 5
_MESSAGES: dict[str, list[tuple[str, int, int | str, bool]]] = {
    "AnyValue": [("string_value", 1, _TEXT, False), ("int_value", 3, _INT64, False)],
    "KeyValue": [("key", 1, _TEXT, False), ("value", 2, "AnyValue", False)],
    "Resource": [("attributes", 1, "KeyValue", True)],
    "Scope": [("name", 1, _TEXT, False)],
    "Link": [("trace_id", 1, _BYTES, False), ("span_id", 2, _BYTES, False)],
    "Status": [("message", 2, _TEXT, False), ("code", 3, _ENUM, False)],
    "Span": [
        ("trace_id", 1, _BYTES, False),
        ("span_id", 2, _BYTES, False),
        ("parent_span_id", 4, _BYTES, False),
        ("name", 5, _TEXT, False),
        ("kind", 6, _ENUM, False),
        ("start_time_unix_nano", 7, _FIXED64, False),
        ("end_time_unix_nano", 8, _FIXED64, False),
        ("attributes", 9, "KeyValue", True),
        ("links", 13, "Link", True),
        ("status", 15, "Status", False),
    ],
    "ScopeSpans": [("scope", 1, "Scope", False), ("spans", 2, "Span", True)],
    "ResourceSpans": [("resource", 1, "Resource", False), ("scope_spans", 2, "ScopeSpans", True)],
    "TracesData": [("resource_spans", 1, "ResourceSpans", True)],
}


def encoded(traces: dict[str, Any]) -> bytes:
    """Encode traces as the format of OTLP in JSON has them."""
    file = descriptor_pb2.FileDescriptorProto(name="trace.proto", package="p", syntax="proto3")
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in members:
            added: Any = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                added.type, added.type_name = 11, f".p.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.TracesData"))()
    json_format.ParseDict(_as_protobuf_writes(traces), made)
    data: bytes = made.SerializeToString()
    return data


def _as_protobuf_writes(value: Any) -> Any:
    """Turn identifiers into what the JSON of Protocol Buffers has for bytes, and names of kinds into numbers."""
    if isinstance(value, list):
        return [_as_protobuf_writes(one) for one in value]
    if not isinstance(value, dict):
        return 4 if value == "SPAN_KIND_PRODUCER" else value
    return {
        key: base64.b64encode(bytes.fromhex(inner)).decode()
        if key.endswith("Id")
        else _as_protobuf_writes(inner)
        for key, inner in value.items()
    }


MESSAGE = encoded(TRACES)


def test_a_message_says_the_same_as_its_json() -> None:
    assert shown(read("otlp-traces", MESSAGE)) == shown(read("otlp-traces", json.dumps(TRACES)))
    assert len(read("otlp-traces", MESSAGE).skips) == 1


def test_messages_with_their_length_before_them_are_read_one_by_one() -> None:
    framed = len(MESSAGE).to_bytes(4, "big") + MESSAGE
    whole = read("otlp-traces", framed * 2)
    assert whole.observations[0].calls == 2
    cut = read("otlp-traces", framed + framed[:-10])
    assert cut.observations[0].calls == 1
    assert "the last message was cut" in [skip.reason for skip in cut.skips]


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_message_is_read_refused_or_told(data: st.DataObject) -> None:
    broken = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(broken[: data.draw(st.integers(1, len(broken)))])
    for given_content in (content, len(content).to_bytes(4, "big") + content):
        try:
            read("otlp-traces", given_content)
        except Unreadable as refused:
            assert str(refused).startswith("f ")  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    "message", [b"\x0a\x05ab", b"\x80" * 11, b"\x00\x01", b"\x0b", b"\x09\x01", b"\x08"]
)
def test_what_is_no_message_is_said_to_be(message: bytes) -> None:
    with pytest.raises(NotProtobuf):
        list(fields(message))
