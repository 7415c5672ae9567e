"""One request and the answer to it, whatever the protocol."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

VERSION = os.environ.get("APP_VERSION", "development")

leaving = asyncio.Event()


async def pause(seconds: float) -> bool:
    """Wait, but not longer than until the service is to end; tell whether it goes on."""
    with suppress(TimeoutError):
        await asyncio.wait_for(leaving.wait(), seconds)
    return not leaving.is_set()


class Exchange(ABC):
    """One request and the answer to it, over either protocol."""

    protocol = ""
    method = ""
    target = ""
    headers: Mapping[str, str] = {}

    @abstractmethod
    def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes."""

    @abstractmethod
    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send a part of the body, as fast as the other side takes it."""

    @abstractmethod
    async def end(self, trailers: Mapping[str, str] | None = None) -> None:
        """End the answer."""
