"""Asks the key repository of another platform: over HTTPS, by the authority that was named, and never anywhere else.

Whoever answers may be hostile. So there is one limit of time for the whole answer and one of bytes, a redirect is an answer
like any other that is not the right one, and what was not asked for is not read.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import ssl
from datetime import timedelta
from typing import IO, cast
from urllib.parse import urlsplit

from drystone.l00_kernel.visible import visible
from drystone.l20_trust.keys.errors import KeysOutOfReach, PeerUnfit

PATIENCE = timedelta(seconds=4)
"""Until a platform has told the keys of an issuer, all of its repositories together."""

LARGEST = 512 * 1024
"""Bytes of an answer with its head: the keys of one issuer, and some more."""

_CHUNK = 64 * 1024


def tls_by(authority: str) -> ssl.SSLContext:
    """Return what trusts an authority and nobody else.

    Args:
        authority: Its certificates in PEM.

    Raises:
        PeerUnfit: There is none among them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and certificates
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError) as e:
        raise PeerUnfit(f"the authority holds no certificate in PEM: {e}") from e
    return context


async def key_set(
    repositories: tuple[str, ...], issuer: str, tls: ssl.SSLContext, patience: timedelta = PATIENCE
) -> bytes:
    """Return what a platform publishes of an issuer; an empty set where it publishes nothing.

    Args:
        repositories: Addresses, in the order in which they are asked; the next one where one does not answer.
        issuer: Whose keys.
        tls: Whom to trust.
        patience: For all of them together: each has an equal part of it.

    Raises:
        KeysOutOfReach: None answers as it must.
    """
    reasons = []
    each = patience.total_seconds() / max(1, len(repositories))
    for repository in repositories:
        try:
            async with asyncio.timeout(each):
                return await _ask(f"{repository}issuers/{issuer}.json", tls)
        except TimeoutError:
            reasons.append(f"{repository} does not answer within {each:g} seconds")
        except (OSError, http.client.HTTPException, ValueError, EOFError) as e:
            reasons.append(f"{repository}: {visible(str(e))[:200] or type(e).__name__}")
    raise KeysOutOfReach("; ".join(reasons))


class _Heard:
    """What was heard, as the parser of the standard library reads it from a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> IO[bytes]:
        return io.BytesIO(self._content)


async def _ask(url: str, tls: ssl.SSLContext) -> bytes:
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 443
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
    try:
        head = f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        heard = await _read(reader)
    finally:
        writer.transport.abort()
    answer = http.client.HTTPResponse(cast("socket.socket", _Heard(heard)), method="GET")
    answer.begin()
    body = answer.read()
    if answer.status in {404, 410}:
        return b'{"keys":[]}'
    kind = answer.headers.get_content_type()
    if answer.status != 200 or kind != "application/json":
        raise ValueError(f"it answers with status {answer.status} and {kind[:60]!r}")
    return body


async def _read(reader: asyncio.StreamReader) -> bytes:
    heard = bytearray()
    while more := await reader.read(_CHUNK):
        heard += more
        if len(heard) > LARGEST:
            raise ValueError(f"it answers more than {LARGEST} bytes")
    return bytes(heard)
