"""Envoys that start, start again, and stand beside instances."""

from __future__ import annotations

import asyncio
import signal

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
from l35_mesh.sidecar.rig import MeshRig


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
        lines = await rig.logged(2)
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
