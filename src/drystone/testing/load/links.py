"""Where exchanges begin: on connections of their own, or side by side on a few."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from drystone.testing.load.exchange import Broken, Exchange
from drystone.testing.load.exchange_http1 import Http1Exchange
from drystone.testing.load.exchange_http2 import Http2Connection, Http2Exchange

ATTEMPTS = 3
"""How often a connection is looked for that takes one more stream."""


class Http2Link:
    """A few connections that are kept and carry many streams side by side, as a browser or a gRPC channel has them.

    A connection that was closed or said goodbye is replaced by a new one when the next stream needs it.

    Args:
        host: Where to connect.
        port: Where to connect.
        connections: How many there are, unless all of them carry as many streams as the server allows.
    """

    def __init__(self, host: str, port: int, *, connections: int) -> None:
        self._host = host
        self._port = port
        self._wanted = connections
        self._open: list[Http2Connection] = []
        self._leaving: list[Http2Connection] = []
        self._opening = asyncio.Lock()
        self.opened = 0
        """How many connections were opened so far."""

    async def begin(
        self, method: str, target: str, headers: Mapping[str, str], *, end: bool
    ) -> Http2Exchange:
        """Send the head of a request over the connection whose turn it is.

        Raises:
            Broken: No connection can be made.
        """
        for _ in range(ATTEMPTS):
            connection = await self._next()
            if connection.has_room:
                return connection.begin(method, target, headers, end=end)
        raise Broken("no connection takes the stream")

    async def _next(self) -> Http2Connection:
        async with self._opening:
            self._leaving += [one for one in self._open if not one.is_open]
            self._open = [one for one in self._open if one.is_open]
            roomy = [one for one in self._open if one.has_room]
            if not roomy or len(self._open) < self._wanted:
                self._open.append(await Http2Connection.open(self._host, self._port))
                self.opened += 1
                return self._open[-1]
            self._open.remove(roomy[0])
            self._open.append(roomy[0])
            return roomy[0]

    def close(self) -> None:
        """Close every connection."""
        for connection in (*self._open, *self._leaving):
            connection.close()


class Http1Link:
    """A new connection for every exchange."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    async def begin(
        self, method: str, target: str, headers: Mapping[str, str], *, end: bool
    ) -> Exchange:
        """Connect and send the head of a request; ``end`` is for the headers to say.

        Raises:
            Broken: No connection can be made.
        """
        del end
        return await Http1Exchange.begin(self.host, self.port, method, target, headers)

    def close(self) -> None:
        """Nothing is kept."""


Link = Http1Link | Http2Link
