"""Traces, metrics and links: calls that programs tell of themselves."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from drystone.l05_graph.evidence import Detail, merged
from drystone.l05_graph.ingest.source import Unreadable
from l05_graph.ingest.logs import (
    METRICS,
    SAMPLES,
    SEEN,
    TRACES,
    VPC,
    inventory,
    of_service,
    read,
    reasons,
    shown,
    span,
)

TRACED = [
    "external:clients → shop 1/0 GET /",
    "shop → external:db.internal 1/0 postgresql",
    "shop → mail 1/0 kafka",
    "shop → users 1/1 GET /users/*",
]


def test_spans_are_put_together_to_calls() -> None:
    found = read("otlp-traces", SAMPLES["otlp-traces"])
    assert shown(found) == TRACED
    assert reasons(found) == [
        "the span of who called is missing: not sampled, not exported, or in another file"
    ]
    assert found.observations[0].first == datetime(2026, 11, 22, 7, tzinfo=UTC)
    known = inventory(postgres="dns:db.internal")
    assert "shop → postgres 1/0 postgresql" in shown(
        read("otlp-traces", SAMPLES["otlp-traces"], known)
    )


def test_the_halves_of_a_call_may_come_in_any_order_and_lines() -> None:
    every = [
        {"resourceSpans": [of_service("shop" if "client" in what["name"] else "users", what)]}  # type: ignore[operator]
        for what in (
            span("aa", "03", "02", 2, "server"),
            span("aa", "02", "", 3, "client"),
            span("aa", "04", "02", 2, "other"),
        )
    ]
    lines = [json.dumps(one) for one in every]
    for order in (lines, lines[::-1]):
        assert shown(read("otlp-traces", "\n".join(order))) == ["shop → users 2/0 other server"]


def test_a_document_may_be_spread_over_lines_and_begin_with_a_mark() -> None:
    pretty = json.dumps(TRACES, indent=2)
    assert shown(read("otlp-traces", "\ufeff" + pretty.replace("\n", "\r\n"))) == TRACED


def test_identifiers_in_base64_and_fields_that_are_null_are_read_as_well() -> None:
    # The rules of Protocol Buffers for JSON, which some exporters follow: bytes in base64, null for nothing.
    def written(own: bytes, parent: bytes | None, **more: object) -> dict[str, object]:
        ids = {"traceId": b"T" * 16, "spanId": own * 8, "parentSpanId": parent and parent * 8}
        text = {key: value and b64encode(value).decode() for key, value in ids.items()}
        return {**span("", "", "", 0, ""), **text, **more}

    asked = written(b"a", b"\0", kind="SPAN_KIND_CLIENT", attributes=None, links=None, status=None)
    # In lower case, the next two would be the same.
    other = written(b"A", b"\0", kind=3, attributes=[], name=None)
    answer = written(b"b", b"a", kind=2, name="find", startTimeUnixNano=1795330800000000000)
    document = {
        "resourceSpans": [
            of_service("shop", asked),
            of_service("cart", other),
            of_service("users", answer),
            {"resource": None, "scopeSpans": None},
        ]
    }
    assert shown(read("otlp-traces", json.dumps(document))) == ["shop → users 1/0 find"]
    assert read("otlp-traces", '{"resourceSpans": null}').observations == ()


def test_a_caller_is_not_to_blame_for_what_it_asked_wrongly() -> None:
    wrong = {
        "resourceSpans": [
            of_service(
                "a",
                span(
                    "aa",
                    "01",
                    "",
                    3,
                    "GET",
                    {"peer.service": "b", "http.response.status_code": 404},
                    error=True,
                ),
            )
        ]
    }
    assert shown(read("otlp-traces", json.dumps(wrong))) == ["a → b 1/0 GET"]


def test_counters_are_read_from_the_text_of_prometheus() -> None:
    found = read("service-graph-metrics", METRICS)
    assert shown(found) == [
        "external:clients → shop 1000/0",
        "shop → postgresql 5/0 database",
        "shop → users 12/2",
    ]
    assert found.batch.cumulative
    assert found.skips == ()


def test_counters_are_read_from_otlp_and_from_an_answer_of_prometheus() -> None:
    def point(value: str, client: str = "a", server: str = "b") -> dict[str, object]:
        ends = {"client": client, "server": server}
        labels = [{"key": key, "value": {"stringValue": text}} for key, text in ends.items()]
        return {"attributes": labels, "asInt": value, "timeUnixNano": "1795330800000000000"}

    def document(temporality: int, *values: str) -> str:
        points = {
            "dataPoints": [point(value) for value in values],
            "aggregationTemporality": temporality,
        }
        metric = {"name": "traces_service_graph_request_total", "sum": points}
        return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})

    assert shown(read("service-graph-metrics", document(2, "3", "7"))) == ["a → b 7/0"]
    deltas = read("service-graph-metrics", document(1, "3") + "\n" + document(1, "7"))
    assert shown(deltas) == ["a → b 10/0"]
    assert not deltas.batch.cumulative
    series = {
        "metric": {"__name__": "traces_service_graph_request_total", "client": "a", "server": "b"},
        "value": [1795330800.5, "8"],
    }
    answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}})
    assert shown(read("service-graph-metrics", answer)) == ["a → b 8/0"]


def test_the_count_of_the_histogram_stands_for_a_counter_that_nobody_kept() -> None:
    name = "traces_service_graph_request_server_seconds_count"
    lines = f'{name}{{client="a",server="b"}} 7\n{name}{{client="a",server="c"}} 3\n'
    lines += 'traces_service_graph_request_total{client="a",server="c"}\t4\n'
    assert shown(read("service-graph-metrics", lines)) == ["a → b 7/0", "a → c 4/0"]
    ends = {"__name__": name, "client": "a", "server": "b"}
    matrix = {"metric": ends, "values": [[1795330800, "2"], [1795330860.5, "5"]]}
    answer = json.dumps({"data": {"resultType": "matrix", "result": [matrix]}})
    found = read("service-graph-metrics", answer)
    assert shown(found) == ["a → b 5/0"]


def test_links_of_jaegers_newer_interface_count_in_texts() -> None:
    answer = '{"dependencies":[{"parent":"a","child":"b","callCount":"12","source":""},{"parent":"a","child":"c","callCount":"x"}]}'
    found = read("jaeger-links", answer)
    assert shown(found) == ["a → b 12/0"]
    assert found.skips[0].count == 1
    with pytest.raises(Unreadable, match="no list of links of Zipkin"):
        read("zipkin-links", answer)
    with pytest.raises(Unreadable, match="no answer of Jaeger"):
        read("jaeger-links", SAMPLES["zipkin-links"])


def test_links_of_zipkin_and_jaeger_say_how_often_and_not_when() -> None:
    found = read("zipkin-links", SAMPLES["zipkin-links"])
    assert shown(found) == ["shop → users 4/1", "users → db 2/0"]
    assert (found.observations[0].last, found.batch.detail) == (SEEN, Detail.TOTALS)
    assert shown(read("jaeger-links", SAMPLES["jaeger-links"])) == ["shop → users 4/0"]
    odd = '[{"parent":"a"},{"parent":"a","child":"b","callCount":1,"errorCount":2},3,{"parent":"a","child":"b","callCount":-1}]'
    assert sum(skip.count for skip in read("zipkin-links", odd).skips) == 4


def test_the_same_file_packed_or_cut_in_other_pieces_is_the_same_batch() -> None:
    whole = read("vpc-flow", VPC)
    assert merged(whole.batch, read("vpc-flow", VPC, step=7).batch).batches == (whole.batch,)
