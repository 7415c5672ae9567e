"""Answers over HTTP: compressed, named by their content, with what a browser may do."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""What a page may load and run: what comes from here, and nothing that stands in the page itself."""
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HTML = "text/html; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"
_WORTH_PACKING = 500


@dataclass(frozen=True)
class Content:
    """Something to send, as often as it is asked for.

    Attributes:
        plain: The bytes.
        packed: The same by gzip; None when that is not worth it.
        kind: Its media type.
        tag: What tells it from everything else, as an entity tag.
    """

    plain: bytes
    packed: bytes | None
    kind: str
    tag: str

    @property
    def size(self) -> int:
        """How many bytes are held for it."""
        return len(self.plain) + len(self.packed or b"")


def content(plain: bytes, kind: str) -> Content:
    """Prepare something to be sent."""
    is_worth = len(plain) >= _WORTH_PACKING
    packed = gzip.compress(plain, compresslevel=6, mtime=0) if is_worth else None
    tag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
    return Content(plain, packed, kind, tag)


def answer(
    request: Request, what: Content, *, status: int = 200, cache: str = "private, no-cache"
) -> Response:
    """Send it, or say that the browser has it already."""
    headers = {**HEADERS, "etag": what.tag, "cache-control": cache, "vary": "accept-encoding"}
    if status == 200 and _knows(request, what.tag):
        return Response(status_code=304, headers=headers)
    if what.packed is not None and _takes_gzip(request):
        headers["content-encoding"] = "gzip"
        return Response(what.packed, status, headers, what.kind)
    return Response(what.plain, status, headers, what.kind)


def _knows(request: Request, tag: str) -> bool:
    said = request.headers.get("if-none-match", "")
    tags = {one.strip().removeprefix("W/") for one in said.split(",")}
    return tag in tags or "*" in tags


def _takes_gzip(request: Request) -> bool:
    for one in request.headers.get("accept-encoding", "").split(","):
        name, _, weight = one.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
