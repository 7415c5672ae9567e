"""What is refused before the view looks at a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

LARGEST_BODY = 64 * 1024
HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guarded:
    """Lets requests through that go to this machine by one of its own names, and whose body is small.

    A page elsewhere whose host name suddenly leads to this machine (DNS rebinding) still sends its own name as the host.

    Args:
        app: Gets the requests.
        hosts: The names, without ports.
    """

    def __init__(self, app: App, *, hosts: frozenset[str] = HOSTS) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it (ASGI 3)."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        if _name(headers.get(b"host", b"").decode("latin-1")) not in self._hosts:
            await _refuse(send, 421, b"This host does not answer here; use localhost.\n")
        elif b"transfer-encoding" in headers or not _is_small(headers.get(b"content-length", b"0")):
            await _refuse(
                send, 413, b"The request is too large, or does not say how large it is.\n"
            )
        else:
            await self._app(scope, receive, send)


def _name(host: str) -> str:
    """Return a host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _is_small(length: bytes) -> bool:
    return length.isdigit() and len(length) < 10 and int(length) <= LARGEST_BODY


async def _refuse(send: Send, status: int, why: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(why)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why})
