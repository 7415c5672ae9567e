"""What a caller meets on its way to a dependency, at a real Envoy."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from typing import Any

import httpx2

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes import identity
from drystone.l10_engines.proxy.edge import Endpoint
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l35_mesh.sidecar.model import Address
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.rig import only_generation
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service


async def test_a_request_that_was_not_declared_ends_where_it_begins(
    rig: MeshRig, blue: Upstream
) -> None:
    declared = rig.to_billing(calls=("GET /reports/*", "POST /charges"))
    await rig.have(rig.mesh(rig.billing(blue), declared))
    assert (await rig.call("/reports/1")).status_code == 200
    assert (await rig.call("/charges", "POST")).status_code == 200
    seen = blue.seen.total()
    answer = await rig.call("/charges/7?x=1", "DELETE")
    assert (answer.status_code, answer.json()["type"]) == (403, "mesh.CallUndeclared")
    assert "dev/desk declares other requests to dev/billing" in answer.json()["detail"]
    assert "Add `DELETE /charges/7` to dependencies.billing.calls" in answer.json()["detail"]
    assert blue.seen.total() == seen


async def test_without_a_token_no_call_is_made(stopped: MeshRig, blue: Upstream) -> None:
    await stopped.live()
    parts = stopped.billing(blue, public=True), stopped.to_billing()
    await stopped.have(stopped.mesh(*parts, token=""))
    await eventually_status(stopped, 401)
    answer = await stopped.call()
    assert answer.json()["type"] == "mesh.NoTokenYet"
    assert blue.seen.total() == 0
    await stopped.have(stopped.mesh(*parts))
    assert (await stopped.call()).status_code == 200


async def eventually_status(rig: MeshRig, status: int) -> None:
    """Wait until calls are answered so: an Envoy waits a while for a token that nobody gives it."""
    async with asyncio.timeout(30):
        while True:
            try:
                if (await rig.call()).status_code == status:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)


async def test_a_token_of_the_callers_own_does_not_leave_its_sidecar(rig: MeshRig) -> None:
    answer = await rig.call("/headers", headers={"authorization": "Basic c2VjcmV0"})
    assert answer.json()["authorization"].startswith("bearer ")


async def test_a_new_token_is_used_at_once(rig: MeshRig, blue: Upstream) -> None:
    new = rig.desk.token("dev/billing", timedelta(minutes=6))
    await rig.have(rig.mesh(rig.billing(blue), rig.to_billing(), token=new))
    answer = await rig.call("/headers")
    assert answer.json()["authorization"] == f"bearer {new}".lower()


async def test_what_traces_need_passes_and_every_request_has_one_id(rig: MeshRig) -> None:
    given = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=b",
        "b3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
        "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
        "x-request-id": "4f0ee4a1-0000-4000-8000-000000000000",
        "baggage": "k=v",
    }
    answer = await rig.call("/headers", headers=given)
    assert {name: answer.json().get(name) for name in given} == given
    lines = await logged(rig, 2)
    assert {line["request_id"] for line in lines} == {given["x-request-id"]}
    assert {line["listener"] for line in lines} == {"outbound", "inbound"}
    assert {line["caller"] for line in lines} == {"dev/desk"}
    made = await rig.call("/headers")
    assert made.json()["x-request-id"] == made.headers["x-request-id"]


async def logged(rig: MeshRig, count: int) -> list[dict[str, Any]]:
    def lines() -> list[dict[str, Any]]:
        written = rig.access_log.read_text() if rig.access_log.exists() else ""
        return [json.loads(line) for line in written.rpartition("\n")[0].splitlines()]

    await eventually(lambda: len(lines()) >= count)
    return lines()


async def test_what_is_safe_is_tried_again_and_a_post_is_not(rig: MeshRig, blue: Upstream) -> None:
    """The inbound tries transport again by itself, so the statuses of the application count here."""
    parts = rig.billing(blue), rig.to_billing(retries=1, retry_on=("connect", "500"))
    await rig.have(rig.mesh(*parts))
    for method in ("GET", "POST", "PUT"):
        assert (await rig.call("/status/500", method)).status_code == 500
    seen = {method: blue.seen[f"{method} /status/500"] for method in ("GET", "POST", "PUT")}
    assert seen == {"GET": 2, "POST": 1, "PUT": 1}


async def test_who_was_not_let_in_is_tried_again_whatever_it_asks(
    rig: MeshRig, blue: Upstream
) -> None:
    await rig.have(rig.mesh(rig.billing(blue), rig.to_billing(retries=2, retry_on=("429",))))
    assert (await rig.call("/status/429", "POST")).status_code == 429
    assert blue.seen["POST /status/429"] == 3


async def test_a_broken_post_is_sent_once(rig: MeshRig, blue: Upstream) -> None:
    await rig.have(
        rig.mesh(rig.billing(blue), rig.to_billing(retry_on=("reset", "timeout", "503")))
    )
    answer = await rig.call("/break", "POST")
    assert answer.status_code == 503
    assert blue.seen["POST /break"] == 1


async def test_silence_is_ended_by_the_callers_patience(rig: MeshRig, blue: Upstream) -> None:
    patience = timedelta(milliseconds=200)
    await rig.have(rig.mesh(rig.billing(blue), rig.to_billing(timeout=patience)))
    answer = await rig.call("/slow")
    assert (answer.status_code, answer.json()["type"]) == (504, "mesh.DependencySilent")
    assert "dependencies.billing.timeout of dev/desk" in answer.json()["detail"]


async def test_silence_is_tried_again_where_that_is_declared(rig: MeshRig, blue: Upstream) -> None:
    retried = rig.to_billing(timeout=timedelta(seconds=1), retries=1, retry_on=("timeout",))
    await rig.have(rig.mesh(rig.billing(blue), retried))
    assert (await rig.call("/slow")).status_code == 504
    assert blue.seen["GET /slow"] == 2


async def test_a_stream_goes_on_for_longer_than_an_answer_may_take(
    rig: MeshRig, blue: Upstream
) -> None:
    patience = timedelta(milliseconds=300)
    await rig.have(rig.mesh(rig.billing(blue), rig.to_billing(timeout=patience)))
    answer = await rig.call("/events")
    assert answer.text.count("data:") == 20


async def test_each_side_may_have_an_envoy_of_its_own(stopped: MeshRig, blue: Upstream) -> None:
    """The caller's speaks HTTP/2 with that of the callee, over TCP."""
    rig, between = stopped, free_port()
    await rig.ads.start()
    inbound = rig.billing(blue, listen=Address(between))
    caller = rig.mesh(rig.to_billing(reach=(Endpoint(between),)))
    envoys = {}
    for name, mesh in (("callee", rig.mesh(inbound)), ("caller", caller)):
        settings = ProxySettings(port=free_port(), access_log=rig.home / f"{name}.json")
        envoys[name] = Envoy(rig.home / name, ads=rig.ads, settings=settings, group=name)
        await envoys[name].publish(instance_snapshot(mesh))
    try:
        await asyncio.gather(*(envoy.start() for envoy in envoys.values()))
        answer = await rig.call("/headers")
        assert answer.json()["x-asap-issuer"] == "dev/desk"
        lines = await logged(rig, 2)
        assert {line["listener"]: line["protocol"] for line in lines} == {
            "outbound": "HTTP/1.1",
            "inbound": "HTTP/2",
        }
        stranger = await rig._http.get(f"http://127.0.0.1:{between}/headers")
        assert stranger.json()["type"] == "mesh.NoToken"
    finally:
        for envoy in envoys.values():
            await envoy.stop()


async def test_an_envoy_that_starts_again_without_an_agent_serves_as_before(
    rig: MeshRig, blue: Upstream
) -> None:
    parts = rig.billing(blue), rig.to_billing(calls=("GET /headers",))
    await rig.have(rig.mesh(*parts))
    await rig.envoy.require_kept()
    killed = only_generation(rig).envoy()
    assert killed is not None
    await rig.die()
    identity.send(killed, signal.SIGKILL)
    await eventually(lambda: only_generation(rig).envoy() not in (None, killed))
    await eventually_status(rig, 403)  # of what was not declared
    answer = await rig.call("/headers")
    assert answer.json()["x-asap-issuer"] == "dev/desk"
    assert (await rig.ask()).json()["type"] == "mesh.NoToken"
    forged = rig.desk.token("dev/other")
    assert (await rig.ask(token=forged)).json()["type"] == "mesh.TokenRefused"


async def test_a_service_whose_last_instance_is_gone_says_so(rig: MeshRig) -> None:
    await rig.have(rig.mesh(rig.billing(service=edge_service("billing.dev")), rig.to_billing()))
    answer = await rig.call()
    assert (answer.status_code, answer.json()["type"]) == (503, "mesh.NoHealthyInstance")
