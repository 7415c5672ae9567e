"""Implementations on HTTP.

Paths are matched in their raw, still encoded form, because an argument may hold an encoded slash and a
decoded path no longer tells which slash was meant. Every answer, also one that this server's own rules
give, is JSON, NDJSON or a problem document.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.context import Caller, Context, new_request_id
from drystone.l00_kernel.contract.deadlines import within
from drystone.l00_kernel.contract.declaration import Api, Call, calls_of, contracts_of
from drystone.l00_kernel.contract.errors import (
    BodyTooLarge,
    BodyTooSlow,
    NoSuchCall,
    WrongMediaType,
    WrongMethod,
)
from drystone.l00_kernel.contract.idempotency import Answer, Answers, MemoryAnswers, Once
from drystone.l00_kernel.contract.streaming import Pace, Stream
from drystone.l00_kernel.contract.wire import (
    JSON,
    KEY,
    PROBLEM,
    REPLAYED,
    REQUEST_ID,
    TIMEOUT,
    Problem,
    check_key,
    encode,
    read_body,
    read_path,
    read_query,
    to_problem,
)
from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l00_kernel.ports import Log, NullLog

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Caller]]
"""Given a request's headers (names in lower case), tells who asks or raises Unauthenticated."""

BODY_LIMIT = 16 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")


class _Serving(msgspec.Struct, frozen=True):
    """What all calls of one server share."""

    authenticate: Authenticate
    clock: Clock
    log: Log
    once: Once
    body_limit: int
    body_time: timedelta | None
    pace: Pace


def serve(
    *implementations: Api,
    authenticate: Authenticate,
    clock: Clock | None = None,
    log: Log | None = None,
    answers: Answers | None = None,
    body_limit: int = BODY_LIMIT,
    body_time: timedelta | None = None,
    pace: Pace | None = None,
) -> Starlette:
    """Put implementations on HTTP.

    Args:
        implementations: Each serves every contract that it derives from.
        authenticate: Tells who asks; nothing is called before it has answered.
        clock: For deadlines and the age of kept answers.
        log: Gets what implementations raise beyond their contract.
        answers: Where finished answers are kept for repeated requests; this process's memory when None.
        body_limit: Bytes of the largest request body.
        body_time: How long a body may take to come in; for ever when None, as befits a socket of this machine.
        pace: How streams behave in time.

    Returns:
        An ASGI application.

    Raises:
        TypeError: A contract cannot be put on a wire, or two calls want the same path.
    """
    clock = clock or SystemClock()
    once = Once(answers or MemoryAnswers(clock=clock))
    serving = _Serving(
        authenticate, clock, log or NullLog(), once, body_limit, body_time, pace or Pace()
    )
    routes = _routes(implementations, serving)
    app = Starlette(routes=routes, exception_handlers={404: _nothing_there})
    app.router.redirect_slashes = False
    return app


def _routes(implementations: tuple[Api, ...], serving: _Serving) -> list[_Route]:
    """Return a route for each call, those with literal segments first."""
    routes = [
        _Route(call, implementation, serving)
        for implementation in implementations
        for contract in contracts_of(type(implementation))
        for call in calls_of(contract)
    ]
    _compare(routes)
    return sorted(routes, key=_Route.precedence)


def _compare(routes: list[_Route]) -> None:
    """Tell each route what else its path takes, and refuse two calls that look the same."""
    places: dict[str, dict[str, _Route]] = {}
    for route in routes:
        there = places.setdefault(re.sub(r"\{\w+\}", "{}", route.call.path), {})
        verb = route.call.verb
        if twin := there.get(verb):
            raise TypeError(
                f"{twin.call.id} and {route.call.id} are both called by {verb} {route.call.path}"
            )
        there[verb] = route
        for neighbour in there.values():
            neighbour.allowed = ", ".join(sorted(there))


class _Route(BaseRoute):
    """One call of one implementation."""

    def __init__(self, call: Call, implementation: Api, serving: _Serving) -> None:
        self.call = call
        self.allowed: str = call.verb
        self._method: Callable[..., Any] = getattr(implementation, call.name)
        self._serving = serving
        self._pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]*)", re.escape(call.path)))

    def precedence(self) -> list[bool]:
        """Literal segments are tried before arguments."""
        return [segment.startswith("{") for segment in self.call.path.split("/")]

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        path = raw.decode("latin-1").removeprefix(quote(scope.get("root_path", "")))
        if not (match := self._pattern.fullmatch(path)):
            return Match.NONE, {}
        full = scope["method"] == self.call.verb
        return Match.FULL if full else Match.PARTIAL, {"path_params": match.groupdict()}

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != self.call.verb:
            await self._refuse_verb(request)(scope, receive, send)
            return
        given = request.headers.get(REQUEST_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        replayed = False
        try:
            ctx = await self._context(request, request_id)
            body = await self._body(request)
            arguments = self._arguments(request, body)
            if self.call.streams:
                problem = await self._stream(ctx, arguments, receive, send)
                if problem is None:
                    return
                answer = _problem_answer(problem)
            else:
                answer, replayed = await self._answer(ctx, arguments, request, body)
        except ClientDisconnect:
            return
        except Exception as e:  # noqa: BLE001 - the border: everything becomes a problem document
            answer = _problem_answer(self._describe(request_id, e))
        await _response(answer, request_id, replayed=replayed)(scope, receive, send)

    def _refuse_verb(self, request: Request) -> Response:
        error = WrongMethod(f"{request.url.path} takes {self.allowed}, not {request.method}")
        response = _refusal(error)
        response.headers["allow"] = self.allowed
        return response

    async def _context(self, request: Request, request_id: str) -> Context:
        caller = await self._serving.authenticate(request.headers)
        key = None
        if self.call.verb == "POST" and (given := request.headers.get(KEY)) is not None:
            key = check_key(given)
        deadline = None
        if (seconds := request.headers.get(TIMEOUT)) is not None:
            if not _SECONDS.fullmatch(seconds):
                raise Invalid(f"{TIMEOUT} must be a decimal number of seconds, not {seconds!r}")
            deadline = self._serving.clock.now() + timedelta(seconds=float(seconds))
        return Context(caller, deadline, key, request_id)

    async def _body(self, request: Request) -> bytes:
        limit = self._serving.body_limit
        too_large = BodyTooLarge(f"the body is larger than {limit} bytes; send less at once")
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise too_large
        body = bytearray()
        time = self._serving.body_time
        try:
            async with asyncio.timeout(None if time is None else time.total_seconds()):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise too_large
        except TimeoutError as e:
            raise BodyTooSlow(f"the body did not come in within {time}; send less at once") from e
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and not self.call.has_body:
            raise Invalid(f"{self.call.id}: {self.call.verb} takes its arguments in the query")
        if body and media_type != JSON:
            raise WrongMediaType(f"{self.call.id}: the body must be {JSON}, not {media_type!r}")
        return bytes(body)

    def _arguments(self, request: Request, body: bytes) -> dict[str, Any]:
        call, query = self.call, request.url.query
        if call.has_body and query:
            raise Invalid(
                f"{call.id}: {call.verb} takes its arguments in the body, not in the query"
            )
        others = read_body(call, body) if call.has_body else read_query(call, query)
        return {**read_path(call, request.path_params), **_fields(others)}

    async def _answer(
        self, ctx: Context, arguments: dict[str, Any], request: Request, body: bytes
    ) -> tuple[Answer, bool]:
        async with within(ctx.remaining(self._serving.clock), self.call.id):
            run = partial(self._run, ctx, arguments)
            if ctx.idempotency_key is None:
                return await run(), False
            place = "/".join(request.path_params.values()).encode("latin-1")
            fingerprint = hashlib.sha256(place + b"\0" + body).digest()
            key = (ctx.caller.name, self.call.id, ctx.idempotency_key)
            return await self._serving.once.answer(key, fingerprint, run)

    async def _run(self, ctx: Context, arguments: dict[str, Any]) -> Answer:
        try:
            result = await self._method(ctx, **arguments)
            if self.call.returns is type(None):
                return Answer(204, "", b"")
            return Answer(200, JSON, encode(result))
        except Exception as e:  # noqa: BLE001 - an answer too: the same request must get the same one
            return _problem_answer(self._describe(ctx.request_id, e))

    async def _stream(
        self, ctx: Context, arguments: dict[str, Any], receive: Receive, send: Send
    ) -> Problem | None:
        stream = Stream(
            partial(self._method, ctx, **arguments),
            describe=partial(self._describe, ctx.request_id),
            limit=ctx.remaining(self._serving.clock),
            name=self.call.id,
            pace=self._serving.pace,
        )
        headers = [(name.encode(), value.encode()) for name, value in _headers(ctx.request_id)]
        if ctx.idempotency_key is None:
            return await stream.send(receive, send, headers)
        with self._serving.once.alone((ctx.caller.name, self.call.id, ctx.idempotency_key)):
            return await stream.send(receive, send, headers)

    def _describe(self, request_id: str, error: Exception) -> Problem:
        """Turn any exception into a problem; one that was not foreseen is logged and told without its words."""
        if isinstance(error, PlatformError):
            return to_problem(error, request_id)
        self._serving.log.error(
            "call failed", error=error, call=self.call.id, request_id=request_id
        )
        return to_problem(
            PlatformError(f"{self.call.id} failed; the log tells more under request {request_id}"),
            request_id,
        )


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _problem_answer(problem: Problem) -> Answer:
    return Answer(problem.status, PROBLEM, msgspec.json.encode(problem))


def _headers(request_id: str) -> list[tuple[str, str]]:
    # Answers hold what only their caller may see, and nothing in between may keep them.
    return [(REQUEST_ID, request_id), ("cache-control", "no-store")]


def _response(answer: Answer, request_id: str, *, replayed: bool = False) -> Response:
    headers = dict(_headers(request_id))
    if answer.media_type:
        headers["content-type"] = answer.media_type
    if answer.status == 401:
        headers["www-authenticate"] = "Bearer"
    if replayed:
        headers[REPLAYED] = "true"
    return Response(answer.body, answer.status, headers)


def _refusal(error: PlatformError) -> Response:
    request_id = new_request_id()
    return _response(_problem_answer(to_problem(error, request_id)), request_id)


def _nothing_there(request: Request, _: Exception) -> Response:
    return _refusal(NoSuchCall(f"nothing is served at {request.url.path}"))
