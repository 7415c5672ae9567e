from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from drystone.l05_graph.evidence import Detail, merged
from drystone.l05_graph.ingest import envoy_access_log, vpc_connections, vpc_flow
from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import Stream, Unreadable
from l05_graph.ingest.logs import (
    ENVOY_TEXT,
    ISTIO_TEXT,
    METRICS,
    SAMPLES,
    SEEN,
    TRACES,
    VPC,
    inventory,
    of_service,
    read,
    shown,
    span,
)


def reasons(found: object) -> list[str]:
    return [skip.reason for skip in found.skips]  # type: ignore[attr-defined]


def test_envoys_default_line_names_the_host_and_who_was_seen_last_on_the_way() -> None:
    assert shown(read("envoy-access-log", ENVOY_TEXT)) == [
        "external:10.0.35.28 → external:locations 1/0 POST /api/v1/locations"
    ]
    spoofed = ENVOY_TEXT.replace('"10.0.35.28"', '"9.9.9.9, 10.0.35.28"')
    known = inventory(shop="ip:10.0.35.28", places="ip:10.0.2.1", evil="ip:9.9.9.9")
    assert shown(read("envoy-access-log", spoofed, known)) == [
        "shop → places 1/0 POST /api/v1/locations"
    ]


def test_istios_lines_name_clusters_and_the_files_owner_is_the_other_end() -> None:
    name = "httpbin.foo.svc.cluster.local"
    known = inventory(httpbin=f"dns:{name}", sleep="ip:10.44.1.23")
    assert shown(read("envoy-access-log", ISTIO_TEXT.splitlines()[0], known)) == [
        "sleep → httpbin 1/0 GET /status/*"
    ]
    inbound = Endpoints(
        (*known.every, Endpoint(known=Known.FILE, value="httpbin.log", component="httpbin"))
    )
    found = read("envoy-access-log", ISTIO_TEXT.splitlines()[1], inbound, file="/logs/httpbin.log")
    assert shown(found) == ["sleep → httpbin 1/0 GET /status/*"]


def json_line(**said: object) -> str:
    usual = {
        "time": "2026-11-22T07:00:00.123Z",
        "client": "10.0.0.1",
        "service": "users",
        "status": 200,
    }
    return json.dumps({**usual, **said}) + "\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["external:10.0.0.1 → users 1/0"]),
        ({"caller": "shop"}, ["shop → users 1/0"]),
        ({"caller": "spiffe://cluster.local/ns/default/sa/shop"}, ["shop → users 1/0"]),
        ({"status": 503}, ["external:10.0.0.1 → users 1/1"]),
        ({"status": 404}, ["external:10.0.0.1 → users 1/0"]),
        ({"status": 0, "flags": "UF,URX"}, ["external:10.0.0.1 → users 1/1"]),
        ({"status": 0, "flags": "DC"}, ["external:10.0.0.1 → users 1/0"]),
        ({"grpc_status": 14}, ["external:10.0.0.1 → users 1/1"]),
        ({"grpc_status": "5"}, ["external:10.0.0.1 → users 1/0"]),
        ({"grpc_status": "DeadlineExceeded"}, ["external:10.0.0.1 → users 1/1"]),
        ({"grpc_status": "DATA_LOSS"}, ["external:10.0.0.1 → users 1/1"]),
        ({"grpc_status": "NotFound"}, ["external:10.0.0.1 → users 1/0"]),
        ({"flags": "DF"}, ["external:10.0.0.1 → users 1/1"]),
        ({"flags": "UpstreamConnectionFailure"}, ["external:10.0.0.1 → users 1/1"]),
        ({"flags": "NoRouteFound"}, []),
        (
            {"service": None, "host": "api.stripe.com:443"},
            ["external:10.0.0.1 → external:api.stripe.com 1/0"],
        ),
        (
            {"service": "PassthroughCluster", "host": "10.9.9.9"},
            ["external:10.0.0.1 → external:10.9.9.9 1/0"],
        ),
        (
            {"service": None, "instance": "10.7.7.7:80"},
            ["external:10.0.0.1 → external:10.7.7.7 1/0"],
        ),
        ({"client": "9.9.9.9, 10.0.0.7"}, ["external:10.0.0.7 → users 1/0"]),
        ({"client": "[2001:db8::1]:5000"}, ["external:2001:db8::1 → users 1/0"]),
        ({"flags": "NR"}, []),
        ({"service": None}, []),
        ({"client": None}, []),
        ({"time": "yesterday"}, []),
        ({"time": 1e300}, []),
        ({"time": "1969-12-31T23:59:59Z"}, []),
        ({"time": "9999-12-31T23:59:59.999Z"}, []),
        ({"service": "a b\x00"}, []),
    ],
)
def test_a_json_line_says_who_called_whom_and_whether_it_failed(
    said: dict[str, object], expected: list[str]
) -> None:
    found = read("envoy-access-log", json_line(**said))
    assert shown(found) == expected
    assert len(found.skips) == 1 - len(expected)


def test_what_is_remembered_of_names_without_end_is_bounded_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = "".join(
        json_line(
            client=f"10.0.0.{n % 7}", service=None, host=f"h{n % 11}.example", status=200 + n % 5
        )
        for n in range(500)
    )
    expected = read("envoy-access-log", lines)
    monkeypatch.setattr(envoy_access_log, "MOST_REMEMBERED", 3)
    assert read("envoy-access-log", lines) == expected
    assert sum(one.calls for one in expected.observations) == 500


@pytest.mark.parametrize(
    "key", ['a"b', "a\\b", "a\nb", "", "\ud800", "ü", "_0", "time\0", "x" * 5000]
)
def test_a_key_of_any_kind_beside_those_that_matter_changes_nothing(key: str) -> None:
    line = json_line(**{key: "x"})
    assert len(shown(read("envoy-access-log", line + json_line() + line))) <= 1
    assert shown(read("envoy-access-log", json_line() + line + json_line()))[0].startswith(
        "external:10.0.0.1 → users"
    )


def test_lines_with_other_keys_in_any_order_mean_the_same() -> None:
    plain = {
        "time": "2026-11-22T07:00:00Z",
        "client": "10.0.0.1",
        "service": "users",
        "status": 200,
    }
    istio = {
        "authority": "users.shop",
        "downstream_remote_address": "10.0.0.1:51000",
        "path": "/",
        "method": "GET",
        "response_code": 503,
        "start_time": "2026-11-22T07:00:00.000Z",
        "upstream_cluster": None,
        "x_forwarded_for": "9.9.9.9",
    }
    every = [
        plain,
        istio,
        dict(reversed(plain.items())),
        {"x": 1} | plain,
        {**istio, "downstream_remote_address": None},
        plain | {"caller": "shop"},
        plain | {"client": "-"},
        plain | {"status": [1]},
        plain | {"service": {"a": 1}},
        plain | {f"k{n}": n for n in range(70)},
        plain,
    ]
    alone = [shown(read("envoy-access-log", json.dumps(one))) for one in every]
    assert [len(one) for one in alone] == [1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1]
    for order in (every, every[::-1], every * 2):
        found = read("envoy-access-log", "\n".join(map(json.dumps, order)))
        assert sum(one.calls for one in found.observations) == 9 * len(order) // len(every)
        assert {line.split(" ")[0] for line in shown(found)} == {
            line.split(" ")[0] for one in alone for line in one
        }


def test_an_example_of_a_call_holds_nothing_that_could_be_secret() -> None:
    path = "/v1/users/4711/s3cr3tT0ken?token=abc#frag"
    (line,) = shown(read("envoy-access-log", json_line(method="GET", path=path)))
    assert line.endswith("GET /v1/users/*/*")
    (line,) = shown(read("envoy-access-log", json_line(method="get\n", path="/a/b/c/d/e")))
    assert line.endswith("* /a/b/c/d/…")


def test_an_extra_quotation_mark_forges_no_fields() -> None:
    forged = ENVOY_TEXT.replace("nsq2http", 'x" "id" "victim" "1.1.1.1:80')
    found = read("envoy-access-log", forged)
    assert shown(found) == []
    assert reasons(found) == ["the line is neither JSON nor one of the text formats"]


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


def test_the_examples_of_aws_are_one_call_and_four_that_are_told() -> None:
    found = read("vpc-flow", VPC)
    assert shown(found) == ["external:172.31.16.139 → external:172.31.16.21 1/0 tcp/22"]
    assert sorted(reasons(found)) == [
        "the protocol has no ports",
        "the record says NODATA: nothing was recorded",
        "the record says SKIPDATA: nothing was recorded",
        "the traffic was rejected (REJECT)",
    ]
    assert found.skips[0].places == ("f:2",)


def flow(
    source: str, sport: int, target: str, dport: int, *, at: int = 1418530010, eni: str = "eni-1"
) -> str:
    return f"2 1 {eni} {source} {target} {sport} {dport} 6 20 4249 {at} {at + 60} ACCEPT OK\n"


def test_both_directions_at_both_ends_are_one_call_for_ten_minutes() -> None:
    there, back = ("10.0.0.1", 40000, "10.0.0.2", 443), ("10.0.0.2", 443, "10.0.0.1", 40000)
    window = "".join(
        flow(*ends, at=1418530010 + late) for ends in (there, back, there, back) for late in (0, 7)
    )
    assert shown(read("vpc-flow", window)) == ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    later = "".join(flow(*there, at=1418530010 + minutes * 60) for minutes in range(30))
    assert read("vpc-flow", later).observations[0].calls == 3


@pytest.mark.parametrize(
    ("sport", "dport", "is_forward"),
    [
        (40000, 443, True),
        (443, 40000, False),
        (1024, 22, True),
        (5432, 33000, False),
        (50000, 8080, True),
    ],
)
def test_the_side_with_the_ephemeral_port_called(sport: int, dport: int, is_forward: bool) -> None:
    (one,) = read("vpc-flow", flow("10.0.0.1", sport, "10.0.0.2", dport)).observations
    assert (one.caller == "external:10.0.0.1") is is_forward


def test_an_address_belongs_to_its_owner_of_that_time_and_an_interface_names_an_unknown_end() -> (
    None
):
    moved = datetime.fromtimestamp(1418530010, UTC) + timedelta(hours=1)
    known = Endpoints(
        (
            Endpoint(known=Known.IP, value="10.0.0.0/24", component="old", until=moved),
            Endpoint(known=Known.IP, value="10.0.0.0/24", component="new", since=moved),
            Endpoint(known=Known.ENI, value="eni-2", component="db"),
        )
    )
    lines = flow("10.0.0.1", 40000, "10.1.0.1", 5432, eni="eni-2")
    lines += flow("10.0.0.1", 40000, "10.1.0.1", 5432, at=1418530010 + 3600, eni="eni-2")
    assert shown(read("vpc-flow", lines, known)) == [
        "new → db 1/0 tcp/5432",
        "old → db 1/0 tcp/5432",
    ]


def test_a_log_in_any_order_names_each_owner_of_an_address_by_its_time() -> None:
    moved = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
    known = Endpoints(
        (
            Endpoint(known=Known.IP, value="10.0.0.1", component="old", until=moved),
            Endpoint(known=Known.IP, value="10.0.0.1", component="new", since=moved),
        )
    )
    lines = [json_line(time=f"2026-11-22T07:{minute:02}:00.000Z") for minute in range(60)]
    for order in (lines, lines[::-1], [*lines[::2], *lines[1::2]]):
        found = read("envoy-access-log", "".join(order), known)
        assert shown(found) == ["new → users 30/0", "old → users 30/0"]


def test_addresses_without_end_are_forgotten_and_every_connection_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vpc_connections, "MOST_ADDRESSES", 500)
    monkeypatch.setattr(vpc_connections, "_AT_ONCE", 100)
    lines = "".join(
        flow(f"10.{n // 256}.{n % 256}.1", 40000, "10.200.0.2", 443) for n in range(3000)
    )
    (one, *_) = found = read("vpc-flow", lines, inventory(a="ip:10.0.0.0/9")).observations
    assert (one.calls, len(found)) == (3000, 1)


def test_fields_are_taken_from_the_first_line_or_from_a_format_string() -> None:
    body = "ACCEPT 10.0.0.1 10.0.0.2 40000 443 6 1418530010 10.9.9.9 2\n"
    names = "action pkt-srcaddr dstaddr srcport dstport protocol start srcaddr tcp-flags"
    expected = ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    assert shown(read("vpc-flow", f"{names}\n{body}")) == expected
    written = " ".join(f"${{{name}}}" for name in names.split())
    by_format = vpc_flow.with_fields(written)
    assert shown(by_format(Stream(name="f", chunks=[body.encode()]), Endpoints())) == expected
    with pytest.raises(Unreadable, match="does not name srcaddr, dstaddr"):
        vpc_flow.with_fields("version srcport dstport protocol start")


@pytest.mark.parametrize(
    ("flags", "is_forward"),
    [
        (2, True),
        (18, False),
        (3, True),
        (19, False),
        (7, True),
        (23, False),
        (0, False),
        (1, False),
    ],
)
def test_flags_of_a_whole_window_tell_who_began_better_than_ports(
    flags: int, is_forward: bool
) -> None:
    # "TCP flag sequence" in the Amazon VPC User Guide: of a short connection, 3 is SYN and FIN, 19 their answer.
    names = "srcaddr dstaddr srcport dstport protocol start tcp-flags\n"
    found = read("vpc-flow", f"{names}10.0.0.1 10.0.0.2 5001 43416 6 1418530010 {flags}\n")
    expected = ["10.0.0.1 → external:10.0.0.2", "10.0.0.2 → external:10.0.0.1"][not is_forward]
    assert shown(found) == [f"external:{expected} 1/0 tcp/{43416 if is_forward else 5001}"]


def test_the_interface_of_an_unknown_end_is_named_by_its_service_of_ecs() -> None:
    names = "srcaddr dstaddr srcport dstport protocol start flow-direction ecs-service-name\n"
    line = "10.0.0.1 10.0.0.2 40000 5432 6 1418530010 egress {}\n"
    known = inventory(db="ip:10.0.0.2")
    assert shown(read("vpc-flow", names + line.format("shop"), known)) == ["shop → db 1/0 tcp/5432"]
    assert shown(read("vpc-flow", names + line.format("-"), known)) == [
        "external:10.0.0.1 → db 1/0 tcp/5432"
    ]


def test_rows_are_read_like_lines() -> None:
    row = {
        "srcaddr": "10.0.0.1",
        "dstaddr": "10.0.0.2",
        "srcport": 40000,
        "dstport": 443,
        "protocol": 6,
        "start": 1418530010,
        "action": "ACCEPT",
        "log_status": "OK",
        "interface_id": None,
    }
    found = vpc_flow.read_rows([row, {**row, "action": "REJECT"}], "f.parquet", Endpoints())
    assert shown(found) == ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    assert found.skips[0].places == ("f.parquet: row 2",)
    assert found.batch.records == 2
    with pytest.raises(Unreadable, match="does not name dstaddr"):
        vpc_flow.read_rows([{"srcaddr": "x"}], "f.parquet", Endpoints())


def test_many_unknown_addresses_of_a_network_become_the_network() -> None:
    few = "".join(flow(f"203.0.113.{n}", 40000, "10.0.0.2", 443) for n in range(16))
    assert len(read("vpc-flow", few).observations) == 16
    many = "".join(flow(f"203.0.113.{n}", 40000, "10.0.0.2", 443) for n in range(17))
    assert shown(read("vpc-flow", many)) == [
        "external:203.0.113.0/24 → external:10.0.0.2 17/0 tcp/443"
    ]
    sixes = "".join(flow(f"2001:db8::{n:x}", 40000, "10.0.0.2", 443) for n in range(40))
    assert shown(read("vpc-flow", sixes)) == [
        "external:2001:db8::/64 → external:10.0.0.2 40/0 tcp/443"
    ]
    scanned = "".join(
        flow(f"10.{n // 256}.{n % 256}.1", 40000, "10.0.0.2", 443) for n in range(4097)
    )
    assert shown(read("vpc-flow", scanned)) == [
        "external:internet → external:10.0.0.2 4097/0 tcp/443"
    ]


def test_the_same_file_packed_or_cut_in_other_pieces_is_the_same_batch() -> None:
    whole = read("vpc-flow", VPC)
    assert merged(whole.batch, read("vpc-flow", VPC, step=7).batch).batches == (whole.batch,)
