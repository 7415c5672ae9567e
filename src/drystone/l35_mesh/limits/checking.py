"""The question that Envoy asks about a request (ext_authz over HTTP), answered without anything in between.

The path is ``/authz/<open|closed>/<environment>/<service>/-`` and then the path of the request, with its query; method and
headers are those of the request. ``open`` and ``closed`` say which limits are asked for: those of one kind share a filter of
Envoy, which knows what to do when nobody answers.

Everything else on the same socket is handed to the server of the API, which is loaded when somebody first comes for it: a
proxy that asks ten thousand times a second does not wait for a framework.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from typing_extensions import override

from drystone.l35_mesh.limits import answers
from drystone.l35_mesh.limits.counter import Counter, Outcome
from drystone.l35_mesh.limits.errors import NobodyCounts
from drystone.l35_mesh.limits.memory import Counted
from drystone.l35_mesh.limits.names import name_of

LARGEST_HEAD = 96 * 1024
"""Bytes of a request that is not understood yet; Envoy lets 60 KiB of headers through."""

MOST_ROUTES = 4096
"""Requests of which it is kept which limits are about them."""

LONGEST_ROUTE = 512
"""Bytes of the path of such a request."""

PREFIX = "/authz/"
MARK = "/-"
"""Stands between the name of the service and the path of the request, whatever that begins with."""

_BAD = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "

HandOver = Callable[[asyncio.Transport, bytes], None]
"""Goes on with a connection; the bytes are what came in and was not understood here."""


def path_of(service: str, *, closed: bool) -> str:
    """Return what precedes the path of a request in a question about it.

    Args:
        service: ``<environment>/<service>``.
        closed: Which limits are asked for.
    """
    return f"{PREFIX}{'closed' if closed else 'open'}/{service}{MARK}"


class Questions:
    """Finds the limits that a question is about, and answers it.

    Args:
        counter: Knows and decides.
        look: Has it count by what it was told since it looked last; called for a service that it does not know.
    """

    def __init__(self, counter: Counter, look: Callable[[], None] = lambda: None) -> None:
        self._counter = counter
        self._news = look
        self._routes: dict[tuple[bytes, bytes], tuple[Counted, ...]] = {}

    def forget(self) -> None:
        """Look limits up anew: they have changed."""
        self._routes.clear()

    def answer(self, method: bytes, target: bytes, head: bytes) -> bytes | Awaitable[Outcome]:
        """Answer, or return what the answer has to wait for."""
        limits = self._about(method, target)
        if limits is None:
            return answers.UNKNOWN
        if not limits:
            return answers.MAY_PASS
        outcome = self._counter.decide(limits, [_value(head, limit) for limit in limits], 1)
        return self.written(limits, outcome) if isinstance(outcome, tuple) else outcome

    def written(self, limits: tuple[Counted, ...], outcome: Outcome) -> bytes:
        """Write the answer of a decision."""
        passes, verdicts = outcome
        return (answers.passes if passes else answers.refuses)(limits, verdicts)

    def about(self, method: bytes, target: bytes) -> tuple[Counted, ...]:
        """Return the limits that a question is about, which was answered with something to wait for."""
        return self._about(method, target) or ()

    def _about(self, method: bytes, target: bytes) -> tuple[Counted, ...] | None:
        path = target.partition(b"?")[0]
        if len(path) > LONGEST_ROUTE:
            return self._look(method.decode("latin-1"), path)
        key = (method, path)
        try:
            return self._routes[key]
        except KeyError:
            found = self._look(method.decode("latin-1"), path)
            if found is None:
                self._news()
                found = self._look(method.decode("latin-1"), path)
            if found is not None:
                if len(self._routes) >= MOST_ROUTES:
                    self._routes.clear()
                self._routes[key] = found
            return found

    def _look(self, method: str, target: bytes) -> tuple[Counted, ...] | None:
        parts = target.decode("latin-1").split("/", 5)
        if len(parts) < 6 or not parts[5].startswith("-"):
            return None
        _, _, kind, environment, service, path = parts
        limits = self._counter.limits(f"{environment}/{service}")
        if limits is None or kind not in {"open", "closed"}:
            return None
        return tuple(
            limit
            for limit in limits.values()
            if limit.policy.closed == (kind == "closed") and limit.requests.have(method, path[1:])
        )


def _value(head: bytes, limit: Counted) -> str:
    """Return who is counted; all those together who do not say."""
    if not limit.header:
        return ""
    begin = head.find(limit.header)
    if begin < 0:
        return ""
    begin += len(limit.header)
    return name_of(head[begin : head.find(b"\r\n", begin)].decode("latin-1"))


class Conversation(asyncio.Protocol):
    """One connection of a proxy.

    Args:
        questions: Answers them.
        hand_over: Takes a connection on which somebody asks for something else.
    """

    def __init__(self, questions: Questions, hand_over: HandOver) -> None:
        self._questions = questions
        self._hand_over = hand_over
        self._buffer = b""
        self._waiting: asyncio.Future[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._waiting is None:
            self._go_on()
        elif len(self._buffer) > LARGEST_HEAD:
            self._transport.abort()  # nobody sends so much before the answer to what came before

    def _go_on(self) -> None:
        while self._buffer and self._waiting is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LARGEST_HEAD:
                    self._close_with(_BAD)
                return
            words = self._buffer[: self._buffer.find(b"\r\n")].split(b" ")
            if len(words) != 3:
                self._close_with(_BAD)
                return
            if not words[1].startswith(b"/authz/"):
                self._hand_over(self._transport, self._buffer)
                return
            head, self._buffer = self._buffer[: end + 2], self._buffer[end + 4 :]
            if not self._has_no_body(head):
                self._close_with(_BAD)
                return
            self._ask(words[0], words[1], head)

    def _has_no_body(self, head: bytes) -> bool:
        """Tell whether a question ends with its head; Envoy asks without the body of the request."""
        begin = head.find(_LENGTH)
        length = b"0" if begin < 0 else head[begin + len(_LENGTH) : head.find(b"\r\n", begin + 2)]
        return length == b"0" and b"\r\ntransfer-encoding:" not in head

    def _ask(self, method: bytes, target: bytes, head: bytes) -> None:
        answer = self._questions.answer(method, target, head)
        if isinstance(answer, bytes):
            self._transport.write(answer)
        else:
            limits = self._questions.about(method, target)
            self._waiting = asyncio.ensure_future(self._wait(limits, answer))

    async def _wait(self, limits: tuple[Counted, ...], outcome: Awaitable[Outcome]) -> None:
        try:
            answer = self._questions.written(limits, await outcome)
        except NobodyCounts:
            answer = answers.UNKNOWN
        self._waiting = None
        if not self._transport.is_closing():
            self._transport.write(answer)
            self._go_on()

    def _close_with(self, answer: bytes) -> None:
        self._buffer = b""
        self._transport.write(answer)
        self._transport.close()
