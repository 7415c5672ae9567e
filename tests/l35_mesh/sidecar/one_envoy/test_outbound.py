"""What a caller meets on its way to a dependency, at a real Envoy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    lines = await rig.logged(2, request_id=given["x-request-id"])
    assert {line["listener"] for line in lines} == {"outbound", "inbound"}
    assert {line["caller"] for line in lines} == {"dev/desk"}
    made = await rig.call("/headers")
    assert made.json()["x-request-id"] == made.headers["x-request-id"]


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


async def test_a_service_whose_last_instance_is_gone_says_so(rig: MeshRig) -> None:
    await rig.have(rig.mesh(rig.billing(service=edge_service("billing.dev")), rig.to_billing()))
    answer = await rig.call()
    assert (answer.status_code, answer.json()["type"]) == (503, "mesh.NoHealthyInstance")
