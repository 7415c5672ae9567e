"""HTTP/2 with prior knowledge (RFC 9113 section 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from typing_extensions import override

from drystone.testing.talker.answers import answer
from drystone.testing.talker.exchange import VERSION, Exchange


class Http2(Exchange):
    """An exchange over HTTP/2."""

    protocol = "http2"

    def __init__(
        self, connection: Http2Connection, number: int, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self.number = number
        self.method, self.target = headers[":method"], headers[":path"]
        self.headers = headers
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()

    @override
    async def body(self) -> AsyncIterator[bytes]:
        while data := await self.incoming.get():
            yield data

    @override
    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        sent = {":status": str(status), **headers, "x-version": VERSION, "x-protocol": "http2"}
        self._connection.state.send_headers(self.number, list(sent.items()))
        await self._connection.flush()

    @override
    async def send(self, data: bytes) -> None:
        await self._connection.send(self.number, data)

    @override
    async def end(self, trailers: Mapping[str, str] | None = None) -> None:
        state = self._connection.state
        if trailers:
            state.send_headers(self.number, list(trailers.items()), end_stream=True)
        else:
            state.end_stream(self.number)
        await self._connection.flush()


class Http2Connection:
    """The exchanges of one connection, side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.state = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._reader = reader
        self._writer = writer
        self._room = asyncio.Condition()
        self._exchanges: dict[int, Http2] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self, begun: bytes) -> None:
        """Answer until the other side closes."""
        self.state.initiate_connection()
        data = begun
        try:
            while data:
                for event in self.state.receive_data(data):
                    await self._take(event)
                await self.flush()
                data = await self._reader.read(1 << 16)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=number, headers=headers):
                named = {str(name): str(value) for name, value in headers or ()}
                self._exchanges[number] = Http2(self, number, named)
                self._tasks[number] = asyncio.create_task(self._answer(self._exchanges[number]))
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=size):
                self.state.acknowledge_received_data(size or 0, number)
                if data and number in self._exchanges:
                    self._exchanges[number].incoming.put_nowait(data)
            case h2.events.StreamEnded(stream_id=number) if number in self._exchanges:
                self._exchanges[number].incoming.put_nowait(b"")
            case h2.events.StreamReset(stream_id=number) if number in self._tasks:
                self._tasks[number].cancel()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                async with self._room:
                    self._room.notify_all()

    async def _answer(self, x: Http2) -> None:
        try:
            await answer(x)
        except (h2.exceptions.ProtocolError, ConnectionError, StopAsyncIteration):
            pass  # the other side has gone
        finally:
            self._exchanges.pop(x.number, None)
            self._tasks.pop(x.number, None)

    async def send(self, number: int, data: bytes) -> None:
        """Send within what the other side has room for."""
        while data:
            async with self._room:
                await self._room.wait_for(lambda: self.state.local_flow_control_window(number) > 0)
                room = min(
                    self.state.local_flow_control_window(number),
                    self.state.max_outbound_frame_size,
                )
                self.state.send_data(number, data[:room])
                data = data[room:]
            await self.flush()

    async def flush(self) -> None:
        """Send what is to be sent."""
        self._writer.write(self.state.data_to_send())
        await self._writer.drain()
