"""Sends requests when they are due."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.testing.load.connection import Connection, Failed, IdleConnections
from drystone.testing.load.http2_requests import Http2Requests
from drystone.testing.load.report import Failure, Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from drystone.testing.load.answer import Answer

_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_FIELDS = {"host", "connection", "content-length", "transfer-encoding"}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, and how often.

    Attributes:
        url: ``http://host[:port]/path``. Names below ``localhost`` are this machine (RFC 6761 section 6.3).
        rate: Requests per second.
        length: How long requests are sent; the answers to the last of them are waited for.
        timeout: How long one request may take, connecting included.
        reused: Share of the requests that go over kept connections.
        method: The request's method.
        headers: More request headers.
        body: The request's body.
        protocol: HTTP/1.1, or HTTP/2 with prior knowledge: the reused share then goes side by side over two
            connections.
        version_header: Where an answer tells the version that gave it.
        version_pattern: Regular expression whose first group finds the version in the body of an
            answer without that header.
        most_waiting: How many requests may wait for answers at a time; those above are not sent and
            count as failed.
    """

    url: str
    rate: float
    length: timedelta
    timeout: timedelta = timedelta(seconds=10)
    reused: float = 0.5
    method: str = "GET"
    headers: dict[str, str] = {}
    body: bytes = b""
    protocol: Literal["http1", "http2"] = "http1"
    version_header: str = "x-version"
    version_pattern: str | None = None
    most_waiting: int = 2000


async def run(
    load: Load,
    *,
    stop: asyncio.Event | None = None,
    observe: Callable[[Outcome], None] | None = None,
) -> Report:
    """Send the load and report what became of every request.

    Args:
        load: What to send.
        stop: Ends the run early when set; requests under way are waited for.
        observe: Called with each outcome as it happens.

    Raises:
        Invalid: The load cannot be sent: not an http URL, no rate, a header that is none.
    """
    return await _Run(load, observe or (lambda outcome: None)).go(stop or asyncio.Event())


class _Run:
    """One run: the schedule, the kept connections and the outcomes."""

    def __init__(self, load: Load, observe: Callable[[Outcome], None]) -> None:
        if not load.rate > 0 or not 0 <= load.reused <= 1:
            raise Invalid("the rate must be above 0 and the share of reused connections 0 to 1")
        self._load = load
        self._observe = observe
        self._host, self._port, target, authority = parts_of(load.url)
        self._kept_request = _request(load, target, authority, keep=True)
        self._single_request = _request(load, target, authority, keep=False)
        self._http2 = Http2Requests(
            (self._host, self._port),
            method=load.method,
            target=target,
            headers={"host": authority, **{n.lower(): value for n, value in load.headers.items()}},
            body=load.body,
        )
        self._version = _pattern(load.version_pattern)
        self._idle = IdleConnections()
        self._outcomes: list[Outcome] = []
        self._behind = 0.0
        self._waiting = 0
        self._start = 0.0

    async def go(self, stop: asyncio.Event) -> Report:
        loop = asyncio.get_running_loop()
        started, self._start = datetime.now(UTC), loop.time()
        number, owed = 0, 0.0
        try:
            async with asyncio.TaskGroup() as group:
                while (offset := number / self._load.rate) < self._load.length.total_seconds():
                    if await set_before(stop, self._start + offset):
                        break
                    owed += self._load.reused
                    keep = owed >= 1
                    owed -= keep
                    self._send(group, offset, keep=keep)
                    number += 1
        finally:
            self._idle.close()
            self._http2.close()
            await asyncio.sleep(0)  # the transports close in the next turn of the loop
        return Report(
            url=self._load.url,
            rate=self._load.rate,
            started=started,
            outcomes=tuple(self._outcomes),
            idle_closed=self._idle.closed,
            behind=timedelta(seconds=self._behind),
        )

    def _send(self, group: asyncio.TaskGroup, offset: float, *, keep: bool) -> None:
        now = asyncio.get_running_loop().time() - self._start
        self._behind = max(self._behind, now - offset)
        if self._waiting >= self._load.most_waiting:
            detail = f"{self._waiting} requests wait for answers"
            self._record(offset, reused=False, failure=Failure.UNSENT, detail=detail)
            return
        self._waiting += 1
        group.create_task(self._one(offset, keep=keep))

    async def _one(self, offset: float, *, keep: bool) -> None:
        is_http2 = self._load.protocol == "http2"
        kept = self._idle.take() if keep and not is_http2 else None
        reused = keep if is_http2 else kept is not None
        try:
            async with asyncio.timeout(self._load.timeout.total_seconds()):
                if is_http2:
                    answer = await self._http2.ask(keep=keep)
                else:
                    connection = kept or await Connection.open(self._host, self._port)
                    answer = await self._exchange(connection, keep=keep)
        except Failed as e:
            self._record(offset, reused=reused, failure=e.failure, detail=e.detail)
        except TimeoutError:
            self._record(offset, reused=reused, failure=Failure.TIMEOUT)
        else:
            self._record_answer(offset, answer, reused=reused)
        finally:
            self._waiting -= 1

    async def _exchange(self, connection: Connection, *, keep: bool) -> Answer:
        request = self._kept_request if keep else self._single_request
        answer = await connection.exchange(request, without_body=self._load.method == "HEAD")
        if keep and connection.is_usable:
            self._idle.keep(connection)
        else:
            self._idle.closed += keep and not answer.closes
            connection.close()
        return answer

    def _record_answer(self, offset: float, answer: Answer, *, reused: bool) -> None:
        version = answer.headers.get(self._load.version_header.lower())
        if version is None and self._version is not None:
            found = self._version.search(answer.body.decode(errors="replace"))
            version = found.group(1) if found else None
        failure = Failure.STATUS if answer.status >= 400 else None
        detail = answer.body[:200].decode(errors="replace") if failure else ""
        self._record(
            offset,
            reused=reused,
            failure=failure,
            detail=detail,
            status=answer.status,
            version=version,
        )

    def _record(
        self,
        offset: float,
        *,
        reused: bool,
        failure: Failure | None,
        detail: str = "",
        status: int | None = None,
        version: str | None = None,
    ) -> None:
        ended = asyncio.get_running_loop().time() - self._start
        outcome = Outcome(
            at=timedelta(seconds=offset),
            took=timedelta(seconds=ended - offset),
            reused=reused,
            status=status,
            version=version,
            failure=failure,
            detail=detail,
        )
        self._outcomes.append(outcome)
        self._observe(outcome)


async def set_before(event: asyncio.Event, moment: float) -> bool:
    """Wait until the loop's clock shows the moment; True at once when the event is set before."""
    try:
        async with asyncio.timeout_at(moment):
            return await event.wait()
    except TimeoutError:
        return event.is_set()


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as e:
        raise Invalid(f"the version pattern {text!r} is no regular expression: {e}") from e
    if pattern.groups < 1:
        raise Invalid(f"the version pattern {text!r} has no group that finds the version")
    return pattern


def parts_of(url: str) -> tuple[str, int, str, str]:
    """Return host and port to connect to, the request's target, and its Host header."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 80
    except ValueError as e:
        raise Invalid(f"{url!r} is not a URL: {e}") from e
    if parts.scheme != "http" or not host or parts.username is not None:
        raise Invalid(f"{url!r} cannot be loaded; give http://host:port/path")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _is_text(url) or " " in url:
        raise Invalid(f"{url!r} holds characters that a request line cannot; percent-encode them")
    if host == "localhost" or host.endswith(".localhost"):
        host = "127.0.0.1"
    return host, port, target, parts.netloc


def _is_text(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _request(load: Load, target: str, authority: str, *, keep: bool) -> bytes:
    if not _FIELD.fullmatch(load.method):
        raise Invalid(f"{load.method!r} is not a method")
    lines = [f"{load.method} {target} HTTP/1.1", f"host: {authority}"]
    for name, value in load.headers.items():
        if not _FIELD.fullmatch(name) or name.lower() in _OWN_FIELDS or not _is_text(value):
            raise Invalid(f"the header {name!r} cannot be sent; the generator sets its own framing")
        lines.append(f"{name}: {value}")
    if load.body or load.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"content-length: {len(load.body)}")
    if not keep:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + load.body
