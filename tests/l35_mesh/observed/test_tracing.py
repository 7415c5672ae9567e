"""Spans of calls through a real Envoy, as collectors get them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from drystone.l05_graph.ingest import otlp_traces
from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.source import Stream
from drystone.l25_deployer.local.mesh import Member
from drystone.l35_mesh.observed.tracing import CannotTrace, Tracing, collector_of
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.testing.asgi import served
from l10_engines.proxy.upstream import Upstream
from l25_deployer.stacks.samples import stacks
from l35_mesh.sidecar.rig import MeshRig

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collected:
    """A collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def everything(self) -> bytes:
        """Return all that was sent; messages of Protocol Buffers in a row are one message."""
        return b"".join(body for _, body in list(self.bodies))

    def calls(self) -> dict[tuple[str, str], int]:
        """Return how often who called whom, by the spans of OpenTelemetry that were sent."""
        stream = Stream(name="spans", chunks=iter([self.everything()]), seen=datetime.now(UTC))
        if not self.bodies:
            return {}
        found = otlp_traces.read(stream, Endpoints(())).batch
        return {(one.caller, one.callee): one.calls for one in found.observations}

    def kinds(self, trace: str) -> dict[str, str]:
        """Return which services have spans of a trace, and of which kind, by what was sent for Zipkin."""
        spans = [span for _, body in list(self.bodies) for span in json.loads(body)]
        return {
            span["tags"]["drystone.service"]: span["kind"]
            for span in spans
            if span["traceId"] == trace
        }


@contextmanager
def collector() -> Iterator[tuple[Collected, str]]:
    collected = Collected()
    with served(collected) as url:
        yield collected, url.rstrip("/")


def member(service: str, percent: int) -> Member:
    text = f"""\
schema: 1
service: {service}
owner: docs
process: {{command: [serve]}}
proxy: {{tracing: {percent}%}}
"""
    return Member(environment="dev", service=service, surroundings=(stacks(text).environment,))


MEMBERS = (member("desk", 100), member("billing", 0))


async def trace(rig: MeshRig, blue: Upstream, **where: str) -> None:
    """Let the proxy report spans."""
    add = Tracing(collector_of(where.get("otlp"), where.get("zipkin")) or pytest.fail("none"))
    inbound = rig.billing(blue)
    edge = rig.snapshot(inbound.service)
    whole = mesh_snapshot(rig.mesh(inbound, rig.to_billing()), edge)
    await rig.envoy.publish(add(whole, MEMBERS))


async def until(is_met: Callable[[], bool]) -> None:
    """Wait: what a proxy has gathered is sent every five seconds, by each of its listeners."""
    async with asyncio.timeout(40):
        while not is_met():  # noqa: ASYNC110 - a collector in a thread
            await asyncio.sleep(0.1)


async def test_otlp_spans_join_into_the_call_and_carry_no_query(
    rig: MeshRig, blue: Upstream
) -> None:
    with collector() as (collected, url):
        await trace(rig, blue, otlp=url)
        path = "/headers?token=geheim"
        seen = (await rig.call(path)).json()
        assert seen["traceparent"].endswith("-01")
        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        followed = (await rig.call("/headers", headers=parent)).json()
        assert followed["traceparent"].split("-")[1] == TRACE
        assert followed["traceparent"].split("-")[2] != PARENT
        # Billing wants no traces of its own: a stranger's call is not traced.
        strange = await rig.ask("/headers", token=rig.desk.token("dev/billing"))
        assert strange.json()["traceparent"].endswith("-00")
        await until(lambda: collected.calls().get(("dev/desk", "dev/billing")) == 2)

    sent = collected.everything()
    assert {path for path, _ in collected.bodies} == {"/v1/traces"}
    assert b"geheim" not in sent
    assert b"/headers" in sent
    assert bytes.fromhex(TRACE) in sent


async def test_zipkin_gets_spans_that_follow_b3_and_the_context_of_the_w3c(
    rig: MeshRig, blue: Upstream
) -> None:
    with collector() as (collected, url):
        await trace(rig, blue, zipkin=url)
        b3 = {"x-b3-traceid": TRACE, "x-b3-spanid": PARENT, "x-b3-sampled": "1"}
        seen = (await rig.call("/headers?token=geheim", headers=b3)).json()
        assert seen["x-b3-traceid"] == seen["traceparent"].split("-")[1] == TRACE
        parent = {"traceparent": f"00-{TRACE[::-1]}-{PARENT}-01"}
        followed = (await rig.call("/headers", headers=parent)).json()
        assert followed["x-b3-traceid"] == TRACE[::-1]
        whole = {"dev/desk": "CLIENT", "dev/billing": "SERVER"}
        await until(lambda: collected.kinds(TRACE) == collected.kinds(TRACE[::-1]) == whole)

    assert {path for path, _ in collected.bodies} == {"/api/v2/spans"}
    sent = collected.everything()
    assert b"geheim" not in sent
    assert f'"parentId":"{PARENT}"'.encode() in sent


async def test_a_collector_that_is_away_holds_nobody_up(rig: MeshRig, blue: Upstream) -> None:
    await trace(rig, blue, otlp="http://127.0.0.1:9")
    answers = [(await rig.call("/")).status_code for _ in range(20)]
    assert answers == [200] * 20


def test_what_did_not_change_stays_the_same_object(rig: MeshRig, blue: Upstream) -> None:
    add = Tracing(collector_of("http://127.0.0.1:4318", None) or pytest.fail("none"))
    inbound = rig.billing(blue)
    whole = mesh_snapshot(rig.mesh(inbound, rig.to_billing()), rig.snapshot(inbound.service))
    first, second = add(whole, MEMBERS), add(whole, MEMBERS)
    assert all(first.listeners[name] is of for name, of in second.listeners.items())
    assert all(first.routes[name] is of for name, of in second.routes.items())
    assert all(first.clusters[name] is of for name, of in second.clusters.items())
    other = add(whole, (MEMBERS[0], member("billing", 50)))
    changed = {name for name in whole.listeners if other.listeners[name] != first.listeners[name]}
    assert changed == {"inbound/billing.dev"}


@pytest.mark.parametrize(
    ("otlp", "zipkin", "says"),
    [
        ("http://a:1", "http://b:2", "remove one"),
        ("https://a", None, "no address such as"),
        ("http://user:secret@a", None, "no address such as"),
        (None, "http://a:99999", "no address such as"),
        ("http://[::1", None, "no address such as"),
    ],
)
def test_what_cannot_be_sent_to_is_refused_without_showing_it(
    otlp: str | None, zipkin: str | None, says: str
) -> None:
    with pytest.raises(CannotTrace, match=says) as refused:
        collector_of(otlp, zipkin)
    assert "secret" not in str(refused.value)


def test_nobody_collects_where_nothing_is_set() -> None:
    assert collector_of(None, None) is None
