"""Begins streams when they are due, whatever became of the ones before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.testing.load.conversations import Ended, Kind, Talk, hold
from drystone.testing.load.generator import parts_of, set_before
from drystone.testing.load.links import Http1Link, Http2Link, Link
from drystone.testing.load.stream_report import StreamEnd, StreamOutcome, StreamReport

_CALLS = {Kind.UNARY, Kind.COUNT, Kind.ECHO}


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """Which streams to begin, and how often.

    Attributes:
        url: ``http://host[:port]/path`` as for :class:`~drystone.testing.load.Load`; of a gRPC call the path is the method.
        kind: What is said and expected.
        rate: Streams per second.
        length: How long streams are begun; those under way are held to their end.
        lasts: How long one lives. Downloads live as long as the server makes them.
        every: Time between two messages, where the client decides.
        size: Bytes of an upload.
        protocol: In which events, downloads and uploads are asked for. gRPC takes HTTP/2, a WebSocket HTTP/1.1.
        connections: How many connections carry all the streams in HTTP/2; in HTTP/1.1 each has its own.
        patience: How long nothing may come.
        headers: More request headers.
    """

    url: str
    kind: Kind
    rate: float
    length: timedelta
    lasts: timedelta = timedelta(seconds=1.5)
    every: timedelta = timedelta(milliseconds=50)
    size: int = 1 << 20
    protocol: Literal["http1", "http2"] = "http1"
    connections: int = 2
    patience: timedelta = timedelta(seconds=10)
    headers: dict[str, str] = {}


async def run_streams(
    streams: Streams,
    *,
    stop: asyncio.Event | None = None,
    observe: Callable[[StreamOutcome], None] | None = None,
) -> StreamReport:
    """Begin the streams and report what became of each.

    Args:
        streams: What to begin.
        stop: No more are begun once it is set; those under way are held to their end.
        observe: Called with each outcome as it happens.

    Raises:
        Invalid: The streams cannot be begun: not an http URL, no rate.
    """
    host, port, target, authority = parts_of(streams.url)
    if not streams.rate > 0:
        raise Invalid(f"{streams.rate} streams per second cannot be begun")
    is_http2 = streams.kind in _CALLS or streams.protocol == "http2"
    link: Link
    if is_http2 and streams.kind is not Kind.WEBSOCKET:
        link = Http2Link(host, port, connections=streams.connections)
    else:
        link = Http1Link(host, port)
    go = _Run(streams, link, target, authority, observe or (lambda outcome: None))
    try:
        return await go.through(stop or asyncio.Event())
    finally:
        link.close()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop


class _Run:
    """One run: the schedule and the outcomes."""

    def __init__(
        self,
        streams: Streams,
        link: Link,
        target: str,
        authority: str,
        observe: Callable[[StreamOutcome], None],
    ) -> None:
        self._streams = streams
        self._link = link
        self._target = target
        self._headers = {"host": authority, **streams.headers}
        self._observe = observe
        self._outcomes: list[StreamOutcome] = []
        self._behind = 0.0
        self._start = asyncio.get_running_loop().time()

    async def through(self, stop: asyncio.Event) -> StreamReport:
        streams, started, number = self._streams, datetime.now(UTC), 0
        async with asyncio.TaskGroup() as group:
            while (offset := number / streams.rate) < streams.length.total_seconds():
                if await set_before(stop, self._start + offset):
                    break
                now = asyncio.get_running_loop().time() - self._start
                self._behind = max(self._behind, now - offset)
                group.create_task(self._one(offset))
                number += 1
        return StreamReport(
            url=streams.url,
            kind=str(streams.kind),
            rate=streams.rate,
            started=started,
            outcomes=tuple(self._outcomes),
            connections=self._link.opened if isinstance(self._link, Http2Link) else number,
            behind=timedelta(seconds=self._behind),
        )

    async def _one(self, offset: float) -> None:
        plan = self._streams
        talk = Talk(
            self._target,
            self._headers,
            lasts=plan.lasts,
            every=plan.every,
            size=plan.size,
        )
        end, detail = None, ""
        try:
            await hold(plan.kind, self._link, talk, plan.patience)
        except Ended as e:
            end, detail = e.end, e.detail
        self._record(offset, talk, end, detail)

    def _record(self, offset: float, talk: Talk, end: StreamEnd | None, detail: str) -> None:
        due = self._start + offset
        outcome = StreamOutcome(
            at=timedelta(seconds=offset),
            began=None if talk.began is None else timedelta(seconds=talk.began - due),
            took=timedelta(seconds=asyncio.get_running_loop().time() - due),
            messages=talk.messages,
            silence=timedelta(seconds=talk.silence),
            version=talk.version,
            end=end,
            detail=detail,
        )
        self._outcomes.append(outcome)
        self._observe(outcome)
