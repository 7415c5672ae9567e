"""Two releases that run together call one dependency at addresses of their own: what becomes of their calls is told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
import httpx2
import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.attempt_log import attempts_beside
from drystone.l10_engines.proxy.edge import Endpoint, Pool
from drystone.l10_engines.proxy.times import read_calls, statistics_pattern
from drystone.l25_deployer.local.calls import FailedCall, read
from drystone.l35_mesh.sidecar.model import Address, Mesh
from drystone.testing.conformance.engines import eventually
from drystone.testing.talker_process import running_talker
from l10_engines.proxy.test_streams import calls
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER = "desk.dev"


class Desk:
    """A service of two releases; ``new`` is at the second address."""

    def __init__(self, rig: MeshRig, blue: Upstream) -> None:
        self.rig, self.blue, self.new = rig, blue, free_port()
        self.begun = datetime.now(UTC)
        self.log: Path = attempts_beside(rig.access_log)

    def mesh(self, *, is_watched: bool = True) -> Mesh:
        one = self.rig.to_billing(is_watched=is_watched, timeout=timedelta(seconds=0.5))
        other = self.rig.to_billing(
            is_watched=is_watched,
            timeout=timedelta(seconds=0.5),
            listen=Address(self.new),
            slot=1,
        )
        return self.rig.mesh(self.rig.billing(self.blue), one, other)

    async def call(
        self, path: str, *, is_new: bool = False, headers: Mapping[str, str] | None = None
    ) -> int:
        port = self.new if is_new else self.rig.out
        url = f"http://127.0.0.1:{port}{path}"
        async with httpx2.AsyncClient(trust_env=False) as http:
            return (await http.get(url, headers=headers)).status_code

    async def failed(self, *marks: str) -> list[FailedCall]:
        """Wait until a failed call stands in the log for each path, and return those of this test."""

        def found() -> list[FailedCall]:
            lines = self.log.read_bytes().splitlines() if self.log.exists() else []
            every = [one for line in lines if (one := read(line, "dev/desk")) is not None]
            return [one for one in every if one.at >= self.begun]

        await eventually(lambda: set(marks) <= {one.path for one in found()})
        return found()

    async def answered(self) -> dict[int, int]:
        asked = await self.rig.envoy.statistics(statistics_pattern(["billing.dev"], CALLER))
        return {port: n for (_, port), n in read_calls(asked, CALLER).items()}


@pytest.fixture
def desk(rig: MeshRig, blue: Upstream) -> Desk:
    return Desk(rig, blue)


async def test_each_release_is_counted_where_it_calls_and_what_fails_is_written_down(
    desk: Desk,
) -> None:
    await desk.rig.have(desk.mesh())
    before = await desk.answered()
    for _ in range(3):
        assert await desk.call("/") == 200
    for _ in range(2):
        assert await desk.call("/status/404", is_new=True) == 404
    assert await desk.call("/status/500?token=s3", headers={"x-request-id": "one"}) == 500
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    assert await desk.call("/status/503", is_new=True, headers={"traceparent": trace}) == 503
    assert await desk.call("/break", is_new=True) == 503
    assert await desk.call("/slow", is_new=True) == 504

    async def risen() -> dict[int, int]:
        now = await desk.answered()
        return {port: now.get(port, 0) - before.get(port, 0) for port in (desk.rig.out, desk.new)}

    while await risen() != {desk.rig.out: 3, desk.new: 2}:  # noqa: ASYNC110 - Envoy counts a moment later
        await asyncio.sleep(0.01)
    failed = await desk.failed("/status/500", "/status/503", "/break", "/slow")
    found = {(one.slot, one.path): one for one in failed}
    assert set(found) == {(0, "/status/500"), (1, "/status/503"), (1, "/break"), (1, "/slow")}
    assert {path for (_, path), one in found.items() if one.is_carried} == {
        "/status/500",
        "/status/503",
    }
    assert "x-drystone-carried" not in desk.blue.told
    assert found[0, "/status/500"].request == "one"
    assert found[1, "/status/503"].request == "a" * 32
    assert found[1, "/break"].request != found[1, "/slow"].request
    told = found[1, "/status/503"].told()
    assert "its call to billing.dev failed: GET /status/503 was answered 503" in told
    assert b"s3" not in desk.log.read_bytes()


async def test_who_gives_up_before_there_is_an_answer_has_a_failed_call(desk: Desk) -> None:
    await desk.rig.have(desk.mesh())
    url = f"http://127.0.0.1:{desk.new}/slow?patience=none"
    async with httpx2.AsyncClient(trust_env=False, timeout=0.1) as http:
        with pytest.raises(httpx2.TimeoutException):
            await http.get(url)
    (one,) = await desk.failed("/slow")
    assert (one.slot, one.status, one.flags) == (1, 0, "DC")
    assert "was given up before it was answered" in one.told()


async def test_calls_of_grpc_fail_by_their_own_status(desk: Desk) -> None:
    async with running_talker("blue") as talker:
        pools = (Pool("v1", 1, (Endpoint(talker.port),), "http2"),)
        inbound = desk.rig.billing(service=edge_service("billing.dev", pools=pools))
        await desk.rig.have(desk.rig.mesh(inbound, desk.rig.to_billing(is_watched=True)))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{desk.rig.out}") as within:
            assert await calls(within, "Wait")("0") == "0 blue"
            with pytest.raises(grpc.aio.AioRpcError):
                await calls(within, "Nothing")("0")
    (one,) = await desk.failed("/talk.Talk/Nothing")
    assert (one.status, one.flags) == (200, "")
    assert "was answered 200 (gRPC Unimplemented)" in one.told()


async def test_nothing_is_written_of_a_service_of_which_no_release_is_tried(desk: Desk) -> None:
    await desk.rig.have(desk.mesh(is_watched=False))
    assert await desk.call("/status/500") == 500
    await desk.rig.have(desk.mesh())
    assert await desk.call("/status/501") == 501
    assert [one.path for one in await desk.failed("/status/501")] == ["/status/501"]


async def test_a_second_address_lets_no_connection_of_the_first_go(desk: Desk) -> None:
    await desk.rig.have(desk.rig.mesh(desk.rig.billing(desk.blue), desk.rig.to_billing()))
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.rig.out)
    for mesh in (desk.mesh(), desk.mesh(is_watched=False), desk.mesh()):
        await desk.rig.have(mesh)
        writer.write(b"GET / HTTP/1.1\r\nhost: billing\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"connection: close" not in head.lower()
        assert await reader.readexactly(4) == b"blue"
    writer.close()
