"""Other protocols than plain HTTP through the sidecars, and what pretends to be HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from drystone.l10_engines.proxy.edge import Endpoint, Pool
from drystone.testing.talker_process import Talker, running_talker
from l10_engines.proxy.test_streams import calls
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def talker() -> AsyncIterator[Talker]:
    async with running_talker("blue") as talker:
        yield talker


def channel(port: int, host: str) -> grpc.aio.Channel:
    options = [("grpc.default_authority", host), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options)


async def test_calls_of_grpc_pass_both_sidecars_and_are_refused_in_their_own_words(
    stopped: MeshRig, talker: Talker
) -> None:
    pools = (Pool("v1", 1, (Endpoint(talker.port),), "http2"),)
    inbound = stopped.billing(service=edge_service("billing.dev", pools=pools), body=10)
    declared = stopped.to_billing(calls=("POST /talk.Talk/*",))
    await stopped.have(stopped.mesh(inbound, declared))
    async with channel(stopped.out, "billing") as within:
        assert await calls(within, "Wait")("0") == "0 blue"
        echo = calls(within, "Echo", "stream_stream")()
        for number in range(20):  # more than a body may have
            await echo.write(str(number))
            assert await echo.read() == f"{number} blue"
        await echo.done_writing()
        assert await echo.code() is grpc.StatusCode.OK
        undeclared = within.unary_unary("/other.Other/Do", str.encode, bytes.decode)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await undeclared("0")
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "dependencies.billing.calls" in str(refused.value.details())
    async with channel(stopped.port, "billing.dev.localhost") as outside:
        with pytest.raises(grpc.aio.AioRpcError) as stranger:
            await calls(outside, "Wait")("0")
        assert stranger.value.code() is grpc.StatusCode.UNAUTHENTICATED
        token = (("authorization", f"Bearer {stopped.desk.token('dev/billing')}"),)
        assert await calls(outside, "Wait")("0", metadata=token) == "0 blue"


HOSTILE = {
    "two lengths": b"content-length: 0\r\ncontent-length: 5\r\n\r\nGET /",
    "a length and pieces": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    "pieces twice": b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "pieces by another name": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": b"content-length: +5\r\n\r\nhello",
    "a length that is none": b"content-length: 0x5\r\n\r\nhello",
    "a blank before the colon": b"content-length : 5\r\n\r\nhello",
    "a zero byte": b"x-a: b\0c\r\n\r\n",
    "headers without end": b"x-long: " + b"a" * 70_000 + b"\r\n\r\n",
    "too many headers": b"".join(b"x-%d: 1\r\n" % number for number in range(300)) + b"\r\n",
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("way", ["edge", "outbound"])
async def test_what_two_servers_would_read_in_two_ways_reaches_none(
    rig: MeshRig, blue: Upstream, words: bytes, way: str
) -> None:
    port = rig.port if way == "edge" else rig.out
    token = rig.desk.token("dev/billing").encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        start = b"POST /first HTTP/1.1\r\nhost: billing.dev.localhost\r\n"
        writer.write(start + b"authorization: Bearer " + token + b"\r\n" + words)
        async with asyncio.timeout(20):
            answer = await reader.readline()
        assert answer.split()[1] in {b"400", b"404", b"431", b"501"}
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    assert blue.lines == []


ODD = {
    "a folded line": (b"x-a: b\r\n x-asap-issuer: dev/evil", "b x-asap-issuer: dev/evil"),
    "a bare carriage return": (b"x-a: b\rx-asap-issuer: dev/evil", "bx-asap-issuer: dev/evil"),
}


@pytest.mark.parametrize(("words", "read"), ODD.values(), ids=ODD)
async def test_what_could_be_read_in_two_ways_is_put_in_order(
    stopped: MeshRig, blue: Upstream, words: bytes, read: str
) -> None:
    await stopped.have(stopped.mesh(stopped.billing(blue, public=True)))
    reader, writer = await asyncio.open_connection("127.0.0.1", stopped.port)
    try:
        start = b"GET /headers HTTP/1.1\r\nhost: billing.dev.localhost\r\nconnection: close\r\n"
        writer.write(start + words + b"\r\n\r\n")
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    headers = json.loads(body)
    assert headers["x-a"] == read
    assert "x-asap-issuer" not in headers
