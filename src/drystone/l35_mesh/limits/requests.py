"""Which requests a limit is about: what a descriptor writes as ``GET /reports/*``, for Envoy and for the limiter alike.

A star at the end of a path stands for everything from there on, one within it for anything but a slash; ``GET`` holds for
``HEAD`` as well (RFC 9110 section 9.3.2). Whoever may call at all may write one path in many ways, some of which only the
application understands. So a path that hides what it means, by escaping what needs no escape, by doubled slashes or by
parameters within, counts for every limit of its method: nobody gets more calls by writing them oddly.

What decides here and in the proxy's script looks at each letter of a path once, however many stars a pattern has: a regular
expression that tries again would let whoever calls choose how long that takes. RE2, for which :func:`path_regex` writes, never
tries again.
"""

from __future__ import annotations

import re

import msgspec

from drystone.l25_deployer.stacks.limits import NO_REQUESTS

_HIDING = r"//|;|\\|%(?:00|2[def]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)"
_HIDES = re.compile(_HIDING, re.IGNORECASE)
_QUERY = r"(?:\?.*)?"


def methods(match: str) -> tuple[str, ...]:
    """Return the methods of a pattern of requests; nothing where it is about all."""
    method = match.partition(" ")[0]
    if method == "*":
        return ()
    return ("GET", "HEAD") if method == "GET" else (method,)


def path_regex(match: str) -> str | None:
    """Return what the whole target of a request must match, query included, for RE2; None where every one does."""
    path = match.partition(" ")[2]
    if path in ("", "*", "/*"):
        return None
    *within, last = path.split("*")
    if not within:
        pattern = re.escape(path)
    else:
        before = "[^/?]*".join(map(re.escape, within))
        pattern = f"{before}[^/?]*{re.escape(last)}" if last else f"{before}[^?]*"
    return rf"(?:{pattern}|[^?]*(?i:{_HIDING})[^?]*){_QUERY}"


class Pattern(msgspec.Struct, frozen=True):
    """The path of a pattern of requests.

    Attributes:
        pieces: What stands between slashes, each cut at its stars.
        open: Whether anything may follow.
    """

    pieces: tuple[tuple[str, ...], ...]
    open: bool

    def fits(self, path: str) -> bool:
        """Tell whether a path without its query is meant."""
        count = len(self.pieces)
        segments = path.split("/", count)
        if len(segments) < count or (len(segments) > count and not self.open):
            return False
        if not all(
            _fits(pieces, text) for pieces, text in zip(self.pieces[:-1], segments, strict=False)
        ):
            return False
        return _fits(self.pieces[-1], segments[count - 1], open_end=self.open)


def pattern_of(match: str) -> Pattern | None:
    """Return the path of a pattern of requests; None where it is about every one."""
    path = match.partition(" ")[2]
    if path in ("", "*", "/*"):
        return None
    is_open = path.endswith("*")
    segments = path.removesuffix("*").split("/")
    return Pattern(tuple(tuple(segment.split("*")) for segment in segments), is_open)


def _fits(pieces: tuple[str, ...], text: str, *, open_end: bool = False) -> bool:
    """Tell whether a text consists of these pieces with anything between them; with an open end also behind them."""
    first, *rest = pieces
    if not text.startswith(first):
        return False
    if not rest:
        return open_end or len(text) == len(first)
    at = len(first)
    for piece in rest if open_end else rest[:-1]:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return open_end or (len(text) - len(rest[-1]) >= at and text.endswith(rest[-1]))


class Requests:
    """Requests that one pattern is about.

    Args:
        match: As in a descriptor.
    """

    def __init__(self, match: str) -> None:
        self._are_none = match == NO_REQUESTS
        self._methods = methods(match)
        self._path = pattern_of(match)

    def have(self, method: str, target: str) -> bool:
        """Tell whether a request is among them, by its method and its path with the query."""
        if self._are_none or (self._methods and method not in self._methods):
            return False
        if self._path is None:
            return True
        path = target.partition("?")[0]
        return self._path.fits(path) or _HIDES.search(path) is not None
