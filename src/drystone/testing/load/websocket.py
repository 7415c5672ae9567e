"""The client's side of a WebSocket (RFC 6455), as much of it as a load needs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from drystone.testing.load.exchange import Broken, Head
from drystone.testing.load.exchange_http1 import Http1Exchange

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL = 1000


class Closed(Broken):
    """The other side has closed the WebSocket in the orderly way, with a code."""


class WebSocket:
    """A conversation of whole messages; every method raises :class:`Broken` when it cannot go on."""

    def __init__(self, exchange: Http1Exchange, head: Head) -> None:
        self._exchange = exchange
        self.head = head

    @classmethod
    async def open(
        cls, host: str, port: int, target: str, headers: Mapping[str, str]
    ) -> WebSocket | Head:
        """Connect and upgrade; the head of the answer when that refuses."""
        asked = {
            **headers,
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
            "sec-websocket-version": "13",
        }
        exchange = await Http1Exchange.begin(host, port, "GET", target, asked)
        try:
            head = await exchange.head()
        except BaseException:
            exchange.close()
            raise
        if head.status != 101:
            exchange.close()
            return head
        return cls(exchange, head)

    async def send(self, text: str) -> None:
        """Send a message."""
        await self._write(TEXT, text.encode())

    async def receive(self) -> str:
        """Return the next message.

        Raises:
            Closed: The other side says goodbye; it has been answered.
        """
        while True:
            kind, data = await self._read()
            if kind == PING:
                await self._write(PONG, data)
            elif kind == CLOSE:
                await self._write(CLOSE, data[:2])
                raise Closed(f"close {int.from_bytes(data[:2], 'big') or 'without a code'}")
            elif kind in {TEXT, BINARY}:
                return data.decode()

    async def goodbye(self) -> None:
        """Close, and wait for the other side to agree."""
        await self._write(CLOSE, NORMAL.to_bytes(2, "big"))
        while (await self._read())[0] != CLOSE:
            pass

    def close(self) -> None:
        """Give the connection up."""
        self._exchange.close()

    async def _read(self) -> tuple[int, bytes]:
        first, second = await self._exchange.exactly(2)
        size = second & 127
        if size > 125:
            size = int.from_bytes(await self._exchange.exactly(2 if size == 126 else 8), "big")
        if not first & 0x80 or second & 0x80 or first & 15 == CONTINUATION:
            raise Broken("a masked or fragmented frame")
        return first & 15, await self._exchange.exactly(size)

    async def _write(self, kind: int, data: bytes) -> None:
        mask, length = os.urandom(4), len(data)
        size = (
            bytes([0x80 | length])
            if length < 126
            else bytes([0x80 | 126]) + length.to_bytes(2, "big")
        )
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        await self._exchange.send(bytes([0x80 | kind]) + size + mask + masked)
