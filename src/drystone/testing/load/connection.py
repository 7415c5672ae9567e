"""One client connection, and how a request over it can fail."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from drystone.testing.load.answer import Answer, AnswerReader, Malformed
from drystone.testing.load.report import Failure

if TYPE_CHECKING:
    from typing import Self


class Failed(Exception):
    """A request got no answer.

    Args:
        failure: How.
        detail: What was seen, for people.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._usable = True

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect.

        Raises:
            Failed: Nobody accepts connections there.
        """
        try:
            _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        except OSError as e:
            raise Failed(Failure.CONNECT, str(e)) from e
        return connection

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent: nothing is under way, and the server has not closed it.

        The kernel is asked, because a busy event loop learns of an end too late.
        """
        if not self._usable or self._reader is not None or self._transport is None:
            return False
        watch = select.poll()
        watch.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not watch.poll(0)

    async def exchange(self, request: bytes, *, without_body: bool = False) -> Answer:
        """Send a request and wait for the answer to it.

        Raises:
            Failed: The connection ended or broke, or what came is no answer.
        """
        if self._transport is None or not self.is_usable:
            raise Failed(Failure.CLOSED, "the connection was closed before the request")
        self._reader = AnswerReader(without_body=without_body)
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(request)
            answer = await self._answer
        except BaseException:
            self.close()  # the answer may still come: nobody may take it for the next one
            raise
        self._usable = self._usable and not answer.closes
        return answer

    def close(self) -> None:
        """Close at once."""
        self._usable = False
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    @override
    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self.close()  # nobody asked: often a 408 just before the server closes
            return
        try:
            answer = self._reader.feed(data)
        except Malformed as e:
            self._fail(Failure.MALFORMED, str(e))
        else:
            self._succeed(answer)

    @override
    def eof_received(self) -> None:
        self._ended(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)

    def _ended(self, error: Exception | None) -> None:
        self._usable = False
        if self._reader is None:
            return
        if error is None:
            try:
                self._succeed(self._reader.end())
            except Malformed as e:
                self._fail(Failure.MALFORMED, str(e))
        if self._reader is None:
            return
        if self._reader.begun:
            self._fail(Failure.CUT, f"the answer stopped half-way ({error or 'end of connection'})")
        elif error is not None:
            self._fail(Failure.RESET, str(error))
        else:
            self._fail(Failure.CLOSED, "the connection was closed instead of an answer")

    def _succeed(self, answer: Answer | None) -> None:
        if answer is not None and self._answer is not None:
            self._reader = None
            if not self._answer.done():
                self._answer.set_result(answer)

    def _fail(self, failure: Failure, detail: str) -> None:
        self._reader = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failed(failure, detail))
        self.close()


class IdleConnections:
    """Connections to one server that are kept between two requests."""

    def __init__(self) -> None:
        self._idle: deque[Connection] = deque()
        self.closed = 0
        """How many of them the server has closed. These are no failures."""

    def take(self) -> Connection | None:
        """Take the connection that has been idle the longest, so that every one stays in use."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_usable:
                return connection
            connection.close()
            self.closed += 1
        return None

    def keep(self, connection: Connection) -> None:
        """Keep a connection that is usable for the next request."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close every one."""
        for connection in self._idle:
            connection.close()
