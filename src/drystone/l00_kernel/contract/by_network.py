"""Requests over a network, by httpx2."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
from typing_extensions import override

from drystone.l00_kernel.contract.sending import (
    CONNECT,
    SILENCE,
    Answer,
    Broken,
    Request,
    Sender,
    Unconnected,
)

_LIMITS = httpx2.Limits(max_keepalive_connections=20, keepalive_expiry=2.0)
"""A server closes idle connections after some seconds; the client must be the first to do so."""


_THIS_MACHINE = ".localhost"


def http_client(base_url: str) -> httpx2.AsyncClient:
    """Return a client that takes nothing from the environment.

    Names below ``localhost`` are this machine (RFC 6761, section 6.3), whatever its resolver says; many say nothing.
    """
    transport = httpx2.AsyncHTTPTransport(trust_env=False, limits=_LIMITS)
    url = httpx2.URL(base_url)
    headers = {}
    if url.scheme == "http" and url.host.endswith(_THIS_MACHINE):
        headers["host"] = url.netloc.decode("ascii")
        url = url.copy_with(host="127.0.0.1")
    return httpx2.AsyncClient(transport=transport, base_url=url, headers=headers, trust_env=False)


class ByNetwork(Sender):
    """Sends by an httpx2 client, whose owner closes it.

    Args:
        http: Knows where the server is.
    """

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    @override
    async def send(self, request: Request) -> Answer:
        silence = SILENCE.total_seconds() if request.streams else None
        built = self._http.build_request(
            request.verb,
            request.target,
            content=request.content,
            headers=request.headers,
            # Only what the deadline of a call does not bound.
            timeout=httpx2.Timeout(None, connect=CONNECT.total_seconds(), read=silence),
        )
        try:
            return _Received(await self._http.send(built, stream=True))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as e:
            raise Unconnected(str(e)) from e
        except httpx2.TransportError as e:
            raise Broken(type(e).__name__) from e


class _Received(Answer):
    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = response.headers
        self.media_type = response.headers.get("content-type", "")

    @override
    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except httpx2.TransportError as e:
            raise Broken(type(e).__name__) from e

    @override
    async def close(self) -> None:
        await self._response.aclose()
