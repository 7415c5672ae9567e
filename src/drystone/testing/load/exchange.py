"""One request whose answer may take long, seen from the client and whatever the protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec


class Broken(Exception):
    """A connection or a stream ended before the answer did; the text says how."""


class Head(msgspec.Struct, frozen=True):
    """How an answer begins: its status and its headers, by lower-case name."""

    status: int
    headers: Mapping[str, str]


class Exchange(ABC):
    """A request under way; every method raises :class:`Broken` when it cannot go on."""

    trailers: Mapping[str, str] = {}
    """What followed the body; known once :meth:`receive` has returned its end."""

    @abstractmethod
    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send a part of the request's body, as fast as the other side takes it."""

    @abstractmethod
    async def head(self) -> Head:
        """Return the beginning of the answer once it is there."""

    @abstractmethod
    async def receive(self) -> bytes:
        """Return the next part of the answer's body, and nothing at its end."""

    @abstractmethod
    def close(self) -> None:
        """Give the exchange up; one that has ended does not mind."""
