"""Files that sources are tested with, written after the public documentation of each format, and how they are read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from drystone.l05_graph.evidence import Observation
from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import Observed, ObservedSource, Stream
from drystone.l05_graph.ingest.sources import OBSERVED

SOURCES = {one.name: one for one in OBSERVED}
NOBODY = Endpoints()
SEEN = datetime(2026, 11, 22, 9, tzinfo=UTC)

# "Default Format String" in Envoy's documentation of access logging has this line as its example.
ENVOY_TEXT = (
    '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http"'
    ' "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"\n'
)
# "Envoy Access Logs" in Istio's documentation shows these two, of who calls and of who is called.
ISTIO_TEXT = (
    '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/7.73.0-DEV"'
    ' "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80"'
    " outbound|8000||httpbin.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default\n"
    '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV"'
    ' "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854'
    " 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default\n"
)
# What the edge of this platform writes, and what a sidecar of Istio writes as JSON.
ENVOY_JSON = (
    '{"time":"2026-11-22T07:00:00.123Z","client":"10.0.0.1","method":"GET","host":"users.dev.localhost","path":"/a",'
    '"service":"users.dev","instance":"127.0.0.1:8000","status":200,"flags":"-"}\n'
    '{"authority":"mail:80","downstream_remote_address":"10.0.0.1:51000","method":"POST","path":"/send?to=x","response_code":'
    '503,"response_flags":"UF","start_time":"2026-11-22T07:00:01.000Z","upstream_cluster":"outbound|80||mail.shop.svc",'
    '"upstream_host":null,"x_forwarded_for":null}\n'
)
# "Flow log record examples" in the Amazon VPC User Guide: accepted, rejected, no data, skipped, and ICMP.
VPC = (
    "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
    "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK\n"
    "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA\n"
    "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA\n"
    "2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK\n"
)
# The metrics that the README of the Collector's servicegraph connector names, in the text format of Prometheus.
METRICS = (
    "# TYPE traces_service_graph_request_total counter\n"
    'traces_service_graph_request_total{client="shop",connection_type="",server="users"} 12\n'
    'traces_service_graph_request_failed_total{client="shop",connection_type="",server="users"} 2\n'
    'traces_service_graph_request_total{client="shop",connection_type="database",server="postgresql"} 5 1795330800000\n'
    'traces_service_graph_request_total{client="user",connection_type="virtual_node",server="shop"} 1e3\n'
    'traces_service_graph_request_server_seconds_bucket{client="shop",server="users",le="0.1"} 3\n'
    "process_cpu_seconds_total 12.5\n"
)
# "GET /dependencies" in the OpenAPI document of Zipkin; and the answer of Jaeger's query service to /api/dependencies.
ZIPKIN = '[{"parent":"shop","child":"users","callCount":4,"errorCount":1},{"parent":"users","child":"db","callCount":2}]'
JAEGER = '{"data":[{"parent":"shop","child":"users","callCount":4}],"total":0,"limit":0,"offset":0,"errors":null}'


def span(  # noqa: PLR0917 - the fields of a span in their order
    trace: str,
    own: str,
    parent: str,
    kind: int | str,
    name: str,
    attributes: dict[str, str | int] | None = None,
    *,
    error: bool = False,
    links: Iterable[tuple[str, str]] = (),
    start: object = "1795330800000000000",
) -> dict[str, object]:
    """Make a span of OTLP in JSON."""
    said = {
        key: {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}
        for key, value in (attributes or {}).items()
    }
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": parent,
        "kind": kind,
        "name": name,
        "startTimeUnixNano": start,
        "endTimeUnixNano": start,
        "attributes": [{"key": key, "value": value} for key, value in said.items()],
        "links": [{"traceId": one, "spanId": other} for one, other in links],
        "status": {"code": 2} if error else {},
    }


def of_service(service: str, *spans: dict[str, object]) -> dict[str, object]:
    """Put the spans of a service together."""
    about = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": about, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(spans)}]}


TRACES: dict[str, object] = {
    "resourceSpans": [
        of_service(
            "shop",
            span("aa", "01", "", 2, "GET /", {"http.request.method": "GET", "http.route": "/"}),
            span(
                "aa",
                "02",
                "01",
                3,
                "GET",
                {"http.request.method": "GET", "server.address": "users"},
                error=True,
            ),
            span(
                "aa",
                "04",
                "01",
                3,
                "SELECT",
                {"db.system": "postgresql", "server.address": "db.internal"},
            ),
            span(
                "aa",
                "05",
                "01",
                "SPAN_KIND_PRODUCER",
                "orders publish",
                {"messaging.system": "kafka"},
            ),
            span("aa", "06", "01", 1, "render"),
        ),
        of_service(
            "users",
            span(
                "aa",
                "03",
                "02",
                2,
                "GET /users/{id}",
                {
                    "http.request.method": "GET",
                    "http.route": "/users/{id}",
                    "http.response.status_code": 503,
                },
                error=True,
            ),
            span("bb", "09", "07", 2, "GET"),
        ),
        of_service(
            "mail",
            span(
                "cc",
                "0a",
                "",
                5,
                "orders receive",
                {"messaging.system": "kafka"},
                links=[("aa", "05")],
            ),
        ),
    ]
}
SAMPLES: dict[str, bytes] = {
    "envoy-access-log": (ENVOY_TEXT + ISTIO_TEXT + ENVOY_JSON).encode(),
    "otlp-traces": json.dumps(TRACES).encode() + b"\n",
    "service-graph-metrics": METRICS.encode(),
    "zipkin-links": ZIPKIN.encode(),
    "jaeger-links": JAEGER.encode(),
    "vpc-flow": VPC.encode(),
}


def source(name: str) -> ObservedSource:
    """Return a source."""
    return SOURCES[name]


def read(
    name: str,
    content: bytes | str,
    endpoints: Endpoints = NOBODY,
    *,
    file: str = "f",
    step: int = 1 << 16,
) -> Observed:
    """Read a file that arrives in pieces of some size."""
    data = content.encode() if isinstance(content, str) else content
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    return SOURCES[name].read(Stream(name=file, chunks=chunks, seen=SEEN), endpoints)


def shown(found: Observed | Iterable[Observation]) -> list[str]:
    """Write observations in short: ``shop → users 3/1 GET /``."""
    every = found.observations if isinstance(found, Observed) else found
    return [
        f"{one.caller} → {one.callee} {one.calls}/{one.errors} {' '.join(one.sample)}".rstrip()
        for one in every
    ]


def inventory(**known: str) -> Endpoints:
    """Make an inventory; the names of the arguments are components, the values ``known:value``."""
    every = []
    for component, text in known.items():
        kind, _, value = text.partition(":")
        every.append(Endpoint(known=Known(kind), value=value, component=component))
    return Endpoints(tuple(every))


def packed(content: bytes) -> bytes:
    """Pack with gzip."""
    return gzip.compress(content, mtime=0)


def reasons(found: Observed) -> list[str]:
    """Return why lines were left out."""
    return [skip.reason for skip in found.skips]
