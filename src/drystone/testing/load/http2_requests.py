"""Requests over HTTP/2 with prior knowledge: one share side by side on kept connections, the rest each on a new one."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.testing.load.answer import Answer
from drystone.testing.load.connection import Failed
from drystone.testing.load.exchange import Broken, Exchange
from drystone.testing.load.links import Http2Link
from drystone.testing.load.report import Failure

KEPT = 2
"""How many connections are kept."""


class Http2Requests:
    """Sends one request again and again.

    Args:
        address: Host and port where to connect.
        method: The request's method.
        target: Its path and query.
        headers: Its headers, with ``host``.
        body: Its body.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        self._address = address
        self._method = method
        self._target = target
        self._headers = {**headers, **({"content-length": str(len(body))} if body else {})}
        self._body = body
        self._kept = Http2Link(*address, connections=KEPT)

    async def ask(self, *, keep: bool) -> Answer:
        """Send the request and return the answer to it.

        Args:
            keep: Send it over a kept connection.

        Raises:
            Failed: There was no whole answer.
        """
        link = self._kept if keep else Http2Link(*self._address, connections=1)
        try:
            return await self._ask(link)
        finally:
            if not keep:
                link.close()

    async def _ask(self, link: Http2Link) -> Answer:
        try:
            exchange = await link.begin(
                self._method, self._target, self._headers, end=not self._body
            )
        except Broken as e:
            raise Failed(Failure.CONNECT, str(e)) from e
        try:
            return await self._answer(exchange)
        finally:
            exchange.close()

    async def _answer(self, exchange: Exchange) -> Answer:
        failure, body = Failure.RESET, bytearray()
        try:
            if self._body:
                await exchange.send(self._body, end=True)
            head = await exchange.head()
            failure = Failure.CUT
            while data := await exchange.receive():
                body += data
        except Broken as e:
            raise Failed(failure, str(e)) from e
        return Answer(head.status, dict(head.headers), bytes(body), closes=False)

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()
