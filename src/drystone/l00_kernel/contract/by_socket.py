"""Requests over a unix socket: HTTP/1.1 (RFC 9112), a connection for each.

Every command comes this way. Parsers of others were weighed: the import of h11, which uvicorn brings, alone takes 11 ms
of processor time, where a command may take 40.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from typing_extensions import override

from drystone.l00_kernel.contract.sending import (
    CONNECT,
    SILENCE,
    Answer,
    Broken,
    Request,
    Sender,
    Unconnected,
)

_LARGEST_HEAD = 64 * 1024
_PIECE = 64 * 1024
_NO_BODY = (204, 304)


class BySocket(Sender):
    """Sends over a unix socket.

    Args:
        socket: Where the server listens.
        base_url: Its host is only a name; a path in it precedes every target.
    """

    def __init__(self, socket: Path, base_url: str | None = None) -> None:
        self._socket = socket
        url = urlsplit(base_url or "http://localhost")
        self._host, self._prefix = url.netloc, url.path.rstrip("/")

    @override
    async def send(self, request: Request) -> Answer:
        head = self._head(request)
        try:
            async with asyncio.timeout(CONNECT.total_seconds()):
                reader, writer = await asyncio.open_unix_connection(
                    self._socket, limit=_LARGEST_HEAD
                )
        except OSError as e:  # a TimeoutError is one
            raise Unconnected(str(e)) from e
        answer = _Received(reader, writer, silence=request.streams)
        try:
            writer.write(head + (request.content or b""))
            await writer.drain()
            await answer.begin()
        except OSError as e:
            await answer.close()
            raise Broken(type(e).__name__) from e
        except BaseException:
            await answer.close()
            raise
        return answer

    def _head(self, request: Request) -> bytes:
        lines = [f"{request.verb} {self._prefix}{request.target} HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        if request.content is not None:
            lines.append(f"content-length: {len(request.content)}")
        if any(character in line for line in lines for character in "\r\n\0"):
            raise ValueError("a header or the target of the request holds a line break")
        lines += ["connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1")


class _Received(Answer):
    """Reads one answer.

    Args:
        reader: What the server writes.
        writer: The other half of the connection.
        silence: Whether it has to show signs of life.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silence: bool
    ) -> None:
        self._reader, self._writer = reader, writer
        self._patience = SILENCE.total_seconds() if silence else None
        self.headers: dict[str, str] = {}

    async def begin(self) -> None:
        """Read status and headers."""
        self.status = 100
        while self.status < 200:  # those below are interim answers (RFC 9110 section 15.2)
            try:
                async with asyncio.timeout(self._patience):
                    head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
                raise Broken("no head of an answer") from e
            first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
                raise Broken("what came is no HTTP answer")
            self.status = int(rest[:3])
            pairs = (line.partition(":") for line in lines)
            self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.media_type = self.headers.get("content-type", "")

    @override
    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._body():
                yield piece
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            raise Broken(type(e).__name__) from e

    async def _body(self) -> AsyncIterator[bytes]:
        if self.status in _NO_BODY:
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := await self._size():
                async for piece in self._exactly(size):
                    yield piece
                await self._line()
            return
        length = self.headers.get("content-length")
        if length is None:
            while piece := await self._some(_PIECE):
                yield piece
            return
        async for piece in self._exactly(int(length)):
            yield piece

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._some(min(size, _PIECE))
            if not piece:
                raise asyncio.IncompleteReadError(b"", size)
            size -= len(piece)
            yield piece

    async def _size(self) -> int:
        return int((await self._line()).partition(b";")[0], 16)

    async def _line(self) -> bytes:
        async with asyncio.timeout(self._patience):
            return (await self._reader.readuntil(b"\r\n")).removesuffix(b"\r\n")

    async def _some(self, most: int) -> bytes:
        async with asyncio.timeout(self._patience):
            return await self._reader.read(most)

    @override
    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
