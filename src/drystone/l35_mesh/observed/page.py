"""A page of metrics, collected anew for everybody who asks, and for several at once only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l35_mesh.observed.exposition import OPEN_METRICS, TEXT, families, text
from drystone.l35_mesh.observed.statistics import WANTED, Statistics, read

PATH = "/metrics"
HOSTS = frozenset([b"127.0.0.1", b"localhost"])
"""Names of this machine; a page of a browser that was sent here under another name is told nothing (DNS rebinding)."""


class MetricsPage:
    """Answers ``GET /metrics`` (ASGI 3), and nothing else.

    Args:
        ask: Returns what the proxy has counted, of what fits a pattern.
    """

    def __init__(self, ask: Callable[[str], Awaitable[bytes]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[Statistics | None] | None = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, headers = scope["method"], scope["headers"]
        host = next((value for name, value in headers if name == b"host"), b"")
        if host.partition(b":")[0].lower() not in HOSTS:
            await _answer(send, 421, TEXT, "ask for localhost\n")
        elif scope["path"] != PATH:
            await _answer(send, 404, TEXT, f"only {PATH} is here\n")
        elif method not in ("GET", "HEAD"):
            await _answer(send, 405, TEXT, "use GET\n")
        else:
            accepted = b",".join(value for name, value in headers if name == b"accept")
            is_open = b"application/openmetrics-text" in accepted
            found = await self._statistics()
            body = text(families(found or Statistics(), up=found is not None), openmetrics=is_open)
            await _answer(
                send, 200, OPEN_METRICS if is_open else TEXT, body, is_head=method == "HEAD"
            )

    async def _statistics(self) -> Statistics | None:
        """Return what was counted; None when no proxy answers."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._collect(), name="collect metrics")
        return await asyncio.shield(self._asking)

    async def _collect(self) -> Statistics | None:
        try:
            answer = await self._ask(WANTED)
            return await asyncio.to_thread(read, answer)
        except (ProxyUnavailable, ValueError):
            return None


async def _answer(
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    status: int,
    kind: str,
    body: str,
    *,
    is_head: bool = False,
) -> None:
    content = body.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else content})
