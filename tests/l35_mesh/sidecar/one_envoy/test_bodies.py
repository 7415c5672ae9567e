"""How large a body may be, at a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l35_mesh.sidecar.bodies import HELD
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


async def test_a_service_that_takes_more_than_can_be_held_back_takes_streams_of_any_size(
    stopped: MeshRig, blue: Upstream
) -> None:
    inbound = stopped.billing(blue, body=HELD + 1)
    await stopped.have(stopped.mesh(inbound, stopped.to_billing()))
    assert await announced(stopped, HELD + 2) == 413
    answer = await stopped.call("/length", "POST", content=in_pieces(HELD + 30_000))
    assert (answer.status_code, int(answer.text)) == (200, HELD + 30_000)


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
