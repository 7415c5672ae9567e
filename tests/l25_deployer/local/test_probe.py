from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import grpc
import grpc.aio
import msgspec
import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.local.probe import ProbeResult, ask_health, probe, probe_grpc
from drystone.l25_deployer.stacks.model import Health

LIMIT = timedelta(seconds=5)


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request with some bytes, or never; yields the port and what was asked."""
    asked: list[bytes] = []
    conversations: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionResetError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                await reader.read()  # until the other side gives up
            else:
                writer.write(answer)
            writer.close()
            await writer.wait_closed()
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], asked
    await asyncio.gather(*conversations)


async def ask(answer: bytes | None, limit: timedelta = LIMIT) -> ProbeResult:
    async with server(answer) as (port, _):
        return await probe(port, "/health", timeout=limit)


@pytest.mark.parametrize(
    ("status", "is_ok"),
    [
        (200, True),
        (204, True),
        (302, True),
        (399, True),
        (199, False),
        (400, False),
        (404, False),
        (500, False),
    ],
)
async def test_a_status_from_200_to_399_is_well(status: int, is_ok: bool) -> None:
    result = await ask(f"HTTP/1.1 {status} Some Reason\r\n\r\n".encode())

    assert result.is_ok == is_ok
    assert result.text.endswith(f"/health: status {status} Some Reason")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "is not HTTP: 'SSH-2.0-OpenSSH'"),
        (b"HTTP/1.1\r\n", "is not HTTP"),
        (b"HTTP/1.1 abc\r\n", "is not HTTP"),
        (b"\x00\xff\r\n", "is not HTTP"),
        (b"HTTP/1.1 " + b"2" * 10_000, ": "),
    ],
)
async def test_what_is_no_answer_is_told_and_not_well(answer: bytes, said: str) -> None:
    result = await ask(answer)

    assert not result.is_ok
    assert said in result.text
    assert len(result.text) < 400


async def test_no_answer_in_time_is_not_well() -> None:
    result = await ask(None, timedelta(milliseconds=100))

    assert not result.is_ok
    assert result.text.endswith("no answer within 0.1 s")


async def test_nobody_there_is_told() -> None:
    result = await probe(free_port(), "/", timeout=LIMIT)

    assert not result.is_ok
    assert "connection refused, nothing listens there" in result.text


async def test_a_path_cannot_add_a_header_or_a_request() -> None:
    async with server(b"HTTP/1.1 200 OK\r\n\r\n") as (port, asked):
        result = await probe(port, "/ü\r\nX-Evil: 1", timeout=LIMIT)

    assert not result.is_ok
    assert asked == []


async def test_a_method_is_asked_as_it_is_named() -> None:
    async with server(b"HTTP/1.1 200 OK\r\n\r\n") as (port, asked):
        await probe(port, "/a?b=c", timeout=LIMIT, method="POST")

    assert asked[0].startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.fixture(scope="module")
def talker() -> Iterator[int]:
    """The port of a service that speaks both protocols, and gRPC."""
    port = free_port()
    command = [sys.executable, "-m", "drystone.testing.talker", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield port
        process.kill()


HEALTH = Health(path="/", interval=LIMIT, timeout=LIMIT, healthy=1, unhealthy=1, grace=timedelta())


async def test_a_service_is_asked_in_its_own_protocol(talker: int) -> None:
    old = await ask_health(HEALTH, talker, "http1")
    new = await ask_health(HEALTH, talker, "http2")

    assert old.is_ok
    assert old.text.endswith("/: status 200 Said")
    assert new.is_ok
    assert new.text.endswith("/ by HTTP/2: status 200")


async def test_a_port_of_the_checks_own_is_asked_by_http1(talker: int) -> None:
    elsewhere = msgspec.structs.replace(HEALTH, port=talker)
    result = await ask_health(elsewhere, free_port(), "http2")

    assert result.is_ok
    assert "HTTP/2" not in result.text


@pytest.mark.parametrize(
    ("service", "is_ok", "said"),
    [
        (None, True, ": SERVING"),
        ("shop.Orders", True, " about shop.Orders: SERVING"),
        ("ill", False, " about ill: NOT_SERVING"),
        ("gone", False, "does not know this service"),
    ],
)
async def test_a_grpc_server_says_how_it_is(
    talker: int, service: str | None, is_ok: bool, said: str
) -> None:
    asked = msgspec.structs.replace(HEALTH, grpc=True, service=service)
    result = await ask_health(asked, talker, "http2")

    assert result.is_ok == is_ok
    assert result.text.endswith(said)


async def test_a_server_of_the_grpc_library_without_the_health_service_is_told_so() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        result = await probe_grpc(port, "", timeout=LIMIT)
        plain = await probe(port, "/", timeout=LIMIT)
    finally:
        await server.stop(None)

    assert not result.is_ok
    assert result.text.endswith("the server does not offer grpc.health.v1.Health")
    assert not plain.is_ok


async def test_a_server_of_the_grpc_library_understands_the_question() -> None:
    asked: list[bytes] = []

    def check(message: bytes, context: object) -> bytes:
        asked.append(message)
        return b"\x08\x01"

    handler = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.aio.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        results = [await probe_grpc(port, name, timeout=LIMIT) for name in ("", "a.B", "x" * 199)]
    finally:
        await server.stop(None)

    assert all(result.is_ok for result in results), results
    assert asked == [b"", b"\x0a\x03a.B", b"\x0a\xc7\x01" + b"x" * 199]


async def test_the_wrong_protocol_is_told_by_its_name() -> None:
    async with server(b"HTTP/1.1 400 Bad\r\n\r\n") as (port, _):
        old = await probe(port, "/", timeout=LIMIT, protocol="http2")
    async with server(bytes.fromhex("000000040000000000")) as (port, _):
        new = await probe(port, "/", timeout=LIMIT)

    assert not old.is_ok
    assert "HTTP/1, not HTTP/2" in old.text
    assert not new.is_ok
    assert "it is HTTP/2: write 'proxy: {protocol: http2}'" in new.text


async def test_what_is_no_http2_is_told_and_not_well() -> None:
    data_of_nothing = bytes.fromhex("000001000000000001") + b"x"
    async with server(data_of_nothing) as (port, _):
        result = await probe(port, "/", timeout=LIMIT, protocol="http2")

    assert not result.is_ok
    assert "is not HTTP/2" in result.text
    assert len(result.text) < 400


async def test_a_call_that_is_not_answered_is_not_well() -> None:
    async with server(b"") as (port, _):
        result = await probe_grpc(port, "", timeout=LIMIT)

    assert not result.is_ok
    assert "closed without an answer" in result.text


async def test_an_agent_without_time_to_listen_does_not_judge() -> None:
    async def hog() -> None:
        while True:
            time.sleep(0.4)  # noqa: ASYNC251 - which keeps everything else from its turn
            await asyncio.sleep(0)

    async with server(None) as (port, _):
        hogging = asyncio.create_task(hog())
        result = await probe(port, "/", timeout=timedelta(seconds=1))
        hogging.cancel()
        await asyncio.gather(hogging, return_exceptions=True)
    assert not result.is_ok
    assert not result.was_asked
    assert "the agent had no time" in result.text
