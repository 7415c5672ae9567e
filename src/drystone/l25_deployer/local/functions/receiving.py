"""Takes what the stand-in for AWS hands over: requests for functions and jobs, by its protocols and by plain HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.handing_over import URL, Answered, Handed, take_over
from drystone.l10_engines.on_demand.private_socket import listener_at
from drystone.l25_deployer.local.functions import lambda_protocol, url_protocol
from drystone.l25_deployer.local.functions.errors import (
    CallRefused,
    FunctionNotFound,
    FunctionNotReady,
    TooManyCalls,
)
from drystone.l25_deployer.local.functions.worker import new_id

if TYPE_CHECKING:
    from drystone.l25_deployer.local.functions.service import Functions

_STATUS: dict[type[PlatformError], int] = {
    CallRefused: 413,
    TooManyCalls: 429,
    FunctionNotFound: 404,
    FunctionNotReady: 503,
}


class Receiving:
    """Listens for requests.

    Args:
        socket: Where.
        functions: Whom they are for.
        jobs: Answers requests by the protocol of Batch.
    """

    def __init__(
        self, socket: Path, functions: Functions, jobs: Callable[[Handed, bytes], Answered]
    ) -> None:
        self._jobs = jobs
        self._socket = socket
        self._functions = functions
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Listen from now on.

        Raises:
            SocketUnusable: Nobody can listen there.
        """
        listener = listener_at(self._socket)
        self._server = await asyncio.start_unix_server(self._take, sock=listener)

    async def leave(self) -> None:
        """Listen no more; requests that are answered now are cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket.unlink(missing_ok=True)
        for task in tuple(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - every connection has one
        self._answering.add(task)
        try:
            await take_over(reader, writer, self.answer)
        finally:
            self._answering.discard(task)

    async def answer(self, handed: Handed, body: bytes) -> Answered:
        """Answer one request."""
        if handed.service == URL:
            return await self._call(handed, body)
        if handed.service == "lambda":
            return await lambda_protocol.answer(self._functions, handed, body)
        return self._jobs(handed, body)

    async def _call(self, handed: Handed, body: bytes) -> Answered:
        environment, _, service = handed.owner.partition(".")
        name = new_id()
        event = json.dumps(url_protocol.event_of(handed, body, name=name)).encode()
        try:
            called = self._functions.find(environment, service, handed.function)
            arn = lambda_protocol.arn_of(handed.account, handed.function)
            made = await self._functions.call(called, event, arn=arn, id_=name)
        except PlatformError as e:
            return lambda_protocol.refusal(_STATUS.get(type(e), 503), type(e).__name__, str(e))
        return url_protocol.response_of(made)
