"""How a client's requests reach a server: a port with two drivers.

:mod:`~drystone.l00_kernel.contract.by_socket` speaks HTTP/1.1 over a unix socket with the standard library alone,
because a command line that asks the agent once waits for every import. Everything else, with TLS, pools of
connections and whatever a network asks for, goes :mod:`~drystone.l00_kernel.contract.by_network`.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import msgspec

CONNECT = timedelta(seconds=5)
SILENCE = timedelta(seconds=45)
"""Three heartbeats of a server: a stream that is silent for so long has a dead peer."""


class Unconnected(Exception):
    """No connection could be made, so that nothing was sent."""


class Broken(Exception):
    """The connection broke after the request may have been sent; the text says how."""


class Request(msgspec.Struct, frozen=True):
    """What to send.

    Attributes:
        verb: The method.
        target: Path and query, as they stand in the request.
        headers: Names and values.
        content: The body; None for a request without one.
        streams: The answer is a stream, which may last but not be silent.
    """

    verb: str
    target: str
    headers: Mapping[str, str]
    content: bytes | None
    streams: bool


class Answer(abc.ABC):
    """An answer that has begun.

    Attributes:
        status: Its status.
        headers: Its headers, by names in lower case; of one that comes twice, the last.
        media_type: Its ``Content-Type``, or nothing.
    """

    status: int
    headers: Mapping[str, str]
    media_type: str

    @property
    def is_success(self) -> bool:
        """Whether the status says so (RFC 9110 section 15.3)."""
        return 200 <= self.status < 300

    @abc.abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes in.

        Raises:
            Broken: It ended too early, or was silent for too long.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Let go of the connection; what has not come in yet is not wanted. Idempotent."""

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            Broken: It ended too early.
        """
        return b"".join([chunk async for chunk in self.chunks()])


class Sender(abc.ABC):
    """A way to a server."""

    @abc.abstractmethod
    async def send(self, request: Request) -> Answer:
        """Send a request once and return the answer when it begins.

        Raises:
            Unconnected: The server cannot be connected to; nothing was sent.
            Broken: It may have been sent, and no answer came.
        """
