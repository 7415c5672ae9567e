"""A client that is its contract."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from drystone.l00_kernel.context import Context, new_request_id
from drystone.l00_kernel.contract.by_socket import BySocket
from drystone.l00_kernel.contract.deadlines import within
from drystone.l00_kernel.contract.declaration import Api, Call, calls_of
from drystone.l00_kernel.contract.errors import BadAnswer, Unreachable
from drystone.l00_kernel.contract.sending import Answer, Broken, Request, Sender, Unconnected
from drystone.l00_kernel.contract.wire import (
    JSON,
    KEY,
    LINE_LIMIT,
    REQUEST_ID,
    TIMEOUT,
    check_key,
    encode,
    problem_of_answer,
    problem_of_line,
    to_error,
    write_target,
)
from drystone.l00_kernel.errors import DeadlineExceeded, Invalid

A = TypeVar("A", bound=Api)

Credentials: TypeAlias = Callable[[Context], Awaitable[Mapping[str, str]]]
"""Gives the headers that prove who asks, for one call; where proofs expire, a new one each time."""

_PAUSES = (timedelta(milliseconds=50), timedelta(milliseconds=200), timedelta(milliseconds=800))
"""Before the second, third and fourth attempt to reach the server."""


@asynccontextmanager
async def connect(
    contract: type[A],
    *,
    base_url: str | None = None,
    uds: Path | None = None,
    headers: Mapping[str, str] | None = None,
    credentials: Credentials | None = None,
    timeout: timedelta | None = timedelta(seconds=60),  # noqa: ASYNC109 - a default for each call, not a limit of this one
) -> AsyncIterator[A]:
    """Reach an implementation of a contract over HTTP.

    A server that cannot be connected to is tried four times within a second or so; a request that was sent
    is never sent again. The caller in the Context stays here: the server finds out by itself who asks.

    Args:
        contract: What the client is an instance of.
        base_url: Where, for example ``http://127.0.0.1:8400``; a path in it precedes those of the contract.
        uds: A unix socket; then the host of ``base_url``, if any, is only a name.
        headers: Sent with every request.
        credentials: Gives further headers for each call.
        timeout: How long a call without a deadline may take; streams have no such limit.

    Raises:
        TypeError: Neither ``base_url`` nor ``uds`` is given.
    """
    if base_url is None and uds is None:
        raise TypeError("connect() needs a base_url or a unix socket")
    place = str(uds or base_url)

    def over(sender: Sender) -> A:
        return make_client(
            contract, sender, headers=headers, credentials=credentials, timeout=timeout, place=place
        )

    if uds is not None:
        yield over(BySocket(uds, base_url))
        return
    from drystone.l00_kernel.contract.by_network import ByNetwork, http_client  # noqa: PLC0415 - loads httpx2

    async with http_client(cast("str", base_url)) as http:
        yield over(ByNetwork(http))


def make_client(
    contract: type[A],
    sender: Sender,
    *,
    headers: Mapping[str, str] | None = None,
    credentials: Credentials | None,
    timeout: timedelta | None,
    place: str = "this process",
    twice: bool = False,
) -> A:
    """Return an instance of a contract whose methods ask a server.

    Args:
        contract: The contract.
        sender: The way to the server.
        headers: Sent with every request.
        credentials: Gives headers for each call.
        timeout: How long a call without a deadline may take.
        place: Where the server is, for messages.
        twice: Send each repeatable call twice, to find those that are not.
    """
    remote = _Remote(
        contract,
        sender,
        headers=headers or {},
        credentials=credentials,
        timeout=timeout,
        place=place,
    )

    def method(call: Call) -> Callable[..., Any]:
        if call.streams:

            def stream(_: A, ctx: Context, **given: Any) -> AsyncIterator[Any]:
                return remote.stream(call, ctx, given)

            return stream

        async def ask(_: A, ctx: Context, **given: Any) -> Any:
            if twice and call.is_repeatable:
                await remote.ask(call, ctx, given)
            return await remote.ask(call, ctx, given)

        return ask

    methods = {call.name: method(call) for call in calls_of(contract)}
    client = type(f"Remote{contract.__name__}", (contract,), methods)
    return cast("A", client())


class _Remote:
    """The other side of a contract."""

    def __init__(
        self,
        contract: type[Api],
        sender: Sender,
        *,
        headers: Mapping[str, str],
        credentials: Credentials | None,
        timeout: timedelta | None,
        place: str,
    ) -> None:
        self._contract = contract
        self._sender = sender
        self._headers = headers
        self._credentials = credentials
        self._timeout = timeout
        self._place = place

    async def ask(self, call: Call, ctx: Context, given: dict[str, Any]) -> Any:
        """Send a request and return the result, or raise what the server raised."""
        limit = ctx.remaining()
        if limit is None or (self._timeout is not None and self._timeout < limit):
            limit = self._timeout
        async with within(limit, call.id):
            request = await self._request(call, ctx, given, limit)
            answer = await self._send(call, request)
            try:
                body = await answer.read()
            except Broken as e:
                raise self._lost(call, e) from e
            finally:
                await answer.close()
            if not answer.is_success:
                raise self._failed(answer, body)
        if call.returns is type(None):
            return None
        return self._decode(call, body)

    async def stream(self, call: Call, ctx: Context, given: dict[str, Any]) -> AsyncIterator[Any]:
        """Send a request and yield the items; closing the iterator closes the connection."""
        async with within(limit := ctx.remaining(), call.id):
            request = await self._request(call, ctx, given, limit)
            answer = await self._send(call, request)
        try:
            if not answer.is_success:
                raise self._failed(answer, await answer.read())
            async with aclosing(_lines(answer, ctx)) as lines:
                async for line in lines:
                    yield self._item(call, line)
        except Broken as e:
            raise self._lost(call, e) from e
        finally:
            await answer.close()

    async def _request(
        self, call: Call, ctx: Context, given: dict[str, Any], limit: timedelta | None
    ) -> Request:
        in_path = {argument.name for argument in call.in_path}
        if missing := in_path - given.keys():
            raise TypeError(f"{call.id}: missing argument {', '.join(sorted(missing))}")
        others = call.others(**{k: v for k, v in given.items() if k not in in_path})
        headers = {**self._headers, REQUEST_ID: ctx.request_id}
        if limit is not None:
            if limit <= timedelta():
                raise DeadlineExceeded(f"{call.id} was not sent: the deadline has passed")
            headers[TIMEOUT] = f"{limit.total_seconds():.6f}"
        if call.verb == "POST":
            headers[KEY] = check_key(ctx.idempotency_key or new_request_id())
        content = None
        if call.has_body:
            headers["content-type"] = JSON
            try:
                content = encode(others)
            except ValueError as e:
                raise Invalid(f"{call.id}: {e}") from e
        if self._credentials:
            headers.update(await self._credentials(ctx))
        target = write_target(call, given, others)
        return Request(call.verb, target, headers, content, call.streams)

    async def _send(self, call: Call, request: Request) -> Answer:
        """Send a request, once the server can be connected to."""
        for pause in (*_PAUSES, None):
            try:
                return await self._sender.send(request)
            except Unconnected as e:
                if pause is None:
                    raise Unreachable(
                        f"{self._contract.name} is out of reach at {self._place}; is it running?"
                    ) from e
                await asyncio.sleep(pause.total_seconds())
            except Broken as e:
                raise self._lost(call, e) from e
        raise AssertionError("the last attempt returns or raises")

    def _lost(self, call: Call, error: Broken) -> Unreachable:
        return Unreachable(
            f"the connection broke during {call.id} ({error}); it may or may not have happened"
        )

    def _failed(self, answer: Answer, body: bytes) -> Exception:
        return to_error(problem_of_answer(answer.status, answer.media_type, body), self._contract)

    def _item(self, call: Call, line: bytes) -> Any:
        """Return the item that a line of a stream holds, or raise the error."""
        try:
            problem = problem_of_line(line)
        except msgspec.MsgspecError as e:
            raise BadAnswer(f"{call.id}: the stream failed, and its problem is unreadable") from e
        if problem:
            raise to_error(problem, self._contract)
        return self._decode(call, line)

    def _decode(self, call: Call, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content, type=call.returns)
        except (msgspec.MsgspecError, RecursionError) as e:
            raise BadAnswer(f"{call.id}: the answer is not what the contract promises: {e}") from e


async def _lines(answer: Answer, ctx: Context) -> AsyncGenerator[bytes]:
    """Yield the lines that hold something, as they come in, until the deadline."""
    rest = b""
    chunks = answer.chunks()
    ends = time.monotonic() + limit.total_seconds() if (limit := ctx.remaining()) else None
    while True:
        left = None if ends is None else timedelta(seconds=max(0.0, ends - time.monotonic()))
        async with within(left, "the stream"):
            chunk = await anext(chunks, None)
        if chunk is None:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
        if len(rest) > LINE_LIMIT:
            raise BadAnswer(f"a line of the stream is longer than {LINE_LIMIT} bytes")
    if rest:
        raise BadAnswer("the stream ended in the middle of a line")
