"""What clients talk to: sees who asks, takes a whole request, has it answered, and says what is wrong in OpenSearch's form."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from drystone.l10_engines.search import routes
from drystone.l10_engines.search.access import hashed
from drystone.l10_engines.search.errors import Refused, illegal, unreadable
from drystone.l10_engines.search.node import Node, Request

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY = 32 * 1024 * 1024
"""Bytes that a request may have, after it was unpacked."""

TOGETHER = 4 * BODY
"""Bytes that all requests may have that are being answered."""

_log = logging.getLogger(__name__)


class Known:
    """Who may ask, from a file of hashes, one a line, that is read again when it is another one.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] = (0, 0)
        self._hashes: list[str] = []

    def knows(self, user: str, password: str) -> bool:
        """Tell whether these open the search."""
        stat = self._path.stat()
        if (stat.st_ino, stat.st_mtime_ns) != self._read:
            self._hashes = self._path.read_text().split()
            self._read = (stat.st_ino, stat.st_mtime_ns)
        said = hashed(user, password)
        return sum(hmac.compare_digest(said, one) for one in self._hashes) > 0


class Front:
    """An ASGI application.

    Args:
        node: Answers.
        known: Who may ask.
    """

    def __init__(self, node: Node, known: Known) -> None:
        self._node = node
        self._known = known
        self._taken = 0
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        more: list[tuple[bytes, bytes]] = []
        taken = [0]
        try:
            self._check_who(headers.get("authorization", ""))
            body, status = await self._answer(scope, headers, receive, taken)
        except Refused as e:
            body, status = e.body(), e.status
            more = [(b"www-authenticate", b'Basic realm="search"')] if status == 401 else []
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            self._unexpected(e)
            kind = "a value is of a kind that is not expected there"
            body, status = unreadable(f"the request cannot be read: {kind}").body(), 400
        except Exception as e:  # noqa: BLE001 - a client is always answered
            body, status = self._unexpected(e), 500
        except BaseException as e:
            if type(e).__name__ != "PanicException":  # tantivy's own; others end the request
                raise
            body, status = self._unexpected(e), 500
        finally:
            self._taken -= taken[0]
        is_text = isinstance(body, str)
        content = body.encode() if is_text else msgspec.json.encode(body)
        form = b"text/plain; charset=UTF-8" if is_text else b"application/json; charset=UTF-8"
        head = [(b"content-type", form), (b"content-length", str(len(content)).encode()), *more]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content}
        )

    def _unexpected(self, error: BaseException) -> dict[str, Any]:
        name = type(error).__name__
        if name not in self._told:  # once, or whoever repeats it fills the disk
            self._told.add(name)
            _log.error("unexpected", exc_info=error)
        return Refused("exception", f"the search cannot do this: {name}", status=500).body()

    def _check_who(self, said: str) -> None:
        if not self._is_known(said):
            reason = "this search is opened by its user and password"
            raise Refused("security_exception", reason, status=401)

    def _is_known(self, said: str) -> bool:
        scheme, _, token = said.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return bool(colon) and self._known.knows(user, password)

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive, taken: list[int]
    ) -> tuple[Any, int]:
        path = (
            (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        )
        pairs = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50
        )
        options = dict(pairs)
        if len(options) != len(pairs):
            raise illegal("an option stands twice in the request")
        handler, names = routes.find(scope["method"], path, options)
        body = await self._body(headers, receive, taken)
        answer = await handler(self._node, Request(scope["method"], names, options, body))
        return answer.body, answer.status

    async def _body(self, headers: dict[str, str], receive: Receive, taken: list[int]) -> bytes:
        coding = headers.get("content-encoding", "identity")
        if coding not in ("identity", "gzip"):
            raise Refused(
                "content_encoding_exception",
                f"[{coding}] is not read; send gzip or nothing",
                status=415,
            )
        unpack = zlib.decompressobj(31) if coding == "gzip" else None
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise illegal("the client went away")
            part = message.get("body", b"")
            if unpack is not None:
                try:
                    part = unpack.decompress(part, BODY + 1 - size)
                except zlib.error as e:
                    raise illegal(f"the body is not gzip: {e}") from e
            size += len(part)
            taken[0] += len(part)
            self._taken += len(part)
            if size > BODY:
                raise Refused(
                    "content_too_long_exception",
                    f"a request has {BODY} bytes at most; send several",
                    status=413,
                )
            if self._taken > TOGETHER:
                raise Refused(
                    "rejected_execution_exception",
                    "too much is being read; come back in a moment",
                    status=429,
                )
            parts.append(part)
            if not message.get("more_body", False):
                if unpack is not None and not unpack.eof:
                    raise illegal("the body is not a whole gzip")
                return b"".join(parts)
