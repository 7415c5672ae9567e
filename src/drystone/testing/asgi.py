"""Web applications in tests: asked directly, or served on a loopback port for a browser."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import uvicorn

_Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]
"""An application by ASGI 3."""


@dataclass(frozen=True)
class Answer:
    """What an application has answered.

    Attributes:
        status: The status of HTTP.
        headers: By their names in lower case.
        body: The whole body, unpacked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


async def ask(
    app: App,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Ask an application directly.

    Args:
        app: Which.
        path: With its query, as it stands in an address, with or without a slash before it.
        method: Of the request.
        headers: Of the request.
        body: Of the request.
    """
    sent: list[_Message] = []
    where, _, query = path.partition("?")

    async def receive() -> _Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: _Message) -> None:
        sent.append(message)

    said = {"host": "view.test", **(headers or {})}
    scope: _Message = {
        "type": "http",
        "method": method,
        "path": f"/{where.removeprefix('/')}",
        "query_string": query.encode(),
        "headers": [(key.lower().encode(), value.encode()) for key, value in said.items()],
        "scheme": "http",
        "server": ("view.test", 80),
        "root_path": "",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    start = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    if start.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return Answer(sent[0]["status"], start, content)


@contextlib.contextmanager
def served(app: App, *, below: str = "") -> Iterator[str]:
    """Serve an application on a loopback port; yields its address.

    Args:
        app: Which.
        below: A path that its addresses begin with, as behind a proxy that takes it away.
    """

    async def whole(scope: _Message, receive: Any, send: Any) -> None:
        await app({**scope, "path": scope["path"].removeprefix(below)}, receive, send)

    config = uvicorn.Config(whole, port=0, lifespan="off", log_level="warning", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server has not started")
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{below}/"
    finally:
        server.should_exit = True
        thread.join()
