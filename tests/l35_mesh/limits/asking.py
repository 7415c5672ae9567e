"""Asks a limiter as a proxy does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drystone.l35_mesh.limits.checking import path_of


class Answered(msgspec.Struct, frozen=True):
    """What a limiter answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Proxy:
    """One connection to a limiter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def at(cls, socket: Path) -> Proxy:
        return cls(*await asyncio.open_unix_connection(socket))

    def send(
        self,
        path: str = "/",
        *,
        service: str = "dev/orders",
        closed: bool = False,
        method: str = "GET",
        **headers: str,
    ) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path_of(service, closed=closed)}{path} HTTP/1.1", "host: limiter"]
        lines += [f"{name}: {value}" for name, value in named.items()]
        self._writer.write("\r\n".join([*lines, "content-length: 0", "", ""]).encode("latin-1"))

    async def answer(self) -> Answered:
        async with asyncio.timeout(20):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await self._reader.readexactly(int(headers["content-length"]))
        return Answered(int(head[0].split(" ")[1]), headers, body)

    async def ask(self, path: str = "/", *, closed: bool = False, **more: str) -> Answered:
        self.send(path, closed=closed, **more)
        return await self.answer()

    async def statuses(self, count: int, path: str = "/", **headers: str) -> list[int]:
        return [(await self.ask(path, closed=False, **headers)).status for _ in range(count)]

    async def raw(self, content: bytes) -> bytes:
        """Send anything at all, and return everything up to the end of the connection."""
        self._writer.write(content)
        async with asyncio.timeout(20):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self._writer.close()
