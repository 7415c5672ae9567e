"""Answers as a server may cut them, read from a unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from drystone.l00_kernel.contract.by_socket import BySocket
from drystone.l00_kernel.contract.sending import Broken, Request, Unconnected

GET = Request("GET", "/v1/names?of=x", {"a": "b"}, None, streams=False)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp", prefix="sock") as folder:
        yield Path(folder, "s")


@asynccontextmanager
async def server(place: Path, *pieces: bytes) -> AsyncIterator[list[bytes]]:
    """Answer each request with these pieces, one write each, then close; what was asked."""
    asked: list[bytes] = []
    ended: list[asyncio.Event] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(end := asyncio.Event())
        with suppress(ConnectionError):  # who has read enough hangs up
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
        end.set()

    async with await asyncio.start_unix_server(answer, place):
        yield asked
        for end in ended:
            await end.wait()


async def ask(place: Path, request: Request = GET) -> tuple[int, str, bytes]:
    answer = await BySocket(place).send(request)
    try:
        return answer.status, answer.media_type, await answer.read()
    finally:
        await answer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello and more",),
        (HEAD + b"content-length: 5\r\n\r\nhe", b"llo"),
        (HEAD, b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r", b"\n3;x=y\r\nllo\r\n0\r\n\r\n"),
        (HEAD + b"\r\nhe", b"llo"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"content-length: 5\r\n\r\nhello"),
    ],
    ids=["with a length", "in pieces", "in chunks", "until the end", "after an interim answer"],
)
async def test_an_answer_is_read_however_it_is_cut(place: Path, pieces: tuple[bytes, ...]) -> None:
    async with server(place, *pieces):
        assert await ask(place) == (200, "text/plain", b"hello")


async def test_an_answer_without_content_is_empty(place: Path) -> None:
    async with server(place, b"HTTP/1.1 204 No Content\r\n\r\n"):
        assert await ask(place) == (204, "", b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        HEAD + b"x: " + b"y" * 70_000,
        HEAD + b"content-length: 5\r\n\r\nhell",
        HEAD + b"content-length: many\r\n\r\nhello",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        HEAD + b"transfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_an_answer_that_is_none_or_ends_early_is_no_result(place: Path, sent: bytes) -> None:
    async with server(place, sent):
        with pytest.raises(Broken):
            await ask(place)


async def test_where_nobody_listens_nothing_is_sent(place: Path) -> None:
    with pytest.raises(Unconnected):
        await ask(place)


async def test_what_is_sent_is_a_request(place: Path) -> None:
    request = Request("POST", "/v1/names", {"a": "b"}, b"", streams=False)
    async with server(place, HEAD + b"content-length: 0\r\n\r\n") as asked:
        answer = await BySocket(place, "http://names:80/base/").send(request)
        await answer.close()
    assert asked == [
        b"POST /base/v1/names HTTP/1.1\r\nhost: names:80\r\na: b\r\n"
        b"content-length: 0\r\nconnection: close\r\n\r\n"
    ]


async def test_a_header_cannot_bring_another_one(place: Path) -> None:
    request = Request("GET", "/", {"a": "b\r\nc: d"}, None, streams=False)
    with pytest.raises(ValueError, match="line break"):
        await ask(place, request)
