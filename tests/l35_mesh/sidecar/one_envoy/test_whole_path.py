"""A call from one service to another through a real Envoy."""

from __future__ import annotations

import pytest

from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_declared_call_arrives_with_the_callers_name(rig: MeshRig) -> None:
    answer = await rig.call("/headers")
    assert answer.status_code == 200
    assert answer.json()["x-asap-issuer"] == "dev/desk"


async def test_a_stranger_is_refused(rig: MeshRig, blue: Upstream) -> None:
    answer = await rig.ask()
    assert (answer.status_code, answer.json()["type"]) == (401, "mesh.NoToken")
    assert answer.headers["www-authenticate"] == 'Bearer realm="dev/billing"'
    assert not blue.seen


async def test_who_is_sent_past_no_inbound_cannot_say_that_they_are_a_caller(
    rig: MeshRig, blue: Upstream
) -> None:
    await rig.have(rig.mesh(rig.to_billing()), edge_service("billing.dev", blue))
    claimed = {"x-asap-issuer": "dev/desk", "x-drystone-user": "root", "x-mine": "1"}
    answer = await rig.ask("/headers", headers=claimed)
    assert answer.status_code == 200
    assert claimed.keys() & answer.json().keys() == {"x-mine"}


async def test_where_strangers_may_call_a_service_is_held_to_what_it_declares(
    rig: MeshRig, blue: Upstream
) -> None:
    await rig.have(
        rig.mesh(rig.billing(blue, public=True, holds_callers=True, callers=()), rig.to_billing())
    )
    assert (await rig.ask()).status_code == 200
    refused = await rig.call()
    assert (refused.status_code, refused.json()["type"]) == (403, "mesh.CallRefused")
    named = await rig.ask(token=rig.desk.token("dev/billing"))
    assert named.status_code == 403
