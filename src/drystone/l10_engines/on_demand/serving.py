"""What the program of a service on demand does with the socket that it is handed.

It serves until nobody has used it for a while, until it is told to end (TERM), or until the one who keeps it has ended,
which it learns in two ways: its end of a pipe reports the end of the file, and the kernel kills it
(PR_SET_PDEATHSIG, prctl(2)), whatever it computes at that moment.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import signal
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import uvicorn

_PR_SET_PDEATHSIG = 1

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every program on demand is told."""
    parser.add_argument("--listener", type=int, required=True, help="descriptor of the socket")
    parser.add_argument("--lifeline", type=int, required=True, help="descriptor of a pipe")


class Activity:
    """Passes requests on to an application, and knows since when there was none.

    Args:
        app: Answers them.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._under_way = 0
        self._last = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on (ASGI 3)."""
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._last = time.monotonic()

    def idle(self) -> timedelta:
        """Return for how long there was nothing to do."""
        if self._under_way:
            self._last = time.monotonic()
        return timedelta(seconds=time.monotonic() - self._last)


def quiet(app: App, *, http: type[asyncio.Protocol] | Literal["auto"] = "auto") -> uvicorn.Config:
    """Return how a service of the platform serves: it writes no log of its own and says nothing about itself.

    Args:
        app: Answers the requests.
        http: What speaks HTTP with one client.
    """
    return uvicorn.Config(
        app,
        http=http,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge says what the client asked for; what it adds about the client is nobody's business here.
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )


async def serve_until_told(app: App, listener: socket.socket) -> None:
    """Serve until the process is told to end (TERM, INT).

    Args:
        app: Answers the requests.
        listener: Where they come in.
    """
    await uvicorn.Server(quiet(app)).serve(sockets=[listener])


async def serve(app: Activity, *, listener: int, lifeline: int, idle: timedelta) -> None:
    """Serve until there is a reason to end.

    Args:
        app: Answers the requests.
        listener: Descriptor of a socket that listens.
        lifeline: Descriptor of a pipe that nobody writes to.
        idle: Ends after so long without a request.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    server = uvicorn.Server(quiet(app))

    def end() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_reader(lifeline, end)
    watching = asyncio.create_task(_end_when_idle(app, idle, end), name="end when idle")
    try:
        await server.serve(sockets=[socket.socket(fileno=listener)])
    finally:
        loop.remove_reader(lifeline)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _end_when_idle(app: Activity, idle: timedelta, end: Callable[[], None]) -> None:
    while (left := idle - app.idle()) > timedelta():  # noqa: ASYNC110 - requests move the end
        await asyncio.sleep(left.total_seconds())
    end()
