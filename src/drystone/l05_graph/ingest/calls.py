"""How a call is shown as an example: what kind of call it was, and nothing that could be a secret or somebody's name."""

from __future__ import annotations

import re
from functools import lru_cache

_METHOD = re.compile(r"[A-Z]{1,10}")
_PLAIN = re.compile(r"v[0-9]{1,2}|[a-z]{1,20}(?:[-_.][a-z]{1,20}){0,3}")
_SEPARATE = 4
"""So many parts of a path are shown."""
_OPERATION = re.compile(r"[A-Za-z]{1,40}(?:[./_-][A-Za-z]{1,40}){0,5}")


@lru_cache(maxsize=4096)
def request(method: str, path: str) -> str:
    """Show a request: ``GET /users/*/orders``.

    Only parts of the path that are plain lower-case words or versions stay. Numbers, keys, names and tokens become ``*``;
    what is behind ``?`` or ``#`` is left out.
    """
    verb = method if _METHOD.fullmatch(method) else "*"
    bare = path.partition("?")[0].partition("#")[0]
    parts = bare.strip("/").split("/", _SEPARATE)
    shown = [part if _PLAIN.fullmatch(part) else "*" for part in parts[:_SEPARATE] if part]
    more = "/…" if len(parts) > _SEPARATE else ""
    return f"{verb} /{'/'.join(shown)}{more}"


@lru_cache(maxsize=4096)
def operation(name: str) -> str:
    """Show the name of an operation or span, such as ``users.Find``; anything else becomes ``*``.

    A name that is a request, ``GET /users/{id}``, is shown like one.
    """
    verb, divider, path = name.partition(" ")
    if divider and path.startswith("/") and _METHOD.fullmatch(verb):
        return request(verb, path)
    return name if _OPERATION.fullmatch(name) else "*"
