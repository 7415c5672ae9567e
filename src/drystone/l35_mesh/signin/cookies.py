"""Cookies of the sign-in, all of one kind: for one host alone, out of the reach of scripts, and not sent by other sites' forms.

The prefix ``__Host-`` (RFC 6265bis section 4.1.3.2) makes the browser refuse a cookie of this name that another host set
for a whole domain, so a neighbour such as ``evil.dev.localhost`` cannot put its own session into somebody's browser. It
asks for ``Secure``, which browsers grant to names below ``localhost`` without TLS.
"""

from __future__ import annotations

from datetime import timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

from drystone.l35_mesh.signin.words import COOKIE

SERVICE = COOKIE
BEGUN = "__Host-drystone-begun"
"""At a service: that this browser began to sign in."""
SESSION = "__Host-drystone-session"
"""At the sign-in: the session."""
FLOW = "__Host-drystone-flow"
"""At the sign-in: that this browser went to the provider."""
PROVIDER = "__Host-drystone-provider"
"""At the embedded provider: who is signed in there."""
FORM = "__Host-drystone-form"
"""At the embedded provider: that a form was made for this browser."""

LARGEST = 4000


def read(request: Request, name: str) -> str:
    """Return a cookie; empty where there is none, or more than one of this name.

    Blanks and tabs are cut off, and nothing else that Python takes for white space: a neighbour may set a cookie whose
    name begins with another such sign for the whole domain, since to the browser it does not begin with ``__Host-``.
    """
    found = []
    for line in request.headers.getlist("cookie"):
        for pair in line.split(";"):
            key, _, value = pair.strip(" \t").partition("=")
            if key == name:
                found.append(value)
    return found[0] if len(found) == 1 and len(found[0]) <= LARGEST else ""


def put(response: Response, name: str, value: str, *, lasts: timedelta | None = None) -> None:
    """Set a cookie.

    Args:
        response: What it goes with.
        name: Of the cookie.
        value: Of characters that may stand in one (RFC 6265 section 4.1.1).
        lasts: How long the browser keeps it; until it is closed when None.

    Raises:
        CookieError: It is too large for browsers.
    """
    if len(value) > LARGEST:
        raise CookieError(f"the cookie {name} is too large")
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    one = cookie[name]
    one["path"], one["secure"], one["httponly"], one["samesite"] = "/", True, True, "Lax"
    if lasts is not None:
        one["max-age"] = int(lasts.total_seconds())
    response.headers.append("set-cookie", one.OutputString())


def clear(response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    put(response, name, "", lasts=timedelta())
