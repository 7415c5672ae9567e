"""The API on HTTP, one protocol for each connection that comes for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from drystone.l00_kernel.contract import serve
from drystone.l10_engines.on_demand.serving import App, quiet
from drystone.l35_mesh.limits.counter import Counter
from drystone.l35_mesh.limits.service import Limits, who_asks


class ApiProtocols:
    """Makes what speaks with those who come for the API.

    Args:
        counter: What the API is about.
        since: When it began to count.
        look: Has it count by what it was told since it looked last.
    """

    def __init__(self, counter: Counter, since: int, look: Callable[[], None]) -> None:
        app: App = serve(Limits(counter, since, look), authenticate=who_asks, body_limit=64 * 1024)
        self._config = quiet(app)
        self._config.load()
        self._state = ServerState()

    @property
    def open(self) -> list[asyncio.Transport]:
        """The connections that are open."""
        return [one.transport for one in self._state.connections]

    def protocol(self) -> HttpToolsProtocol:
        """Return what speaks on one connection."""
        return HttpToolsProtocol(self._config, self._state, {}, asyncio.get_running_loop())
