"""What stands before the orchestrator's APIs where they are reached over a network.

Bodies are bounded in number beside their size and time, so that all together fit into the memory of the process; an answer that goes on, such as the
progress of a release, ends when its token does; and the description of it all is read without a token, as it stands in the documentation too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, TypeAlias

from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.contract.wire import NDJSON, problem_line, to_problem
from drystone.l00_kernel.errors import Unauthenticated

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Authenticate: TypeAlias = Callable[[MutableMapping[str, str]], Awaitable[Caller]]

DESCRIPTION = "/v1/openapi.json"
LARGE = 256 * 1024
"""Bytes of a body from which on it counts."""

LARGE_AT_ONCE = 4
ASKED_AGAIN = timedelta(milliseconds=400)
"""How often an answer that goes on asks whether its token is still good."""

_DOTS = 2
"""Of a token of the sign-in, which ends within minutes by itself and is not asked about again."""


class Door:
    """Passes requests on to an application (ASGI 3).

    Args:
        app: Answers them; it asks for a token itself.
        authenticate: Tells whose a token is.
        description: Returns the OpenAPI document, as JSON.
    """

    def __init__(
        self, app: App, *, authenticate: Authenticate, description: Callable[[], bytes]
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._description = description
        self._described: bytes | None = None
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            return
        if scope["path"] == DESCRIPTION and scope["method"] == "GET":
            await self._describe(send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        async with AsyncExitStack() as stack:
            read = self._bounded(receive, stack) if _is_large(headers) else receive
            await self._until_revoked(scope, read, send, headers)

    def _bounded(self, receive: Receive, stack: AsyncExitStack) -> Receive:
        """Let a body wait for its turn; nobody waits who may not ask, since no body is read before that is known."""
        has_turn = False

        async def read() -> Message:
            nonlocal has_turn
            if not has_turn:
                has_turn = True
                await stack.enter_async_context(self._large)
            return await receive()

        return read

    async def _until_revoked(
        self, scope: Scope, receive: Receive, send: Send, headers: MutableMapping[str, str]
    ) -> None:
        answer = _Answer(send)
        working = asyncio.ensure_future(self._app(scope, receive, answer.send))
        try:
            while not working.done():
                await asyncio.wait((working,), timeout=ASKED_AGAIN.total_seconds())
                if working.done() or not answer.goes_on or not _may_end(headers):
                    continue
                try:
                    await self._authenticate(headers)
                except Unauthenticated as e:
                    await _ended(working)
                    await answer.cut(e)
                    return
                except Exception:  # noqa: BLE001, S112 - what cannot be found out now is found out later
                    continue
            await working
        finally:
            await _ended(working)

    async def _describe(self, send: Send) -> None:
        if self._described is None:
            self._described = await asyncio.to_thread(self._description)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._described)).encode()),
            (b"cache-control", b"no-cache"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._described})


class _Answer:
    """An answer on its way."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.goes_on = False

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self.goes_on = any(
                key == b"content-type" and value == NDJSON.encode()
                for key, value in message["headers"]
            )
        elif not message.get("more_body", False):
            self.goes_on = False
        await self._send(message)

    async def cut(self, error: Unauthenticated) -> None:
        """End a stream with an error."""
        if self.goes_on:
            last = problem_line(to_problem(error))
            await self.send({"type": "http.response.body", "body": last, "more_body": False})


def _is_large(headers: MutableMapping[str, str]) -> bool:
    length = headers.get("content-length", "")
    if length.isdecimal():
        return int(length) > LARGE
    return "transfer-encoding" in headers


def _may_end(headers: MutableMapping[str, str]) -> bool:
    return headers.get("authorization", "").count(".") != _DOTS


async def _ended(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
