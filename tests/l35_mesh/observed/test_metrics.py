"""What a real Envoy counted, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_fd_to_metric_families

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l35_mesh.observed.exposition import families, text
from drystone.l35_mesh.observed.landscape import Landscape
from drystone.l35_mesh.observed.page import MetricsPage
from drystone.l35_mesh.observed.service import Observed
from drystone.l35_mesh.observed.statistics import WANTED, Bucket, Spread, read
from drystone.l35_mesh.sidecar.model import Caller
from drystone.testing import asgi
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

HERE = {"host": "localhost:9464"}
DESK = {"source": "dev/desk", "destination": "dev/billing", "protocol": "http"}


def read_text(text: str) -> Iterable[Metric]:
    return text_fd_to_metric_families(io.StringIO(text))


def values(found: Iterable[Metric]) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Every sample: by its name, then by its labels."""
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in found:
        for sample in family.samples:
            of = samples.setdefault(sample.name, {})
            key = frozenset(sample.labels.items())
            assert key not in of
            of[key] = sample.value
    return samples


def labels(**more: str) -> frozenset[tuple[str, str]]:
    return frozenset(more.items())


async def test_every_call_is_counted_by_who_called_whom_and_how_it_ended(
    rig: MeshRig, blue: Upstream
) -> None:
    calls = ("GET /*",)
    callers = (Caller("dev/desk", calls),)
    await rig.have(rig.mesh(rig.billing(blue, callers=callers), rig.to_billing(calls=calls)))
    page = MetricsPage(rig.envoy.statistics)
    for _ in range(5):
        assert (await rig.call("/")).status_code == 200
    assert (await rig.call("/", "DELETE")).status_code == 403
    assert (await rig.ask("/")).status_code == 401
    token = rig.desk.token("dev/billing")
    assert (await rig.ask("/", token=token, method="DELETE")).status_code == 403

    async def collected() -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        answer = await asgi.ask(page, "metrics", headers=HERE)
        assert answer.status == 200
        return values(read_text(answer.text))

    async with asyncio.timeout(30):  # histograms are brought up to date every five seconds
        while True:
            found = await collected()
            waited = found.get("http_client_request_duration_seconds_count", {})
            if waited.get(frozenset(DESK.items())) == 6:
                break
            await asyncio.sleep(0.2)

    observed = Observed(
        refusals_beside(rig.access_log),
        Landscape,
        SystemClock(),
        counted=rig.envoy.statistics,
    )
    took = {
        (one.caller, one.callee): one
        for one in (await observed.durations(Context(ANONYMOUS))).durations
    }
    assert took.keys() == {("dev/desk", "dev/billing"), ("", "dev/billing")}
    of_desk = took["dev/desk", "dev/billing"]
    assert of_desk.calls == 6
    assert 0 < (of_desk.p50 or 0) <= (of_desk.p95 or 0) <= (of_desk.p99 or 0)

    edge = {**DESK, "source": "edge"}
    assert found["http_client_requests_total"] == {
        labels(**DESK, code_class="2xx"): 5,
        labels(**DESK, code_class="4xx"): 1,
        labels(**edge, code_class="4xx"): 2,
    }
    assert found["http_server_requests_total"] == {
        labels(service="dev/billing", code_class="2xx"): 5
    }
    assert found["mesh_refused_requests_total"] == {
        labels(destination="dev/billing", reason="token"): 1,
        labels(destination="dev/billing", reason="rule"): 1,
    }
    assert found["mesh_proxy_up"] == {labels(): 1}
    assert found["http_client_active_requests"][labels(**DESK)] == 0
    buckets = found["http_client_request_duration_seconds_bucket"]
    assert buckets[labels(**DESK, le="+Inf")] == buckets[labels(**DESK, le="60.0")] == 6


def some_of(stats: dict[str, int], histograms: dict[str, list[tuple[float, int]]]) -> bytes:
    told: list[Any] = [{"name": name, "value": value} for name, value in stats.items()]
    spread = [
        {"name": name, "buckets": [{"upper_bound": b, "cumulative": c} for b, c in buckets]}
        for name, buckets in histograms.items()
    ]
    return json.dumps({"stats": [*told, {"histograms": spread}]}).encode()


def test_ways_outside_retries_and_services_without_a_sidecar_are_counted_too() -> None:
    found = read(
        some_of(
            {
                "cluster.egress/desk.dev>api.example.com_443.upstream_cx_total": 7,
                "cluster.egress/desk.dev>api.example.com_443.upstream_cx_connect_fail": 2,
                "cluster.egress/desk.dev>api.example.com_443.upstream_cx_active": 1,
                "cluster.outbound/desk.dev>billing.dev.upstream_rq_retry": 3,
                "cluster.orders.dev_http2.upstream_rq_2xx": 4,
                "cluster.orders.dev.upstream_rq_5xx": 1,
                "cluster.proxy.upstream_rq_2xx": 99,
                "cluster.*xds.upstream_rq_2xx": 99,
            },
            {"cluster.orders.dev.upstream_rq_time": [(0.5, 1), (1000.0, 5), (3600000.0, 5)]},
        )
    )
    written = values(read_text(text(families(found), openmetrics=False)))
    outside = labels(source="dev/desk", destination="api.example.com:443", protocol="tcp")
    assert written["mesh_connections_total"] == {outside: 7}
    assert written["mesh_connection_failures_total"] == {outside: 2}
    assert written["mesh_open_connections"] == {outside: 1}
    assert written["mesh_retries_total"][labels(**DESK)] == 3
    edge = {"source": "edge", "destination": "dev/orders", "protocol": "http"}
    assert written["http_client_requests_total"] == {
        labels(**edge, code_class="2xx"): 4,
        labels(**edge, code_class="5xx"): 1,
    }
    durations = written["http_server_request_duration_seconds_bucket"]
    service = {"service": "dev/orders"}
    assert durations == {
        labels(**service, le="0.0005"): 1,
        labels(**service, le="1.0"): 5,
        labels(**service, le="+Inf"): 5,
    }


NAMES = st.sampled_from(["desk.dev", "billing.dev", "a.b", "x" * 63 + ".prod"])
STATS = st.dictionaries(
    st.one_of(
        st.builds(
            "{}/{}>{}.downstream_rq_{}".format,
            st.just("http.outbound"),
            NAMES,
            NAMES,
            st.sampled_from(["2xx", "5xx", "active"]),
        ),
        st.builds("cluster.to/{}.upstream_rq_{}".format, NAMES, st.sampled_from(["2xx", "4xx"])),
        st.builds("http.inbound/{}.rbac.denied".format, NAMES),
        st.text(max_size=80),
    ),
    st.integers(0, 2**63),
)
BUCKETS = st.lists(st.integers(0, 1000), max_size=5).map(
    lambda counts: [(float(10**n), sum(counts[: n + 1])) for n in range(len(counts))]
)


@settings(max_examples=50)
@given(
    stats=STATS,
    histograms=st.dictionaries(
        st.builds("http.outbound/{}>{}.downstream_rq_time".format, NAMES, NAMES), BUCKETS
    ),
)
def test_both_formats_are_read_by_those_who_collect_them_and_say_the_same(
    stats: dict[str, int], histograms: dict[str, list[tuple[float, int]]]
) -> None:
    found = families(read(some_of(stats, histograms)))
    plain = values(read_text(text(found, openmetrics=False)))
    assert plain == values(read_open(text(found, openmetrics=True)))  # type: ignore[no-untyped-call]
    requests = plain.get("http_client_requests_total", {})
    sent = {name: value for name, value in stats.items() if "downstream_rq_" in name[-20:]}
    assert len([key for key in requests if ("source", "edge") not in key]) == len(
        [name for name in sent if name.endswith("xx")]
    )


@settings(max_examples=50)
@given(
    counts=st.lists(st.integers(0, 50), min_size=1, max_size=6),
    share=st.floats(0.01, 1),
)
def test_a_quantile_lies_in_the_bucket_in_which_it_must(counts: list[int], share: float) -> None:
    total = 0
    buckets = []
    for number, count in enumerate(counts):
        total += count
        buckets.append(Bucket(float(number + 1), total))
    found = Spread(tuple(buckets), total).quantile(share)
    if not total:
        assert found is None
        return
    assert found is not None
    first = next(bucket for bucket in buckets if bucket.count >= share * total)
    assert first.bound - 1 <= found <= first.bound


async def nothing(_: str) -> bytes:
    raise ProxyUnavailable("it is away")


async def nonsense(pattern: str) -> bytes:
    assert pattern == WANTED
    return b"<html>"


@pytest.mark.parametrize("collect", [nothing, nonsense])
async def test_without_a_proxy_the_page_says_that_it_is_away(collect: Any) -> None:
    answer = await asgi.ask(MetricsPage(collect), "metrics", headers=HERE)
    assert values(read_text(answer.text)) == {"mesh_proxy_up": {labels(): 0}}


async def test_nothing_else_is_there() -> None:
    page = MetricsPage(nothing)
    assert (await asgi.ask(page, "/", headers=HERE)).status == 404
    assert (await asgi.ask(page, "metrics", method="POST", headers=HERE)).status == 405
    head = await asgi.ask(page, "metrics", method="HEAD", headers=HERE)
    assert (head.status, head.body) == (200, b"")
    assert (await asgi.ask(page, "metrics", headers={"host": "evil.example"})).status == 421
    wanted = {**HERE, "accept": "application/openmetrics-text; version=1.0.0"}
    answer = await asgi.ask(page, "metrics", headers=wanted)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("said", [None, b"", b"[]", b"{", b"\xff"])
async def test_while_no_proxy_says_anything_sensible_nothing_is_timed(
    said: bytes | None, tmp_path: Path
) -> None:
    async def counted(pattern: str) -> bytes:
        if said is None:
            raise ProxyUnavailable("it starts")
        return said

    observed = Observed(tmp_path / "log", Landscape, SystemClock(), counted=counted)
    assert (await observed.durations(Context(ANONYMOUS))).durations == []
