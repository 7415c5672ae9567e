"""The socket at which the agent answers: for its user alone, and for so many clients at once."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from drystone.l10_engines.on_demand.private_socket import listener_at
from drystone.l10_engines.on_demand.serving import App, quiet

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


def server_of(app: App) -> uvicorn.Server:
    """Return what serves an application to as many clients at once as the agent's open files allow."""
    return _Server(quiet(app, http=_http(most_connections())))


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen at a path until the context ends.

    Raises:
        SocketUnusable: Nobody can listen there.
    """
    listener = listener_at(path)
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)
