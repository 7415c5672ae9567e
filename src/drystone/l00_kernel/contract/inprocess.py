"""A contract through its wire form, without leaving the process."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx2
import msgspec
from starlette.types import ASGIApp, Message
from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract.by_network import ByNetwork
from drystone.l00_kernel.contract.client import make_client
from drystone.l00_kernel.contract.declaration import Api
from drystone.l00_kernel.contract.server import serve
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l00_kernel.ports import Log

A = TypeVar("A", bound=Api)

_SCHEME = "Claimed "


def loopback(contract: type[A], implementation: A, *, log: Log | None = None) -> A:
    """Reach an implementation through its wire form in this process.

    Each GET, PUT and DELETE that does not stream is sent twice, to find those that are not safe to repeat.
    The implementation sees the caller that the Context names, as it would if it were called directly.

    Args:
        contract: What the client is an instance of.
        implementation: What answers.
        log: Gets what the implementation raises beyond its contract.
    """
    app = serve(implementation, authenticate=claimed_caller, log=log)
    http = httpx2.AsyncClient(transport=InProcess(app), base_url="http://loopback")
    return make_client(contract, ByNetwork(http), credentials=claim, timeout=None, twice=True)


async def claim(ctx: Context) -> Mapping[str, str]:
    """Say who asks, without proof; the counterpart of :func:`claimed_caller`."""
    caller = base64.b64encode(msgspec.json.encode(ctx.caller)).decode()
    return {"authorization": _SCHEME + caller}


async def claimed_caller(headers: Mapping[str, str]) -> Caller:
    """Believe who asks. Only for a server whose clients are this process or its test.

    Raises:
        Unauthenticated: The request names nobody.
    """
    given = headers.get("authorization", "")
    try:
        return msgspec.json.decode(base64.b64decode(given.removeprefix(_SCHEME)), type=Caller)
    except (msgspec.MsgspecError, binascii.Error) as e:
        raise Unauthenticated from e


class InProcess(httpx2.AsyncBaseTransport):
    """Hands requests to an ASGI application in this process, streams included.

    httpx2's own ASGITransport waits for the whole answer, so that a stream would never begin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _Exchange(self._app, request, await request.aread())
        return await exchange.response()


class _Exchange(httpx2.AsyncByteStream):
    """One request and its answer."""

    def __init__(self, app: ASGIApp, request: httpx2.Request, body: bytes) -> None:
        target, _, query = request.url.raw_path.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": target,
            "query_string": query,
            "server": (request.url.host, request.url.port),
            "client": ("loopback", 0),
            "root_path": "",
        }
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self._outgoing: asyncio.Queue[Message | None] = asyncio.Queue(1)
        self._hung_up = False
        self._task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._incoming.get, self._put)
        finally:
            await self._put(None)

    async def _put(self, message: Message | None) -> None:
        if not self._hung_up:
            await self._outgoing.put(message)

    async def response(self) -> httpx2.Response:
        """Return the answer as soon as it has begun."""
        try:
            start = await self._outgoing.get()
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            raise
        if start is None:
            await self._task
            raise httpx2.RemoteProtocolError("the application ended without an answer")
        return httpx2.Response(start["status"], headers=start["headers"], stream=self)

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while message := await self._outgoing.get():
            if chunk := message.get("body"):
                yield chunk
            if not message.get("more_body"):
                return
        raise httpx2.RemoteProtocolError("the application ended in the middle of an answer")

    @override
    async def aclose(self) -> None:
        """Hang up, as a client that closes its connection, and wait until the application noticed."""
        self._hung_up = True
        self._incoming.put_nowait({"type": "http.disconnect"})
        if not self._outgoing.empty():  # lets go whoever waits to put a message
            self._outgoing.get_nowait()
        await self._task
