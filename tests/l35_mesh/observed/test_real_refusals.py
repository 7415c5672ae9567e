"""What a real Envoy writes down of what it refuses, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l35_mesh.observed.api import Refusals
from drystone.l35_mesh.observed.landscape import Known, Landscape, Need
from drystone.l35_mesh.observed.service import Observed
from drystone.l35_mesh.sidecar.model import Caller
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

LANDSCAPE = Landscape(
    services={
        "dev/desk": Known(needs={"dev/billing": Need("billing", ("GET /reports/*",))}),
        "dev/billing": Known(),
        "dev/shop": Known(),
    }
)


async def told(observed: Observed, enough: Callable[[Refusals], bool]) -> Refusals:
    """Ask until enough is told."""
    async with asyncio.timeout(30):
        while not enough(found := await observed.refusals(Context(ANONYMOUS))):  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.05)
    return found


async def test_refused_requests_are_told_with_their_lines_and_served_ones_are_not(
    rig: MeshRig, blue: Upstream
) -> None:
    calls = ("GET /reports/*",)
    parts = (
        rig.billing(blue, callers=(Caller("dev/desk", calls),)),
        rig.to_billing(calls=calls),
    )
    await rig.have(rig.mesh(*parts))
    observed = Observed(refusals_beside(rig.access_log), lambda: LANDSCAPE, SystemClock())
    began = datetime.now(UTC)

    assert (await rig.call("/reports/1")).status_code == 200
    assert (await rig.call("/users/4711?token=geheim", "POST")).status_code == 403
    assert (await rig.ask("/reports/1")).status_code == 401
    token = rig.desk.token("dev/billing")
    assert (await rig.ask("/", token=token, method="DELETE")).status_code == 403
    found = await told(observed, lambda seen: sum(one.times for one in seen.refusals) >= 3)

    assert found.unread == found.left_out == 0
    assert {(one.caller, one.target, one.what, one.line) for one in found.refusals} == {
        (
            "dev/desk",
            "dev/billing",
            "dev/desk asked dev/billing for POST /users/*",
            "dependencies: {billing: {calls: [GET /reports/*, POST /users/*]}}",
        ),
        (
            "dev/desk",
            "dev/billing",
            "dev/desk asked dev/billing for DELETE /",
            "dependencies: {billing: {calls: [GET /reports/*, DELETE /]}}",
        ),
        (
            "",
            "dev/billing",
            "somebody who does not say who it is asked dev/billing for GET /reports/*",
            "network: {ingress: {public: true}}",
        ),
    }
    assert all(began.replace(microsecond=0) <= one.first == one.last for one in found.refusals)
    assert "geheim" not in refusals_beside(rig.access_log).read_text()
    assert "Bearer" not in refusals_beside(rig.access_log).read_text()
    await is_written(rig.access_log, "dev/desk")


async def is_written(log: Path, caller: str) -> None:
    """The access log names the caller of what went out."""
    async with asyncio.timeout(30):
        while True:
            lines = [json.loads(one) for one in log.read_text().splitlines()]
            if any((x["listener"], x["caller"]) == ("outbound", caller) for x in lines):
                return
            await asyncio.sleep(0.05)


async def test_a_log_that_has_grown_is_moved_away_and_nothing_is_lost(
    rig: MeshRig, blue: Upstream
) -> None:
    log = refusals_beside(rig.access_log)
    observed = Observed(log, lambda: LANDSCAPE, SystemClock())
    observed.start()
    assert (await rig.ask()).status_code == 401
    await told(observed, lambda seen: bool(seen.refusals))
    log.rename(log.with_name(f"{log.name}.1"))
    await rig.envoy.tend()
    assert (await rig.ask()).status_code == 401
    found = await told(observed, lambda seen: seen.refusals[0].times == 2)
    await observed.stop()
    assert found.unread == 0
    assert log.exists()
