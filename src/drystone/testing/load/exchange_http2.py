"""Exchanges side by side on one connection, in HTTP/2 with prior knowledge (RFC 9113)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from typing_extensions import override

from drystone.testing.load.exchange import Broken, Exchange, Head

WINDOW = 1 << 20
"""How much each stream, and four times as much the connection, may send that nobody has read."""

FRAME_HEAD = 9
GOAWAY = 7


class Http2Exchange(Exchange):
    """A request that is one stream of a connection."""

    def __init__(self, connection: Http2Connection, number: int) -> None:
        self._connection = connection
        self.number = number
        self._head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._body: asyncio.Queue[bytes | Broken] = asyncio.Queue()
        self._is_over = False

    @override
    async def send(self, data: bytes, *, end: bool = False) -> None:
        await self._connection.send(self.number, data, end=end)

    @override
    async def head(self) -> Head:
        return await asyncio.shield(self._head)

    @override
    async def receive(self) -> bytes:
        if self._is_over and self._body.empty():
            return b""
        data = await self._body.get()
        if isinstance(data, Broken):
            raise data
        if data:
            self._connection.has_read(self.number, len(data))
        return data

    @override
    def close(self) -> None:
        self._connection.give_up(self.number)

    def began(self, head: Head) -> None:
        """Take the head of the answer."""
        if not self._head.done():
            self._head.set_result(head)

    def came(self, data: bytes) -> None:
        """Take a part of the body; an empty one is the end."""
        self._is_over = not data
        self._body.put_nowait(data)

    def broke(self, how: str) -> None:
        """Take note that nothing more comes."""
        if not self._head.done():
            self._head.set_exception(Broken(how))
            self._head.exception()  # whoever only reads the body is told there
        self._body.put_nowait(Broken(how))


class Http2Connection(asyncio.Protocol):
    """A connection and its exchanges."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._state = h2.connection.H2Connection(config)
        self._transport: asyncio.Transport | None = None
        self._exchanges: dict[int, Http2Exchange] = {}
        self._received = bytearray()
        self._room = asyncio.Event()
        self._said_settings = asyncio.Event()
        self.is_open = False
        """Whether it takes new requests: the other side has neither closed it nor said goodbye."""

    @classmethod
    async def open(cls, host: str, port: int) -> Http2Connection:
        """Connect, and wait until the other side has said what it allows.

        Raises:
            Broken: Nobody accepts connections there, or who does speaks no HTTP/2.
        """
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(cls, host, port)
        except OSError as e:
            raise Broken(f"no connection: {e}") from e
        await connection.until_settled()
        if not connection.is_open:
            raise Broken("closed before the settings")
        return connection

    async def until_settled(self) -> None:
        """Wait until the other side has said what it allows, or has closed."""
        await self._said_settings.wait()

    @property
    def has_room(self) -> bool:
        """Whether the other side takes one more stream now."""
        most = self._state.remote_settings.max_concurrent_streams
        return self.is_open and self._state.open_outbound_streams < most

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._exchanges

    def begin(
        self, method: str, target: str, headers: Mapping[str, str], *, end: bool
    ) -> Http2Exchange:
        """Send the head of a request.

        Args:
            method: Its method.
            target: Its path and query.
            headers: Its headers; ``host`` becomes the authority.
            end: It has no body.

        Raises:
            Broken: The connection takes no more.
        """
        if not self.is_open:
            raise Broken("the connection was closed before the request")
        fields = [(":method", method), (":scheme", "http"), (":path", target)]
        fields += [
            (":authority" if name == "host" else name, value) for name, value in headers.items()
        ]
        fields.sort(key=lambda field: not field[0].startswith(":"))
        number = self._state.get_next_available_stream_id()
        try:
            self._state.send_headers(number, fields, end_stream=end)
        except h2.exceptions.ProtocolError as e:
            raise Broken(f"not to be sent: {e}") from e
        exchange = self._exchanges[number] = Http2Exchange(self, number)
        self._flush()
        return exchange

    async def send(self, number: int, data: bytes, *, end: bool) -> None:
        """Send a part of a body within what the other side has room for."""
        try:
            while data:
                room = self._state.local_flow_control_window(number)
                if room > 0:
                    size = min(room, self._state.max_outbound_frame_size)
                    self._state.send_data(number, data[:size])
                    data = data[size:]
                    self._flush()
                else:
                    self._room.clear()
                    await self._room.wait()
            if end:
                self._state.end_stream(number)
                self._flush()
        except h2.exceptions.ProtocolError as e:
            raise Broken(f"broken while sending: {e}") from e

    def has_read(self, number: int, size: int) -> None:
        """Let the other side send as much again."""
        if self.is_open or number in self._exchanges:
            try:
                self._state.acknowledge_received_data(size, number)
            except h2.exceptions.ProtocolError:
                return  # the connection has ended meanwhile
            self._flush()

    def give_up(self, number: int) -> None:
        """Reset a stream that has not ended."""
        if self._exchanges.pop(number, None) is None:
            return
        try:
            self._state.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.ProtocolError:
            return
        self._flush()

    def close(self) -> None:
        """Close at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None and (data := self._state.data_to_send()):
            self._transport.write(data)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._state.initiate_connection()
        self._state.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self._state.increment_flow_control_window(4 * WINDOW)
        self.is_open = True
        self._flush()

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            for event in self._state.receive_data(self._frames()):
                self._take(event)
        except h2.exceptions.ProtocolError as e:
            self._end(f"no HTTP/2: {e}")
            self.close()
            return
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end("closed" if exc is None else f"reset: {exc}")

    def _frames(self) -> bytes:
        """Take the whole frames that have arrived, without polite goodbyes.

        After any GOAWAY the library reads nothing more. One without an error (RFC 9113 section 6.8) only says that the
        connection takes no new streams; those up to the one that it names go on.
        """
        taken = bytearray()
        while len(self._received) >= FRAME_HEAD:
            size = FRAME_HEAD + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            frame = bytes(self._received[:size])
            del self._received[:size]
            if frame[3] == GOAWAY and not any(frame[FRAME_HEAD + 4 : FRAME_HEAD + 8]):
                self._say_farewell(int.from_bytes(frame[FRAME_HEAD : FRAME_HEAD + 4], "big"))
            else:
                taken += frame
        return bytes(taken)

    def _say_farewell(self, last: int) -> None:
        self.is_open = False
        for number in [number for number in self._exchanges if number > last]:
            self._exchanges.pop(number).broke("refused: the connection takes no more streams")

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ConnectionTerminated():
                self._end(f"the connection was ended: {event}")
            case h2.events.RemoteSettingsChanged() | h2.events.WindowUpdated():
                self._said_settings.set()
                self._room.set()
        exchange = self._exchanges.get(getattr(event, "stream_id", None) or 0)
        if exchange is not None:
            self._tell(exchange, event)

    def _tell(self, exchange: Http2Exchange, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(headers=headers):
                named = {str(name): str(value) for name, value in headers or ()}
                exchange.began(Head(int(named.pop(":status")), named))
            case h2.events.DataReceived(data=data, flow_controlled_length=size):
                if padding := (size or 0) - len(data or b""):
                    self._state.acknowledge_received_data(padding, exchange.number)
                if data:
                    exchange.came(data)
            case h2.events.TrailersReceived(headers=headers):
                exchange.trailers = {str(name): str(value) for name, value in headers or ()}
            case h2.events.StreamEnded():
                self._exchanges.pop(exchange.number, None)
                exchange.came(b"")
            case h2.events.StreamReset(error_code=code):
                self._exchanges.pop(exchange.number, None)
                exchange.broke(f"reset: {_name(code)}")
                self._room.set()

    def _end(self, how: str) -> None:
        self.is_open = False
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.broke(how)
        self._room.set()
        self._said_settings.set()


def _name(code: object) -> str:
    return code.name if isinstance(code, h2.errors.ErrorCodes) else str(code)
