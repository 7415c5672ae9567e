"""What each kind of stream says and expects; the talker (``drystone.testing.talker``) is made to answer it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum

import msgspec

from drystone.testing.load.exchange import Broken, Exchange, Head
from drystone.testing.load.links import Http1Link, Link
from drystone.testing.load.stream_report import StreamEnd
from drystone.testing.load.websocket import WebSocket

PIECES = 50
PATTERN = bytes(range(256)) * 257
"""What a download repeats; as long as the longest part that is received at a time, from any start."""


class Kind(StrEnum):
    """Kinds of streams."""

    EVENTS = "events"
    """Server-sent events: ``id`` counts from 0. The client leaves."""
    DOWNLOAD = "download"
    """A body with its length, of the bytes 0 to 255 over and over. It ends by itself."""
    UPLOAD = "upload"
    """A body that is sent in pieces; the answer is its length and its SHA-256."""
    WEBSOCKET = "websocket"
    """Texts that count from 0, and each one back with the version behind it. The client closes."""
    UNARY = "grpc-unary"
    """A call with the seconds to wait in it; the reply is ``0 VERSION``."""
    COUNT = "grpc-server-streaming"
    """A call with the seconds between two messages in it; those are ``n VERSION``. The client leaves."""
    ECHO = "grpc-bidirectional"
    """Messages that count from 0, and each one back with the version behind it. The client ends."""


class Ended(Exception):
    """A stream ended otherwise than it should; the text says how."""

    def __init__(self, end: StreamEnd, detail: str) -> None:
        super().__init__(f"{end}: {detail}")
        self.end = end
        self.detail = detail


class Talk:
    """One stream as far as it has come.

    Args:
        target: Path and query.
        headers: Of the request.
        lasts: How long it is to last.
        every: Time between two messages.
        size: Bytes of an upload.
    """

    def __init__(
        self,
        target: str,
        headers: dict[str, str],
        *,
        lasts: timedelta,
        every: timedelta,
        size: int,
    ) -> None:
        self.target = target
        self.headers = headers
        self.lasts = lasts
        self.every = every.total_seconds()
        self.size = size
        self.version: str | None = None
        self.messages = 0
        self.silence = 0.0
        self.began: float | None = None
        self._last = asyncio.get_running_loop().time()
        self._until = self._last + lasts.total_seconds()

    @property
    def is_over(self) -> bool:
        """Whether it has lasted as long as it is to last."""
        return asyncio.get_running_loop().time() >= self._until

    @property
    def since_last(self) -> float:
        """Seconds since something came, or since it began."""
        return asyncio.get_running_loop().time() - self._last

    def take(self, head: Head, *, success: int = 200) -> None:
        """Take note of the head of the answer."""
        self.version = head.headers.get("x-version")
        if head.status != success:
            raise Ended(StreamEnd.REFUSED, f"status {head.status}")

    def came(self, count: int = 1) -> None:
        """Take note that a message came, or so many bytes."""
        now = asyncio.get_running_loop().time()
        if self.began is None:
            self.began = now
        else:
            self.silence = max(self.silence, now - self._last)
        self._last = now
        self.messages += count

    def expect(self, number: object) -> None:
        """Refuse a message that is not the next one."""
        if str(number) != str(self.messages):
            raise Ended(StreamEnd.WRONG, f"message {number} in place of {self.messages}")


async def events(link: Link, talk: Talk) -> None:
    """Listen to events and leave when it is time."""
    asked = {**talk.headers, "accept": "text/event-stream"}
    exchange = await link.begin("GET", talk.target, asked, end=True)
    try:
        talk.take(await exchange.head())
        held = b""
        while not talk.is_over:
            data = await exchange.receive()
            if not data:
                raise Ended(StreamEnd.CUT, "the events ended")
            *whole, held = (held + data).split(b"\n\n")
            for event in whole:
                lines = (line.partition(b": ") for line in event.split(b"\n"))
                talk.expect({name: value for name, _, value in lines}[b"id"].decode())
                talk.came()
    finally:
        exchange.close()


async def download(link: Link, talk: Talk) -> None:
    """Take a whole body and look at every byte."""
    exchange = await link.begin("GET", talk.target, talk.headers, end=True)
    try:
        head = await exchange.head()
        talk.take(head)
        size = int(head.headers["content-length"])
        while talk.messages < size:
            data = await exchange.receive()
            start = talk.messages % 256
            if not data or data != PATTERN[start : start + len(data)]:
                detail = "changed content" if data else f"{size - talk.messages} bytes are missing"
                raise Ended(StreamEnd.WRONG if data else StreamEnd.CUT, detail)
            talk.came(len(data))
    finally:
        exchange.close()


async def upload(link: Link, talk: Talk) -> None:
    """Send a body in pieces, evenly over the time, and compare what has arrived."""
    asked = {**talk.headers, "content-length": str(talk.size)}
    exchange = await link.begin("PUT", talk.target, asked, end=False)
    digest = hashlib.sha256()
    piece = -(-talk.size // PIECES)
    try:
        while talk.messages < talk.size:
            data = bytes(min(piece, talk.size - talk.messages))
            digest.update(data)
            await exchange.send(data, end=talk.messages + len(data) == talk.size)
            talk.came(len(data))
            await asyncio.sleep(talk.lasts.total_seconds() / PIECES)
        talk.take(await exchange.head())
        answer = b""
        while data := await exchange.receive():
            answer += data
        if answer.decode() != f"{talk.size} {digest.hexdigest()}":
            raise Ended(StreamEnd.WRONG, f"what arrived is {answer[:100]!r}")
    finally:
        exchange.close()


async def websocket(link: Link, talk: Talk) -> None:
    """Send messages and get each of them back."""
    assert isinstance(link, Http1Link)  # noqa: S101 - how the runner chooses
    socket = await WebSocket.open(link.host, link.port, talk.target, talk.headers)
    if isinstance(socket, Head):
        return talk.take(socket, success=101)
    try:
        talk.take(socket.head, success=101)
        while not talk.is_over:
            await socket.send(str(talk.messages))
            number, _, talk.version = (await socket.receive()).partition(" ")
            talk.expect(number)
            talk.came()
            await asyncio.sleep(talk.every)
        await socket.goodbye()
    finally:
        socket.close()


# gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)


class _Call:
    """A gRPC call whose messages are texts."""

    def __init__(self, exchange: Exchange, talk: Talk) -> None:
        self._exchange = exchange
        self._talk = talk
        self._held = bytearray()
        self._is_begun = False

    async def send(self, text: str, *, end: bool = False) -> None:
        message = b"\0" + len(text).to_bytes(4, "big") + text.encode()
        try:
            await self._exchange.send(message, end=end)
        except Broken as e:
            while await self._exchange.receive():  # the other side's goodbye may be there already
                pass
            raise Ended(StreamEnd.CUT, _status(self._exchange.trailers)) from e

    async def receive(self) -> None:
        """Take the next message.

        Raises:
            Ended: There is none; the text says with which status the call ended.
        """
        if not self._is_begun:
            await self._begin()
        while not (whole := _message(self._held)):
            if not (data := await self._exchange.receive()):
                end = StreamEnd.CUT if self._talk.messages else StreamEnd.REFUSED
                raise Ended(end, _status(self._exchange.trailers))
            self._held += data
        del self._held[: len(whole)]
        number, _, self._talk.version = whole[5:].decode().partition(" ")
        self._talk.expect(number)
        self._talk.came()

    async def _begin(self) -> None:
        self._is_begun = True
        head = await self._exchange.head()
        self._talk.take(head)
        if "grpc-status" in head.headers:
            raise Ended(StreamEnd.REFUSED, _status(head.headers))

    async def end(self) -> None:
        """Take the end, which must be a good one."""
        while await self._exchange.receive():
            pass
        if self._exchange.trailers.get("grpc-status") != "0":
            raise Ended(StreamEnd.CUT, _status(self._exchange.trailers))


def _message(held: bytearray) -> bytes:
    """Return the first whole message with its head, or nothing."""
    size = 5 + int.from_bytes(held[1:5], "big")
    return bytes(held[:size]) if 5 <= size <= len(held) else b""


def _status(fields: object) -> str:
    found = msgspec.convert(fields, dict[str, str])
    return f"grpc-status {found.get('grpc-status')} {found.get('grpc-message', '')}".strip()


async def _called(link: Link, talk: Talk) -> Exchange:
    asked = {**talk.headers, "content-type": "application/grpc", "te": "trailers"}
    return await link.begin("POST", talk.target, asked, end=False)


async def unary(link: Link, talk: Talk) -> None:
    """Call and wait for the reply."""
    exchange = await _called(link, talk)
    try:
        call = _Call(exchange, talk)
        await call.send(str(talk.lasts.total_seconds()), end=True)
        await call.receive()
        await call.end()
    finally:
        exchange.close()


async def count(link: Link, talk: Talk) -> None:
    """Listen to messages and leave when it is time."""
    exchange = await _called(link, talk)
    try:
        call = _Call(exchange, talk)
        await call.send(str(talk.every), end=True)
        while not talk.is_over:
            await call.receive()
    finally:
        exchange.close()


async def echo(link: Link, talk: Talk) -> None:
    """Send messages, get each of them back, and end in the orderly way."""
    exchange = await _called(link, talk)
    try:
        call = _Call(exchange, talk)
        while not talk.is_over:
            await call.send(str(talk.messages))
            await call.receive()
            await asyncio.sleep(talk.every)
        await exchange.send(b"", end=True)
        await call.end()
    finally:
        exchange.close()


CONVERSATIONS: dict[Kind, Callable[[Link, Talk], Awaitable[None]]] = {
    Kind.EVENTS: events,
    Kind.DOWNLOAD: download,
    Kind.UPLOAD: upload,
    Kind.WEBSOCKET: websocket,
    Kind.UNARY: unary,
    Kind.COUNT: count,
    Kind.ECHO: echo,
}


async def hold(kind: Kind, link: Link, talk: Talk, patience: timedelta) -> None:
    """Hold a conversation to its end.

    Args:
        kind: Which.
        link: Where it begins.
        talk: Takes note of how far it has come.
        patience: How long nothing may come.

    Raises:
        Ended: It ended otherwise than it should.
    """
    if kind is Kind.UNARY:
        patience += talk.lasts
    holding = asyncio.ensure_future(CONVERSATIONS[kind](link, talk))
    try:
        while not holding.done():
            left = patience.total_seconds() - talk.since_last
            if left <= 0:
                raise Ended(StreamEnd.TIMEOUT, f"nothing for {patience.total_seconds():g} s")
            await asyncio.wait({holding}, timeout=left)
        holding.result()
    except Broken as e:
        raise Ended(StreamEnd.CUT if talk.messages else StreamEnd.BROKEN, str(e)) from e
    finally:
        holding.cancel()
        await asyncio.wait({holding})
