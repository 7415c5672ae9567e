"""What requests to the sign-in carry, read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from drystone.l00_kernel.errors import Invalid

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 50


class Unreadable(Invalid):
    """The request cannot be read."""


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form that was sent.

    Raises:
        Unreadable: It is no form, it is too large, or names a field twice (RFC 6749 section 3.1).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Unreadable("send a form: application/x-www-form-urlencoded")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Unreadable(f"the form is larger than {LARGEST_BODY} bytes")
    return _fields(body.decode("utf-8", "replace"))


def query_of(request: Request) -> Mapping[str, str]:
    """Return what the address of a request says.

    Raises:
        Unreadable: It is too much, or names something twice.
    """
    return _fields(request.url.query)


def _fields(text: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as e:
        raise Unreadable(f"it has more than {MOST_FIELDS} fields") from e
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("it names a field twice")
    return fields


def is_from_here(request: Request, origin: str) -> bool:
    """Tell whether a page of ours sent a form (Fetch, ``Sec-Fetch-Site``; RFC 6454, ``Origin``)."""
    site = request.headers.get("sec-fetch-site")
    said = request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    # A page whose policy withholds the referrer sends the origin "null" with its own forms.
    return said is None or said == origin or (said == "null" and site == "same-origin")


def client_of(request: Request) -> str:
    """Return who asks, as the edge says it."""
    return request.headers.get("x-forwarded-for", "")[:64]
