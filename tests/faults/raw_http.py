"""Clients that say whatever they like: bytes over HTTP/1, frames over HTTP/2 (RFC 9113)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


class Frame(NamedTuple):
    """One frame of HTTP/2."""

    kind: int
    flags: int
    stream: int
    payload: bytes


async def open_to(
    port: int, *, window: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to loopback.

    Args:
        port: Where.
        window: Bytes that the kernel may receive ahead of the reader, for those who read slowly.
    """
    if window is None:
        return await asyncio.open_connection("127.0.0.1", port)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=client, limit=max(window, 1024))


@asynccontextmanager
async def connected(
    port: int, *, window: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Hold a connection that is aborted in the end."""
    reader, writer = await open_to(port, window=window)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def exchange(port: int, request: bytes, *, within: float = 8) -> bytes:
    """Send bytes and return all that comes until the other side closes; nothing of it if it never does.

    Raises:
        TimeoutError: The connection is still open when the time is over.
    """
    async with asyncio.timeout(within), connected(port) as (reader, writer):
        answer = bytearray()
        with suppress(ConnectionError):  # refused in the middle of what is sent
            writer.write(request)
            await writer.drain()
        with suppress(ConnectionError):
            while piece := await reader.read(1 << 16):
                answer += piece
        return bytes(answer)


def statuses(answer: bytes) -> list[int]:
    """Return the status of each HTTP/1 answer in what came; the bodies hold no status line."""
    lines = answer.split(b"\n")
    return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.")]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return the bytes of a frame (RFC 9113, section 4.1)."""
    head = len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    return head + payload


def header_block(*fields: tuple[str, str]) -> bytes:
    """Return header fields as HPACK literals without indexing (RFC 7541, section 6.2.2)."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def _text(value: str) -> bytes:
    raw = value.encode("latin-1")
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    left, length = len(raw) - 127, bytearray([127])
    while left >= 128:
        length.append(left % 128 + 128)
        left //= 128
    return bytes([*length, left]) + raw


def get(host: str, path: str = "/", *more: tuple[str, str], method: str = "GET") -> bytes:
    """Return the header block of a request."""
    pseudo = ((":method", method), (":scheme", "http"), (":authority", host), (":path", path))
    return header_block(*pseudo, *more)


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next frame; None when the connection has ended."""
    try:
        head = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(head[:3]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Frame(head[3], head[4], int.from_bytes(head[5:]) & 0x7FFFFFFF, payload)
