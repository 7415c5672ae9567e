"""HTTP/1.1 and WebSocket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping

from typing_extensions import override

from drystone.testing.talker.answers import answer
from drystone.testing.talker.exchange import VERSION, Exchange, leaving

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Http1(Exchange):
    """An exchange over HTTP/1.1."""

    protocol = "http1"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_chunked = False

    async def read_head(self, begun: bytes) -> None:
        """Read the request up to its body."""
        first, *lines = (
            (begun + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        )
        self.method, self.target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines if line)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}

    @override
    async def body(self) -> AsyncIterator[bytes]:
        left = int(self.headers.get("content-length", "0"))
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readline(), 16):
                yield await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
        while left:
            data = await self._reader.read(min(left, 1 << 16))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(data)
            yield data

    @override
    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._is_chunked = "content-length" not in headers
        framing = {"transfer-encoding": "chunked"} if self._is_chunked else {}
        sent = {**headers, **framing, "x-version": VERSION, "x-protocol": self.protocol}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode())
        await self._writer.drain()

    @override
    async def send(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        await self._writer.drain()

    @override
    async def end(self, trailers: Mapping[str, str] | None = None) -> None:
        if self._is_chunked:
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def talk(self) -> None:
        """Upgrade to a WebSocket (RFC 6455) and send every text back."""
        key = self.headers["sec-websocket-key"].encode() + MAGIC
        accept = base64.b64encode(hashlib.sha1(key).digest()).decode()  # noqa: S324 - the protocol's
        self._writer.write(
            "HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            f"sec-websocket-accept: {accept}\r\nx-version: {VERSION}\r\n\r\n".encode()
        )
        saying_goodbye = asyncio.create_task(self._say_goodbye())
        try:
            while True:
                kind, data = await self._read_frame()
                if kind == CLOSE:
                    if not leaving.is_set():
                        self._write_frame(CLOSE, data[:2])
                    break
                self._write_frame(
                    PONG if kind == PING else TEXT,
                    data if kind == PING else data + b" " + VERSION.encode(),
                )
                await self._writer.drain()
        finally:
            saying_goodbye.cancel()

    async def _say_goodbye(self) -> None:
        await leaving.wait()
        self._write_frame(CLOSE, (1001).to_bytes(2, "big"))  # "going away"

    async def _read_frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 127
        if size > 125:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        mask = await self._reader.readexactly(4)
        data = await self._reader.readexactly(size)
        return first & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    def _write_frame(self, kind: int, data: bytes) -> None:
        length = len(data)
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
        self._writer.write(bytes([0x80 | kind]) + size + data)


async def serve_http1(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: bytes
) -> None:
    """Answer the requests of a connection one after the other."""
    while True:
        x = Http1(reader, writer)
        await x.read_head(begun)
        begun = b""
        if x.headers.get("upgrade") == "websocket":
            await x.talk()
            return
        await answer(x)
        if x.headers.get("connection") == "close":
            return
