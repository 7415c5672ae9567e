"""Access logs of Envoy: who called whom, and whether it failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from drystone.l05_graph.ingest import envoy_access_log
from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from l05_graph.ingest.logs import (
    ENVOY_TEXT,
    ISTIO_TEXT,
    inventory,
    read,
    reasons,
    shown,
)


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
