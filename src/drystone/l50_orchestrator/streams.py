"""Streams that end when who reads them may read no more.

A call is decided when it begins; a stream goes on for hours after that. So whoever serves one asks again, several times a second, and
ends it with the refusal. While nobody can tell, because the database is away, it goes on for some seconds and then ends, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TypeVar

from drystone.l00_kernel.errors import Unavailable

T = TypeVar("T")

ASKED_AGAIN = timedelta(milliseconds=300)
"""How often; with the half second for which the gate believes what it has read, a stream ends within a second."""

UNKNOWN_FOR = timedelta(seconds=10)
"""How long a stream goes on while nobody can tell whether it may."""

_AHEAD = 16


class _End:
    """That there are no more items, and why."""

    def __init__(self, why: Exception | None) -> None:
        self.why = why


async def while_allowed(
    items: AsyncIterator[T], ask: Callable[[], Awaitable[object]]
) -> AsyncGenerator[T, None]:
    """Pass items on for as long as that is allowed, and close their source in the end, whatever ends it.

    Args:
        items: What is read; one task runs it from its first item to its closing.
        ask: Raises when it is allowed no more.

    Raises:
        Denied: It is allowed no more; or whatever else was raised by the one or the other.
        Unavailable: For :data:`UNKNOWN_FOR` nobody could tell.
    """
    ready: asyncio.Queue[T | _End] = asyncio.Queue(_AHEAD)
    reading = asyncio.create_task(_read(items, ready))
    asking = _Asking(ask)
    try:
        while True:
            await asking.when_due()
            try:
                async with asyncio.timeout(ASKED_AGAIN.total_seconds()):
                    item = await ready.get()
            except TimeoutError:
                continue
            if isinstance(item, _End):
                if item.why is not None:
                    raise item.why
                return
            yield item
    finally:
        reading.cancel()
        await asyncio.wait((reading,))


async def _read(items: AsyncIterator[T], ready: asyncio.Queue[T | _End]) -> None:
    why = None
    try:
        async with AsyncExitStack() as at_the_end:
            if close := getattr(items, "aclose", None):
                at_the_end.push_async_callback(close)
            async for item in items:
                await ready.put(item)
    except Exception as e:  # noqa: BLE001 - it is raised where the items are read
        why = e
    await ready.put(_End(why))


class _Asking:
    """Asks again when it is time to."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._asked = self._known = _now()

    async def when_due(self) -> None:
        now = _now()
        if now - self._asked < ASKED_AGAIN.total_seconds():
            return
        self._asked = now
        try:
            await self._ask()
        except Unavailable:
            if now - self._known >= UNKNOWN_FOR.total_seconds():
                raise
            return
        self._known = _now()


def _now() -> float:
    return asyncio.get_running_loop().time()
