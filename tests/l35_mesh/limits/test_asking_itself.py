"""A service asks about its own limits, at an address that is its own: the real proxy and the real limiter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l35_mesh.limits.engine import LimiterEngine
from drystone.l35_mesh.limits.envoy import asking_itself, inbound_filters
from drystone.l35_mesh.limits.policies import exact_limits
from drystone.l35_mesh.sidecar.model import Address, Further, Mesh, OwnWay
from l35_mesh.limits.samples import limit
from l35_mesh.sidecar.rig import MeshRig


class AskingRig(MeshRig):
    """Both ``orders`` and ``mail`` have a limit of their own for rows."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.limiter = LimiterEngine(home / "limiter", socket=home / "limiter.sock")
        self.own = free_port()

    async def begin(self) -> None:
        await self.live()
        rows = {"rows": limit(count=10, counted="exact", match="none")}
        self.limiter.tell({"dev/orders": exact_limits(rows), "dev/mail": exact_limits(rows)})
        made = asking_itself("dev/orders", self.limiter.socket)
        further = Further(own_routes=made.own_routes, clusters=made.clusters)
        own = OwnWay(caller="orders.dev", listen=Address(self.own), further=further)
        await self.have(Mesh(access_log=self.access_log, own_ways=(own,)))

    async def check(
        self, path: str = "/v1/limits/dev/orders/rows/check", **more: object
    ) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.own}{path}"
        body = {"key": "acme", "cost": 4}
        return await self._http.request("POST", url, json=body, **more)  # type: ignore[arg-type]


@pytest.fixture
async def rig(home: Path) -> AsyncIterator[AskingRig]:
    rig = AskingRig(home)
    try:
        await rig.begin()
        yield rig
    finally:
        await rig.end()
        await rig.limiter.stop()


def test_a_limit_that_is_about_no_request_is_no_affair_of_the_proxy() -> None:
    made = inbound_filters("dev/orders", {"rows": limit(counted="exact", match="none")}, Path("/s"))
    assert (made.filters, made.extensions, made.clusters) == ((), {}, {})


async def test_a_service_counts_against_its_own_limits_and_reaches_nothing_else(
    rig: AskingRig,
) -> None:
    down = await rig.check()
    assert (down.status_code, down.json()["type"]) == (503, "mesh.PlatformUnreachable")
    await rig.limiter.start()
    answers = [(await rig.check()).json() for _ in range(3)]
    assert [one["allowed"] for one in answers] == [True, True, False]
    # Whatever it says of itself, it is who the address belongs to.
    spoofed = await rig.check(headers={"x-asap-issuer": "dev/mail"})
    assert (spoofed.status_code, spoofed.json()["allowed"]) == (200, False)
    for path in (
        "/v1/limits/dev/mail/rows/check",
        "/v1/limits/dev/orders-2/rows/check",
        "/v1/limits/dev/orders/../mail/rows/check",
        "/v1/limits/dev/orders/%2e%2e/mail/rows/check",
        "/v1/limits",
        "/authz/open/dev/mail/-/",
        "/authz/open/dev/orders/-/",
    ):
        answer = await rig.check(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "mesh.NothingHere"), path
    unknown = await rig.check("/v1/limits/dev/orders/none/check")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "limits.LimitNotFound")


async def test_a_limit_that_is_told_is_known_at_once(rig: AskingRig) -> None:
    await rig.limiter.start()
    assert (await rig.check()).json()["remaining"] == 6
    rows = limit(count=10, counted="exact", match="none")
    for number in range(20):
        rig.limiter.tell({"dev/orders": exact_limits({f"new-{number}": rows})})
        answer = await rig.check(f"/v1/limits/dev/orders/new-{number}/check")
        assert (answer.status_code, answer.json()["remaining"]) == (200, 6)
