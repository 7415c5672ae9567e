"""As much of the Redis protocol (RESP2) as an engine needs to look after its server.

A client library would be one more dependency for three commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drystone.l10_engines.cache.access import CacheAccess

Reply = str | int | None


class Refused(Exception):
    """The server answered a command with an error."""


class Connection:
    """One authenticated connection; replies come in the order of the commands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, *words: str) -> Reply:
        """Send a command and return its reply.

        Raises:
            Refused: The server answered with an error.
            OSError: The connection broke.
            asyncio.IncompleteReadError: The server closed it.
        """
        self.send(*words)
        return await self.reply()

    def send(self, *words: str) -> None:
        """Send a command, whose reply is fetched later."""
        parts = [word.encode() for word in words]
        head = b"*%d\r\n" % len(parts)
        self._writer.write(head + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    async def reply(self) -> Reply:
        """Return the reply to the first command that has none yet.

        Raises:
            Refused: The server answered with an error.
            OSError: The connection broke.
            asyncio.IncompleteReadError: The server closed it.
        """
        line = (await self._reader.readuntil(b"\r\n"))[:-2].decode()
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise Refused(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            length = int(rest)
            return None if length < 0 else await self._bulk(length)
        if kind != "+":
            raise Refused(f"a reply of kind {kind!r}, which is not understood here")
        return rest

    async def _bulk(self, length: int) -> str:
        return (await self._reader.readexactly(length + 2))[:-2].decode()


@asynccontextmanager
async def connected(access: CacheAccess) -> AsyncIterator[Connection]:
    """Open a connection and authenticate.

    Raises:
        Refused: The server does not accept the user and password.
        OSError: Nobody listens there.
    """
    reader, writer = await asyncio.open_connection(access.host, access.port, ssl=access.tls or None)
    try:
        connection = Connection(reader, writer)
        if access.password:
            who = (access.user, access.password) if access.user else (access.password,)
            await connection.call("AUTH", *who)
        yield connection
    finally:
        writer.close()
