"""Other sides that prove who they are, and speak HTTP/1.1 or HTTP/2."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import h2.config
import h2.connection
import h2.events
from typing_extensions import override

from drystone.l10_engines.certificates import make_authority, make_certificate
from l10_engines.proxy.upstream import Upstream

NAME = "there.example"


def proof(folder: Path, *protocols: str) -> tuple[ssl.SSLContext, Path]:
    """Make what a server called :data:`NAME` shows, and the file with who has signed it."""
    authority = make_authority("test", life=timedelta(hours=1))
    pair = make_certificate(NAME, authority=authority, life=timedelta(hours=1), domains=[NAME])
    for name, content in (
        ("authority", authority.certificate),
        ("certificate", pair.certificate),
        ("key", pair.key),
    ):
        (folder / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    context.set_alpn_protocols(list(protocols))
    return context, folder / "authority"


class Http2Upstream(Upstream):
    """Answers every request with its name, over HTTP/2."""

    @override
    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    told = {bytes(k).decode(): bytes(v).decode() for k, v in event.headers or []}
                    self.seen[f"{told[':method']} {told[':path']}"] += 1
                    self.told.update(told)
                    assert event.stream_id is not None
                    has_body = told[":method"] != "HEAD"
                    connection.send_headers(
                        event.stream_id,
                        [(":status", "200"), ("x-version", self.name)],
                        end_stream=not has_body,
                    )
                    if has_body:
                        connection.send_data(event.stream_id, self.name.encode(), end_stream=True)
            writer.write(connection.data_to_send())
            await writer.drain()
        return False
