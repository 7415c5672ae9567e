"""Tell whoever connects that a service cannot be started now."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import msgspec

_HEAD_LIMIT = 64 * 1024
_PATIENCE_S = 2.0


@asynccontextmanager
async def turning_away(listener: socket.socket, name: str, pause: timedelta) -> AsyncIterator[None]:
    """Answer every request on a socket with 503 and the time to come back (RFC 9110 section 10.2.3).

    Args:
        listener: Where they connect; it goes on listening afterwards.
        name: What could not be started.
        pause: Until it is tried again.
    """
    answer = _answer(name, pause)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE_S):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, sock=listener.dup(), limit=_HEAD_LIMIT)
    try:
        yield
    finally:
        server.close()


def _answer(name: str, pause: timedelta) -> bytes:
    seconds = math.ceil(pause.total_seconds())
    problem = {
        "type": "on-demand.NotStarted",
        "title": "The service does not start",
        "status": 503,
        "detail": f"{name} ended again and again. It is tried again within {seconds} s;"
        " `drystone status` tells where to read why.",
    }
    body = msgspec.json.encode(problem)
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nretry-after: {seconds}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
