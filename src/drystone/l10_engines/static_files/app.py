"""The site as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote

from drystone.l10_engines.static_files.conditions import (
    Span,
    Unsatisfiable,
    accepted_encodings,
    matches,
    requested_span,
)
from drystone.l10_engines.static_files.site import (
    File,
    Site,
    cache_control,
    check,
    content_type,
    is_folder,
    is_hashed,
    open_file,
    parts_of,
)

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CHUNK = 256 << 10
_HASHED_UP_TO = 16 << 20
_SUFFIXES = {"br": ".br", "gzip": ".gz"}
_NOT_FOUND = "404.html"


class _Request:
    """The parts of a request that matter here."""

    def __init__(self, scope: _Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self._headers: dict[bytes, bytes] = dict(scope["headers"])

    def header(self, name: str) -> str | None:
        value = self._headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def is_navigation(self) -> bool:
        """Tell whether a person opens a page, rather than a page its parts."""
        last = self.path.rpartition("/")[2]
        return "text/html" in (self.header("accept") or "") and "." not in last


class _Answer(NamedTuple):
    """A file to send: opened, with its entity tag, and with its content unless it is large."""

    status: int
    name: str
    file: File
    encoding: str | None
    etag: str
    content: bytes | None


class StaticFiles:
    """Serves a :class:`~drystone.l10_engines.static_files.site.Site`.

    Raises:
        Invalid: The site could not be served.
    """

    def __init__(self, site: Site) -> None:
        check(site)
        self._site = site
        # Artifacts may carry one fixed time of change; their folders have different names.
        self._release = hashlib.sha256(bytes(site.root.resolve())).hexdigest()[:16]
        self._tags: dict[tuple[str, int, int], str] = {}
        given = {"content-security-policy": site.csp, "x-content-type-options": "nosniff"}
        given |= {name.lower(): value for name, value in site.headers.items()}
        self._fixed = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]

    async def __call__(self, scope: _Scope, _receive: _Receive, send: _Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = _Request(scope)
        if request.method not in {"GET", "HEAD"}:
            await self._say(send, request, 405, {"allow": "GET, HEAD"})
        elif request.path == self._site.health:
            await self._say(send, request, 200, {"cache-control": "no-store"})
        else:
            await self._answer(request, send)

    async def _answer(self, request: _Request, send: _Send) -> None:
        answer = await asyncio.to_thread(self._choose, request)
        if answer is None:
            await self._say(send, request, 404, {"cache-control": "no-cache"})
        elif isinstance(answer, str):
            await self._say(send, request, 308, {"location": answer})
        else:
            try:
                await self._send_file(request, send, answer)
            finally:
                os.close(answer.file.descriptor)

    def _choose(self, request: _Request) -> _Answer | str | None:
        """Return the file that answers, or where to look instead, or None."""
        parts = parts_of(request.path)
        index = tuple(self._site.index.split("/"))
        encodings = accepted_encodings(request.header("accept-encoding"))
        if parts is not None:
            is_named_folder = not parts or request.path.endswith("/")
            found = self._find((*parts, *index) if is_named_folder else parts, encodings)
            if found is None and not is_named_folder and is_folder(self._site.root, parts):
                query = "?" + request.query.decode("latin-1") if request.query else ""
                return quote("/" + "/".join(parts)) + "/" + query
            if found is None and self._site.spa and request.is_navigation():
                found = self._find(index, encodings)
            if found is not None:
                return found
        found = self._find((_NOT_FOUND,), encodings)
        return None if found is None else found._replace(status=404)

    def _find(self, parts: tuple[str, ...], encodings: tuple[str, ...]) -> _Answer | None:
        """Open the file, compressed if it can be, from the release or from an older one."""
        name = "/".join(parts)
        kept = self._site.older if is_hashed(name) else ()
        for root in (self._site.root, *kept):
            plain = open_file(root, parts)
            if plain is None:
                continue
            for encoding in encodings:
                packed = open_file(root, (*parts[:-1], parts[-1] + _SUFFIXES[encoding]))
                if packed is not None:
                    os.close(plain.descriptor)
                    return self._opened(name, packed, encoding)
            return self._opened(name, plain, None)
        return None

    def _opened(self, name: str, file: File, encoding: str | None) -> _Answer:
        content = os.pread(file.descriptor, file.size, 0) if file.size <= _CHUNK else None
        return _Answer(200, name, file, encoding, self._tag(file, content), content)

    async def _send_file(self, request: _Request, send: _Send, answer: _Answer) -> None:
        status, name, file, encoding, etag, _ = answer
        headers = {
            "etag": etag,
            "cache-control": cache_control(self._site, name) if status == 200 else "no-cache",
            "vary": "accept-encoding",
            "accept-ranges": "bytes",
        }
        if status == 200 and matches(request.header("if-none-match"), etag):
            return await self._start(send, 304, headers)
        headers["content-type"] = content_type(name)
        if encoding is not None:
            headers["content-encoding"] = encoding
        span: Span | Unsatisfiable | None = None
        whole = status != 200 or request.method == "HEAD"
        if not whole and request.header("if-range") in {None, etag}:
            span = requested_span(request.header("range"), file.size)
        if isinstance(span, Unsatisfiable):
            return await self._say(send, request, 416, {"content-range": f"bytes */{file.size}"})
        if span is not None:
            status = 206
            headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
        span = span or Span(0, file.size)
        headers["content-length"] = str(span.stop - span.start)
        await self._start(send, status, headers, more=request.method == "GET")
        if request.method == "GET":
            await _send_span(send, answer, span)
        return None

    def _tag(self, file: File, content: bytes | None) -> str:
        """Return an entity tag: of the content, so that all instances agree, unless it is large."""
        if file.size > _HASHED_UP_TO:
            return f'"{file.size:x}-{file.modified:x}-{self._release}"'
        key = (file.name, file.size, file.modified)
        if key not in self._tags:
            if content is None:
                content = os.pread(file.descriptor, file.size, 0)
            self._tags[key] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return self._tags[key]

    async def _say(
        self, send: _Send, request: _Request, status: int, headers: dict[str, str]
    ) -> None:
        """Send a short text of our own."""
        texts = {200: "ok\n", 308: "", 404: "Not found\n", 405: "Only GET and HEAD\n", 416: ""}
        content = texts[status].encode()
        headers |= {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(content)),
        }
        await self._start(send, status, headers, more=True)
        body = content if request.method != "HEAD" else b""
        await send({"type": "http.response.body", "body": body})

    async def _start(
        self, send: _Send, status: int, headers: dict[str, str], *, more: bool = False
    ) -> None:
        given = {name for name, _ in self._fixed}
        own = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        head = [*self._fixed, *(pair for pair in own if pair[0] not in given)]
        await send({"type": "http.response.start", "status": status, "headers": head})
        if not more:
            await send({"type": "http.response.body", "body": b""})


async def _send_span(send: _Send, answer: _Answer, span: Span) -> None:
    file, position = answer.file, span.start
    if answer.content is not None:
        body = answer.content[span.start : span.stop]
        await send({"type": "http.response.body", "body": body})
        return
    while position < span.stop:
        size = min(_CHUNK, span.stop - position)
        chunk = await asyncio.to_thread(os.pread, file.descriptor, size, position)
        if not chunk:
            raise OSError(f"{file.name} became shorter while it was sent")
        position += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": position < span.stop})
