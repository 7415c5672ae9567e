"""The socket at which the agent answers: for its user alone, and for so many clients at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_CONNECTIONS = 1000


def most_connections() -> int:
    """Return how many clients the agent serves at once: the rest of its descriptors is for its own work."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(soft // 4, MOST_CONNECTIONS)


def _http(most: int) -> type[HttpToolsProtocol]:
    """Return what speaks HTTP with one client, and hangs up on those beyond ``most``.

    A client that is refused costs no descriptor; one that waits for its turn would hold one for ever.
    """

    class Bounded(HttpToolsProtocol):
        @override
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._is_refused = len(self.connections) >= most
            if self._is_refused:
                transport.abort()
            else:
                super().connection_made(transport)

        @override
        def connection_lost(self, exc: Exception | None) -> None:
            if not self._is_refused:
                super().connection_lost(exc)

    return Bounded


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the agent."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(app: Callable[..., Awaitable[None]]) -> uvicorn.Server:
    """Return what serves an application to as many clients at once as the agent's open files allow."""
    config = uvicorn.Config(
        app,
        http=_http(most_connections()),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return _Server(config)


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket that only this user can open, from its first moment on."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)
