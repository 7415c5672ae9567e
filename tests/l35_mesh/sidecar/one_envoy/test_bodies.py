"""How large a body may be, at a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived

from drystone.l25_deployer.stacks.limits import HELD_BODY
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGEST = 100_000


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    while size > 0:
        yield bytes(min(size, 30_000))
        size -= 30_000


async def announced(rig: MeshRig, size: int) -> int:
    """Say how long a body will be, send nothing of it, and return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.out)
    try:
        writer.write(f"POST / HTTP/1.1\r\nhost: b\r\ncontent-length: {size}\r\n\r\n".encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


async def by_http2(rig: MeshRig, size: int) -> int:
    """Send a body by HTTP/2 without saying how long it will be, as far as it is taken, and return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.out)
    connection = H2Connection(H2Configuration(client_side=True))
    connection.initiate_connection()
    names = ((":method", "POST"), (":path", "/length"), (":scheme", "http"), (":authority", "b"))
    connection.send_headers(1, names)
    try:
        while True:
            while size and (
                room := min(
                    size,
                    connection.local_flow_control_window(1),
                    connection.max_outbound_frame_size,
                )
            ):
                connection.send_data(1, bytes(room), end_stream=size == room)
                size -= room
            writer.write(connection.data_to_send())
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, ResponseReceived):
                    return int(dict(event.headers)[b":status"])
    finally:
        writer.close()


@pytest_asyncio.fixture(loop_scope="module")
async def bounded(stopped: MeshRig, blue: Upstream) -> MeshRig:
    await stopped.have(stopped.mesh(stopped.billing(blue, body=LARGEST), stopped.to_billing()))
    return stopped


async def test_a_body_may_be_as_large_as_declared_and_no_larger(
    bounded: MeshRig, blue: Upstream
) -> None:
    for method in ("POST", "PUT", "GET"):
        for size, status in ((0, 200), (LARGEST, 200), (LARGEST + 1, 413)):
            for content in (bytes(size), in_pieces(size)):
                before = blue.seen.total()
                answer = await bounded.call("/length", method, content=content)
                assert (answer.status_code, blue.seen.total()) == (status, before + (status == 200))
                if status == 200:
                    assert answer.text == str(size)
                else:
                    assert answer.json()["type"] == "mesh.BodyTooLarge"


async def test_nobody_comes_past_a_bound_by_the_name_of_grpc(
    bounded: MeshRig, blue: Upstream
) -> None:
    before = blue.seen.total()
    for content in (bytes(LARGEST + 1), in_pieces(LARGEST + 1)):
        named = {"content-type": "application/grpc"}
        answer = await bounded.call("/length", "POST", content=content, headers=named)
        # Whoever says that it speaks gRPC is answered so, where the status stands in a header of its own.
        assert (answer.status_code, "grpc-status" in answer.headers) == (200, True)
    assert blue.seen.total() == before


@pytest.mark.parametrize("size", [2**63 - 2, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**40])
async def test_a_body_cannot_be_too_large_to_be_refused(
    bounded: MeshRig, blue: Upstream, size: int
) -> None:
    before = blue.seen.total()
    assert await announced(bounded, size) in (400, 413)
    assert blue.seen.total() == before


async def test_a_body_without_a_length_is_bounded_in_http2_as_well(
    bounded: MeshRig, blue: Upstream
) -> None:
    for size, status in ((LARGEST, 200), (LARGEST + 1, 413), (40 * LARGEST, 413)):
        before = blue.seen.total()
        assert await by_http2(bounded, size) == status
        assert blue.seen.total() == before + (status == 200)


async def test_more_than_can_be_held_back_has_to_say_how_much_it_is(
    stopped: MeshRig, blue: Upstream
) -> None:
    largest = HELD_BODY + 60_000
    await stopped.have(stopped.mesh(stopped.billing(blue, body=largest), stopped.to_billing()))
    assert await announced(stopped, largest + 1) == 413
    for content in (bytes(largest), in_pieces(HELD_BODY)):
        assert (await stopped.call("/length", "POST", content=content)).status_code == 200
    refused = await stopped.call("/length", "POST", content=in_pieces(HELD_BODY + 1))
    assert refused.status_code == 413
    assert "content-length" in refused.json()["detail"]
    assert await by_http2(stopped, HELD_BODY + 1) == 413


async def test_one_without_a_bound_takes_streams_of_any_size(
    stopped: MeshRig, blue: Upstream
) -> None:
    await stopped.have(stopped.mesh(stopped.billing(blue), stopped.to_billing()))
    answer = await stopped.call("/length", "POST", content=in_pieces(HELD_BODY + 30_000))
    assert (answer.status_code, int(answer.text)) == (200, HELD_BODY + 30_000)


async def test_endless_pieces_of_one_byte_come_to_an_end(bounded: MeshRig, blue: Upstream) -> None:
    before = blue.seen.total()
    reader, writer = await asyncio.open_connection("127.0.0.1", bounded.out)
    writer.write(b"POST / HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n\r\n")
    sent = 0
    answer = asyncio.create_task(reader.readline())
    try:
        while not answer.done() and sent < 100 * LARGEST:
            writer.write(b"1\r\nx\r\n" * 1000)
            sent += 1000
            await writer.drain()
    except ConnectionError:
        pass
    assert (await answer).split()[1] == b"413"
    writer.close()
    assert blue.seen.total() == before


async def test_a_stream_both_ways_has_no_bound(bounded: MeshRig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bounded.out)
    try:
        writer.write(
            b"GET / HTTP/1.1\r\nhost: b\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(40):
            writer.write(b"x" * 9_999 + b"\n")
            assert await reader.readline() == b"blue " + b"x" * 9_999 + b"\n"
    finally:
        writer.close()
