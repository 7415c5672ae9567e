"""Envoys that start, start again, and stand beside instances."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import grpc
import httpx2
import pytest
from msgspec import structs

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes import identity
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.generation import generations
from drystone.l35_mesh.sidecar import model
from drystone.l35_mesh.sidecar.model import Address, Mesh
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot, mesh_snapshot
from drystone.testing.conformance.engines import eventually
from drystone.testing.talker_process import running_talker
from l10_engines.proxy.rig import only_generation, until
from l10_engines.proxy.test_streams import calls
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.one_envoy.test_protocols import channel
from l35_mesh.sidecar.rig import MeshRig, edge_service


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


class Beside:
    """The host's Envoy and one that a service has of its own."""

    def __init__(self, rig: MeshRig) -> None:
        self.rig, self.at = rig, Address(free_port())
        settings = ProxySettings(port=None, access_log=rig.access_log, shares_logs=True)
        self.own = Envoy(rig.home / "own", ads=rig.ads, settings=settings, group="own")

    async def begin(self, own: Mesh, host: Mesh, *services: EdgeService) -> None:
        await self.rig.live()
        await self.own.publish(instance_snapshot(own))
        await self.own.start()
        await self.rig.envoy.publish(mesh_snapshot(host, self.rig.snapshot(*services)))


@pytest.fixture
async def beside(stopped: MeshRig) -> AsyncIterator[Beside]:
    found = Beside(stopped)
    yield found
    await found.own.stop()


async def test_the_edge_and_services_of_the_host_find_a_service_with_an_envoy_of_its_own(
    beside: Beside, blue: Upstream
) -> None:
    rig = beside.rig
    inbound = rig.billing(blue, listen=beside.at, is_behind=True, public=True)
    service = inbound.service
    out = rig.to_billing(reach=(Endpoint(beside.at.port),))
    host = structs.replace(rig.mesh(out), beside=(model.Beside(service=service, listen=beside.at),))
    await beside.begin(rig.mesh(inbound), host, service)
    assert (await rig.call("/headers")).json()["x-asap-issuer"] == "dev/desk"
    answer = await rig.ask("/headers", headers={"x-asap-issuer": "dev/desk"})
    assert answer.status_code == 200
    assert "x-asap-issuer" not in answer.json()
    assert answer.json()["host"] == "billing.dev.localhost"
    assert (await rig.ask(token="nonsense")).status_code == 401
    # A request under way is finished before it ends.
    (own,) = generations(rig.home / "own")
    slow = asyncio.create_task(rig.ask("/slow"))
    await eventually(lambda: blue.seen["GET /slow"] == 1)
    ending = asyncio.create_task(beside.own.stop())
    await eventually(own.is_leaving)
    blue.release.set()
    assert (await slow).status_code == 200
    await ending


def stands(beside: Beside, service: EdgeService) -> tuple[Mesh, Mesh]:
    """Return what a service's own Envoy does, and that of the host, which is its caller's sidecar."""
    rig = beside.rig
    inbound = rig.billing(service=service, listen=beside.at, is_behind=True, public=True)
    out = rig.to_billing(reach=(Endpoint(beside.at.port),))
    ways = (model.Beside(service=service, listen=beside.at),)
    return rig.mesh(inbound), structs.replace(rig.mesh(out), beside=ways)


@pytest.mark.slow
async def test_a_websocket_comes_to_a_service_with_an_envoy_of_its_own(
    beside: Beside, blue: Upstream
) -> None:
    service = edge_service("billing.dev", blue)
    await beside.begin(*stands(beside, service), service)
    for port in (beside.rig.port, beside.rig.out):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /chat HTTP/1.1\r\nhost: billing.dev.localhost\r\n"
            b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n"
        )
        async with asyncio.timeout(20):
            assert (await reader.readline()).split()[1] == b"101"
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"hello\n")
            assert b"hello" in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.slow
async def test_streams_of_grpc_come_to_a_service_with_an_envoy_of_its_own(beside: Beside) -> None:
    async with running_talker("green") as talker:
        pools = (Pool("v1", 1, (Endpoint(talker.port),), "http2"),)
        service = edge_service("billing.dev", pools=pools)
        await beside.begin(*stands(beside, service), service)
        ways = ((beside.rig.port, "billing.dev.localhost"), (beside.rig.out, "billing"))
        for port, name in ways:
            async with channel(port, name) as way:
                assert await calls(way, "Wait")("0") == "0 green"
                echo = calls(way, "Echo", "stream_stream")()
                for number in range(5):
                    await echo.write(str(number))
                    assert await echo.read() == f"{number} green"
                await echo.done_writing()
                assert await echo.code() is grpc.StatusCode.OK


async def test_what_comes_while_an_envoy_starts_again_waits_for_it(
    beside: Beside, blue: Upstream
) -> None:
    rig = beside.rig
    inbound = rig.billing(blue, listen=beside.at, is_behind=True, public=True)
    service = inbound.service
    host = structs.replace(rig.mesh(), beside=(model.Beside(service=service, listen=beside.at),))
    await rig.live()
    await rig.envoy.publish(mesh_snapshot(host, rig.snapshot(service)))
    waiting = asyncio.create_task(rig.ask())  # nothing listens there
    await eventually_counted(rig, r"^cluster\.to/billing\.dev_beside\.upstream_rq_retry$")
    waiting.cancel()


async def test_an_envoy_of_its_own_comes_to_a_service_of_the_host_by_an_entry(
    beside: Beside, blue: Upstream
) -> None:
    rig = beside.rig
    inbound = rig.billing(blue, entry=beside.at)
    own = rig.mesh(rig.to_billing(reach=(Endpoint(beside.at.port),)))
    await beside.begin(own, rig.mesh(inbound), inbound.service)
    assert (await rig.call("/headers")).json()["x-asap-issuer"] == "dev/desk"
    said = {"x-asap-issuer": "dev/desk", "x-forwarded-for": "1.2.3.4"}
    stranger = await rig._http.get(f"http://127.0.0.1:{beside.at.port}/", headers=said)
    assert stranger.json()["type"] == "mesh.NoToken"
    lines = await rig.logged(3)
    assert [line["listener"] for line in lines].count("inbound") == 2


async def test_what_is_led_to_an_inbound_before_that_is_open_waits_for_it(
    stopped: MeshRig, blue: Upstream
) -> None:
    await stopped.live()
    inbound = stopped.billing(blue, public=True)
    whole = mesh_snapshot(stopped.mesh(inbound), stopped.snapshot(inbound.service))
    await stopped.envoy.publish(whole.without(["inbound/billing.dev"]))
    waiting = asyncio.create_task(stopped.ask())
    await eventually_counted(stopped, r"^cluster\.to/billing\.dev\.upstream_rq_retry$")
    await stopped.envoy.publish(whole)
    assert (await waiting).status_code in {200, 503}
    assert (await stopped.ask()).status_code == 200


async def eventually_counted(rig: MeshRig, pattern: str) -> None:
    """Wait until the host's Envoy has counted something."""

    async def is_counted() -> bool:
        found = json.loads(await rig.envoy.statistics(pattern))["stats"]
        return any(stat.get("value", 0) > 0 for stat in found)

    await until(is_counted)
