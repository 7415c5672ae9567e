from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.local.probe import ProbeResult, probe

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
