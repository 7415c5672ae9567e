"""An exchange over a connection of its own, in HTTP/1.1 (RFC 9112)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from typing_extensions import override

from drystone.testing.load.exchange import Broken, Exchange, Head

LARGEST_PART = 64 * 1024


class Http1Exchange(Exchange):
    """A request over a connection that carries no other.

    Args:
        reader: The connection.
        writer: The connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._left: int | None = None
        self._is_chunked = False

    @classmethod
    async def begin(
        cls, host: str, port: int, method: str, target: str, headers: Mapping[str, str]
    ) -> Http1Exchange:
        """Connect and send the head of a request.

        Raises:
            Broken: Nobody accepts connections there.
        """
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as e:
            raise Broken(f"no connection: {e}") from e
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode())
        return cls(reader, writer)

    @override
    async def send(self, data: bytes, *, end: bool = False) -> None:
        self.writer.write(data)
        try:
            await self.writer.drain()
        except OSError as e:
            raise Broken(f"broken while sending: {e}") from e

    @override
    async def head(self) -> Head:
        while True:
            first, *lines = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
                raise Broken(f"no HTTP/1.1: {first[:80]!r}")
            pairs = (line.partition(":") for line in lines if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            status = int(rest[:3])
            if status == 101 or status >= 200:
                break
        self._is_chunked = headers.get("transfer-encoding") == "chunked"
        if "content-length" in headers:
            self._left = int(headers["content-length"])
        return Head(status, headers)

    @override
    async def receive(self) -> bytes:
        if self._is_chunked:
            size = int((await self._until(b"\r\n")).strip() or b"x", 16)
            return (await self.exactly(size + 2))[:-2]
        if self._left == 0:
            return b""
        most = LARGEST_PART if self._left is None else min(self._left, LARGEST_PART)
        try:
            data = await self.reader.read(most)
        except OSError as e:
            raise Broken(f"reset: {e}") from e
        if self._left is not None:
            if not data:
                raise Broken(f"closed with {self._left} bytes to come")
            self._left -= len(data)
        return data

    async def exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        try:
            return await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as e:
            raise Broken(_how(e)) from e

    async def _until(self, mark: bytes) -> bytes:
        try:
            return await self.reader.readuntil(mark)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as e:
            raise Broken(_how(e)) from e

    @override
    def close(self) -> None:
        self.writer.transport.abort()


def _how(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "closed"
    return f"reset: {error}" if isinstance(error, OSError) else str(error)
