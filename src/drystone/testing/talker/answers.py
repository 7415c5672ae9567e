"""What the service answers, by path."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

from drystone.testing.talker.exchange import VERSION, Exchange, leaving, pause

PATTERN = bytes(range(256)) * 64
PIECES = 50
UNAVAILABLE, NOT_FOUND, UNIMPLEMENTED = "14", "5", "12"


async def answer(x: Exchange) -> None:
    """Answer a request by its path."""
    parts = urlsplit(x.target)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if x.headers.get("content-type", "").startswith("application/grpc"):
        await answer_grpc(x, parts.path)
    elif parts.path == "/events":
        await x.begin(200, {"content-type": "text/event-stream"})
        number = 0
        while True:
            await x.send(f"id: {number}\ndata: {VERSION}\n\n".encode())
            number += 1
            if not await pause(float(asked.get("every", "0.1"))):
                break
        await x.end()
    elif parts.path == "/download":
        await download(x, int(asked.get("bytes", "1000000")), float(asked.get("seconds", "1")))
    elif parts.path == "/upload":
        length, digest = 0, hashlib.sha256()
        async for data in x.body():
            length += len(data)
            digest.update(data)
        await say(x, f"{length} {digest.hexdigest()}")
    else:
        if parts.path == "/wait":
            await asyncio.sleep(float(asked.get("seconds", "1.5")))
        async for _ in x.body():
            pass
        await say(x, VERSION)


async def say(x: Exchange, text: str) -> None:
    """Answer with a short text."""
    await x.begin(200, {"content-type": "text/plain", "content-length": str(len(text))})
    await x.send(text.encode())
    await x.end()


async def download(x: Exchange, size: int, seconds: float) -> None:
    """Send many bytes slowly."""
    await x.begin(200, {"content-type": "application/octet-stream", "content-length": str(size)})
    sent = 0
    for number in range(1, PIECES + 1):
        until = size * number // PIECES
        while sent < until:
            start = sent % len(PATTERN)
            piece = PATTERN[start : start + until - sent]
            await x.send(piece)
            sent += len(piece)
        await asyncio.sleep(seconds / PIECES)
    await x.end()


# gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)


async def answer_grpc(x: Exchange, path: str) -> None:
    """Answer a call by its method."""
    incoming = messages(x.body())
    status = "0"
    if path == "/grpc.health.v1.Health/Check":
        named = (await anext(incoming, b""))[2:]  # field 1, a string shorter than 128 bytes
        if named == b"gone":
            await x.begin(200, {"content-type": "application/grpc", "grpc-status": NOT_FOUND})
            await x.end()
            return
        await x.begin(200, {"content-type": "application/grpc"})
        await send_message(x, b"\x08\x02" if named == b"ill" else b"\x08\x01")
    elif path == "/talk.Talk/Wait":
        await asyncio.sleep(float(await anext(incoming)))
        await x.begin(200, {"content-type": "application/grpc"})
        await send_message(x, f"0 {VERSION}".encode())
    elif path == "/talk.Talk/Count":
        every = float(await anext(incoming))
        await x.begin(200, {"content-type": "application/grpc"})
        number = 0
        while True:
            await send_message(x, f"{number} {VERSION}".encode())
            number += 1
            if not await pause(every):
                break
        status = UNAVAILABLE
    elif path == "/talk.Talk/Echo":
        await x.begin(200, {"content-type": "application/grpc"})
        status = await echo(x, incoming)
    else:
        await x.begin(200, {"content-type": "application/grpc"})
        status = UNIMPLEMENTED
    await x.end({"grpc-status": status})


async def echo(x: Exchange, incoming: AsyncIterator[bytes]) -> str:
    """Send messages back until there are no more or the service is to end; the status."""
    goodbye = asyncio.ensure_future(leaving.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(incoming, None))
            await asyncio.wait({following, goodbye}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                return UNAVAILABLE
            message = following.result()
            if message is None:
                return "0"
            await send_message(x, message + b" " + VERSION.encode())
    finally:
        goodbye.cancel()


async def send_message(x: Exchange, message: bytes) -> None:
    """Send one message, not compressed."""
    await x.send(b"\0" + len(message).to_bytes(4, "big") + message)


async def messages(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the messages of a body."""
    held = bytearray()
    async for data in body:
        held += data
        while len(held) >= 5 and len(held) >= 5 + (size := int.from_bytes(held[1:5], "big")):
            yield bytes(held[5 : 5 + size])
            del held[: 5 + size]
