"""One request over HTTP/2 with prior knowledge (RFC 9113 section 3.3), on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import msgspec

from drystone.l10_engines.namespaces import connect

LARGEST_BODY = 64 * 1024
PART = 16 * 1024


class Http2Answer(msgspec.Struct, frozen=True):
    """A whole answer.

    Attributes:
        status: The status code.
        headers: Headers and trailers, by lower-case name.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


async def exchange(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    network: Path | None = None,
) -> Http2Answer:
    """Send a request to 127.0.0.1 and return the answer once it is whole.

    Raises:
        NetworkLost: The network in which to ask is not there.
        OSError: There is no connection, or it ended before the answer did.
        ValueError: What came is no HTTP/2, or far too long.
    """
    reader, writer = await connect(port, network)
    try:
        return await _Client(reader, writer).ask(
            [
                (":method", method),
                (":scheme", "http"),
                (":path", path.encode("ascii").decode()),
                (":authority", f"127.0.0.1:{port}"),
                *headers.items(),
            ],
            body,
        )
    except h2.exceptions.ProtocolError as e:
        raise ValueError(f"the answer is not HTTP/2: {e or type(e).__name__}") from e
    finally:
        writer.close()


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._state = h2.connection.H2Connection(config)
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    async def ask(self, headers: list[tuple[str, str]], body: bytes) -> Http2Answer:
        self._state.initiate_connection()
        number = self._state.get_next_available_stream_id()
        self._state.send_headers(number, headers, end_stream=not body)
        if body:
            self._state.send_data(number, body, end_stream=True)
        while True:
            self._writer.write(self._state.data_to_send())
            data = await self._reader.read(PART)
            if not data:
                raise ConnectionResetError("the connection was closed without an answer")
            if data.startswith(b"HTTP/1."):
                raise ValueError(f"the answer is HTTP/1, not HTTP/2: {data[:40]!r}")
            if any(self._is_end(event) for event in self._state.receive_data(data)):
                status = int(self._headers.pop(":status"))
                return Http2Answer(status, self._headers, bytes(self._body))

    def _is_end(self, event: h2.events.Event) -> bool:
        """Take an event; tell whether it ends the answer."""
        match event:
            case (
                h2.events.ResponseReceived(headers=headers)
                | h2.events.TrailersReceived(headers=headers)
            ):
                self._headers |= {str(name): str(value) for name, value in headers or ()}
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=size):
                self._state.acknowledge_received_data(size or 0, number)
                self._body += data or b""
                if len(self._body) > LARGEST_BODY:
                    raise ValueError(f"the answer is longer than {LARGEST_BODY} bytes")
            case h2.events.StreamReset(error_code=code):
                raise ConnectionResetError(f"the request was reset with {code!r}")
            case h2.events.ConnectionTerminated(error_code=code):
                raise ConnectionResetError(f"the connection was ended with {code!r}")
        return isinstance(event, h2.events.StreamEnded)
