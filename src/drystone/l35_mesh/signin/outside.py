"""How providers of identities are asked: over the network, or within this process for the embedded one."""

from __future__ import annotations

import abc
import asyncio
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode, urlsplit

import msgspec
from typing_extensions import override

from drystone.l35_mesh.signin.errors import ProviderUnreachable

LARGEST = 1 << 20
PATIENCE = timedelta(seconds=10)

_Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]],
    Awaitable[None],
]


class Answered(NamedTuple):
    """An answer.

    Attributes:
        status: Of HTTP.
        body: All of it.
    """

    status: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one where it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return {}


class Outside(abc.ABC):
    """Asks a provider."""

    @abc.abstractmethod
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        """Get a document, or send a form.

        Raises:
            ProviderUnreachable: Nothing came, not in time, or too much.
        """


class Network(Outside):
    """Over the network: TLS is checked, redirects are not followed, and answers are bounded."""

    @override
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        body = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked with the settings
            url, body, {"accept": "application/json", **headers}
        )
        return await asyncio.to_thread(_ask, request)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(request: urllib.request.Request) -> Answered:
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(_NoRedirects, secure)
    place = urlsplit(request.full_url).netloc.rpartition("@")[2]
    try:
        with opener.open(request, timeout=PATIENCE.total_seconds()) as answer:
            status, body = answer.status, answer.read(LARGEST + 1)
    except urllib.error.HTTPError as e:
        with e:
            status, body = e.code, e.read(LARGEST + 1)
    except (OSError, http.client.HTTPException, ValueError) as e:
        reason = getattr(e, "reason", e)
        raise ProviderUnreachable(
            f"the provider of identities at {place} cannot be reached: {reason}"
        ) from e
    if len(body) > LARGEST:
        raise ProviderUnreachable(f"{place} answers more than {LARGEST} bytes")
    return Answered(status, body)


class Inside(Outside):
    """Within this process.

    Args:
        app: The application that the provider is part of.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    @override
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        parts = urlsplit(url)
        body = b"" if form is None else urlencode(form).encode()
        sent: list[_Message] = []

        async def receive() -> _Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: _Message) -> None:
            sent.append(message)

        said = {"host": parts.netloc, **headers}
        if form is not None:
            said["content-type"] = "application/x-www-form-urlencoded"
        scope: _Message = {
            "type": "http",
            "method": "GET" if form is None else "POST",
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in said.items()],
            "scheme": parts.scheme,
            "server": (parts.hostname, parts.port or 80),
            "root_path": "",
            "http_version": "1.1",
        }
        await self._app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answered(sent[0]["status"], content)
