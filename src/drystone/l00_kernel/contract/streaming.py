"""The server's side of a stream.

One task runs the implementation's iterator from its first item to its closing, because an async generator
that opens a task group must be left by the task that entered it. A second one watches for the client
to go away; that cancels the first at whatever it waits for, so that its ``finally`` blocks run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import msgspec
from starlette.types import Receive, Send

from drystone.l00_kernel.contract.deadlines import within
from drystone.l00_kernel.contract.wire import NDJSON, Problem, encode_item, problem_line

_AHEAD = 16
"""Items that an implementation may be ahead of the network."""


class Pace(msgspec.Struct, frozen=True):
    """How a stream behaves in time.

    Attributes:
        heartbeat: After how long without an item a blank line is sent, so that a dead peer is noticed.
        patience: How long the first item may take before the answer begins without it; an error within
            this time still becomes the status of the answer.
    """

    heartbeat: timedelta = timedelta(seconds=15)
    patience: timedelta = timedelta(milliseconds=200)


class _End(msgspec.Struct, frozen=True):
    problem: Problem | None


class Stream:
    """One stream on its way to one client.

    Args:
        items: Starts the implementation's iterator.
        describe: Turns what the implementation raised into a problem; it logs what was not foreseen.
        limit: Time left until the deadline.
        name: The call, for messages.
        pace: How it behaves in time.
    """

    def __init__(
        self,
        items: Callable[[], AsyncIterator[Any]],
        *,
        describe: Callable[[Exception], Problem],
        limit: timedelta | None,
        name: str,
        pace: Pace,
    ) -> None:
        self._items = items
        self._describe = describe
        self._limit = limit
        self._name = name
        self._pace = pace
        self._ready: asyncio.Queue[bytes | _End] = asyncio.Queue(_AHEAD)

    async def send(
        self, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]
    ) -> Problem | None:
        """Send the items until there are no more or the client is gone.

        Returns:
            A problem that came before anything was sent; the caller sends it as an answer of its own.
        """
        producer = asyncio.create_task(self._produce())
        gone = asyncio.create_task(_gone(receive))
        try:
            return await self._forward(gone, send, headers)
        finally:
            for task in (producer, gone):
                task.cancel()
            await asyncio.gather(producer, gone, return_exceptions=True)

    async def _produce(self) -> None:
        problem = None
        try:
            async with within(self._limit, self._name), AsyncExitStack() as at_the_end:
                items = self._items()
                if close := getattr(items, "aclose", None):
                    at_the_end.push_async_callback(close)
                async for item in items:
                    await self._ready.put(encode_item(item))
        except Exception as e:  # noqa: BLE001 - whatever it is, the client must learn that the stream failed
            problem = self._describe(e)
        await self._ready.put(_End(problem))

    async def _forward(
        self, gone: asyncio.Task[None], send: Send, headers: list[tuple[bytes, bytes]]
    ) -> Problem | None:
        first = await self._next(gone, self._pace.patience)
        if isinstance(first, _End) and first.problem:
            return first.problem
        if gone.done():
            return None
        start = [(b"content-type", NDJSON.encode()), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        lines = first
        while not isinstance(lines, _End):
            if gone.done():
                return None
            chunk = b"\n" if lines is None else lines
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            lines = await self._next(gone, self._pace.heartbeat)
        last = problem_line(lines.problem) if lines.problem else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})
        return None

    async def _next(self, gone: asyncio.Task[None], limit: timedelta) -> bytes | _End | None:
        """Return what is ready; None when the client is gone or nothing came within the limit."""
        if self._ready.empty():
            getter = asyncio.create_task(self._ready.get())
            await asyncio.wait(
                {getter, gone}, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            if getter.done():
                return getter.result()
            getter.cancel()
            return None
        return self._ready.get_nowait()


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
