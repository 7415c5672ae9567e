"""How providers of identities are asked: over the network, or within this process for the embedded one."""

from __future__ import annotations

import abc
import asyncio
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode, urlsplit

import msgspec
from typing_extensions import override

from drystone.l35_mesh.signin.errors import ProviderUnreachable

LARGEST = 1 << 20
PATIENCE = timedelta(seconds=10)
AT_ONCE, MOST_WAITING = 8, 32
"""How many questions are under way, and how many more wait; passwords are checked by other threads than these."""

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
    """Over the network: TLS is checked, redirects are not followed, and answers are bounded in size and time.

    Args:
        patience: How long an answer may take as a whole.
    """

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self._patience = patience
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="provider")
        self._asking = 0

    @override
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        body = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked with the settings
            url, body, {"accept": "application/json", **headers}
        )
        if self._asking >= AT_ONCE + MOST_WAITING:
            raise ProviderUnreachable("too many wait for the provider of identities; try again")
        asked = self._threads.submit(_ask, request, self._patience)
        self._asking += 1
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(asked), self._patience.total_seconds()
            )
        except TimeoutError as e:
            raise ProviderUnreachable(
                f"the provider of identities at {_place(request)} has not answered in time"
            ) from e
        finally:
            self._asking -= 1


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(self, *_: Any) -> None:
        return None


def _place(request: urllib.request.Request) -> str:
    return urlsplit(request.full_url).netloc.rpartition("@")[2]


def _ask(request: urllib.request.Request, patience: timedelta) -> Answered:
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(_NoRedirects, secure)
    place = _place(request)
    end = time.monotonic() + patience.total_seconds()
    try:
        try:
            with opener.open(request, timeout=patience.total_seconds()) as answer:
                status, body = answer.status, _read(answer, end)
        except urllib.error.HTTPError as e:
            with e:
                status, body = e.code, _read(e, end)
    except (OSError, http.client.HTTPException, ValueError) as e:
        reason = getattr(e, "reason", e)
        raise ProviderUnreachable(
            f"the provider of identities at {place} cannot be reached: {reason}"
        ) from e
    if len(body) > LARGEST:
        raise ProviderUnreachable(f"{place} answers more than {LARGEST} bytes")
    return Answered(status, body)


def _read(answer: Any, end: float) -> bytes:
    """Return an answer's body, or a byte more of it than it may have.

    Raises:
        TimeoutError: It came so slowly that nobody waits any more.
    """
    body = b""
    while len(body) <= LARGEST and (more := answer.read1(LARGEST + 1 - len(body))):
        body += more
        if time.monotonic() > end:
            raise TimeoutError("its answer takes too long")
    return body


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
