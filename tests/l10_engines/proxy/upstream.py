"""A small HTTP server that does what the tests need an application to do.

``python upstream.py NAME PORT`` runs it alone, so that it can be killed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from drystone.l10_engines.namespaces import inside

BIG = 8 << 20


class Upstream:
    """Answers with its name; some paths and headers make it do something else.

    Paths: ``/slow`` answers once :attr:`release` is set; ``/events`` sends an event every 0.1 s, 20 times;
    ``/headers`` returns the request's headers as JSON, ``/length`` the length of its body; ``/break`` closes without an answer; ``/status/N``
    answers with that status; ``/big`` sends :data:`BIG` bytes. A request to upgrade gets its own bytes back,
    each line with the name. :attr:`lines` keeps every request line as it came, :attr:`told` the names of all headers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: Counter[str] = Counter()
        self.lines: list[str] = []
        self.told: set[str] = set()
        self.release = asyncio.Event()
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(
        self, port: int = 0, network: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> Self:
        # As many may wait as with servers of applications: the edge connects for each of its streams at once.
        make = partial(socket.create_server, ("127.0.0.1", port), backlog=2048)
        self._server = await asyncio.start_server(self._accept, sock=inside(network, make), ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.release.set()
        for writer in self._writers:
            writer.transport.abort()
        async with asyncio.timeout(20):
            while self._writers:  # noqa: ASYNC110 - a test's helper
                await asyncio.sleep(0.01)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        self.lines.append(head[0])
        self.told.update(headers)
        length = await _length_of_body(reader, headers)
        path = urlsplit(target).path
        self.seen[f"{method} {path}"] += 1
        if headers.get("upgrade") == "websocket":
            await self._echo(reader, writer)
            return False
        if path == "/break":
            return False
        if path == "/events":
            await self._send_events(writer)
            return False
        if path == "/slow":
            await self.release.wait()
        if path == "/big":
            await _send_much(writer)
            return True
        status = int(path.removeprefix("/status/")) if path.startswith("/status/") else 200
        contents = {"/headers": json.dumps(headers), "/length": str(length)}
        content = contents.get(path, self.name)
        writer.write(
            f"HTTP/1.1 {status} Fine\r\nserver: secret/1.0\r\nx-version: {self.name}\r\n"
            f"content-length: {len(content)}\r\n\r\n{content}".encode()
        )
        await writer.drain()
        return True

    async def _send_events(self, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        for number in range(20):
            writer.write(f"data: {number}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Now\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        while line := await reader.readline():
            writer.write(self.name.encode() + b" " + line)
            await writer.drain()


async def _length_of_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> int:
    """Read a body piece by piece, whatever its framing, and return how long it was."""
    length = 0
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            length += len(await reader.readexactly(size + 2)) - 2
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return length
    left = int(headers.get("content-length", "0"))
    while left and (piece := await reader.read(min(left, 1 << 16))):
        left -= len(piece)
        length += len(piece)
    if left:
        raise ConnectionError("the body ended early")
    return length


async def _send_much(writer: asyncio.StreamWriter) -> None:
    # Two thousand at once would otherwise fill all that the kernel has for TCP, and slow down everybody.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BIG)
    for _ in range(BIG >> 16):
        writer.write(bytes(1 << 16))
        await writer.drain()


async def _alone(name: str, port: int) -> None:
    await Upstream(name).start(port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_alone(sys.argv[1], int(sys.argv[2])))
