"""Calls of other services meet a release that is tried as those of people do."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.proxy.edge import Canary, Endpoint, Pool
from drystone.l10_engines.proxy.edge_moves import WHOLE
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def tried() -> AsyncIterator[Upstream]:
    upstream = await Upstream("tried").start()
    yield upstream
    await upstream.stop()


async def test_a_call_between_services_is_parted_behind_the_check_of_who_calls(
    rig: MeshRig, blue: Upstream, tried: Upstream
) -> None:
    inbound = rig.billing(blue)
    canary = Canary(
        pool=Pool("tried", 0, (Endpoint(tried.port),)),
        share=WHOLE // 2,
        cohort="tenant",
        header="x-release",
    )
    service = msgspec.structs.replace(inbound.service, canary=canary)
    trying = msgspec.structs.replace(inbound, service=service)
    await rig.have(rig.mesh(trying, rig.to_billing()))

    sides: Counter[str] = Counter()
    for number in range(20):
        tenant = {"x-tenant-id": f"t{number}"}
        called = (await rig.call(headers=tenant)).text
        token = rig.desk.token("dev/billing")
        asked = (await rig.ask(token=token, headers=tenant)).text
        assert called == asked, "by a sidecar and by the edge, a tenant is on one side"
        sides[called] += 1
    assert set(sides) == {"blue", "tried"}
    chosen = {"x-release": "canary"}
    assert (await rig.call(headers=chosen)).text == "tried"
    assert (await rig.ask(headers=chosen)).status_code == 401


async def test_a_visitor_is_parted_at_the_edge_by_a_cookie_that_the_sidecar_sets(
    rig: MeshRig, blue: Upstream, tried: Upstream
) -> None:
    inbound = rig.billing(blue)
    canary = Canary(
        pool=Pool("tried", 0, (Endpoint(tried.port),)), share=WHOLE // 2, cohort="visitor"
    )
    service = msgspec.structs.replace(inbound.service, canary=canary)
    trying = msgspec.structs.replace(inbound, service=service)
    await rig.have(rig.mesh(trying, rig.to_billing()))
    token = rig.desk.token("dev/billing")

    seen = set()
    for _ in range(12):
        cookie = {"cookie": f"drystone-visitor={uuid.uuid4()}"}
        answers = [await rig.ask(token=token, headers=cookie) for _ in range(2)]
        assert len({answer.text for answer in answers}) == 1
        assert all("set-cookie" not in answer.headers for answer in answers)
        seen.add(answers[0].text)
    assert seen == {"blue", "tried"}
    (given,) = (await rig.ask(token=token)).headers.get_list("set-cookie")
    assert given.startswith("drystone-visitor=")
