"""Which requests a limit is about: what a descriptor writes as ``GET /reports/*``, for Envoy and for the limiter alike.

A star at the end of a path stands for everything from there on, one within it for anything but a slash; ``GET`` holds for
``HEAD`` as well (RFC 9110 section 9.3.2). Whoever may call at all may write one path in many ways, some of which only the
application understands. So a path that hides what it means, by escaping what needs no escape, by doubled slashes or by
parameters within, counts for every limit of its method: nobody gets more calls by writing them oddly.
"""

from __future__ import annotations

import re

from drystone.l25_deployer.stacks.limits import NO_REQUESTS

_HIDING = r"//|;|\\|%(?:00|2[def]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)"
_QUERY = r"(?:\?.*)?"


def methods(match: str) -> tuple[str, ...]:
    """Return the methods of a pattern of requests; nothing where it is about all."""
    method = match.partition(" ")[0]
    if method == "*":
        return ()
    return ("GET", "HEAD") if method == "GET" else (method,)


def path_regex(match: str) -> str | None:
    """Return what the whole target of a request must match, query included; None where every one does.

    It means the same to RE2, which Envoy has, and to Python.
    """
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


class Requests:
    """Requests that one pattern is about.

    Args:
        match: As in a descriptor.
    """

    def __init__(self, match: str) -> None:
        self._are_none = match == NO_REQUESTS
        self._methods = methods(match)
        found = path_regex(match)
        self._path = re.compile(found, re.DOTALL) if found else None

    def have(self, method: str, target: str) -> bool:
        """Tell whether a request is among them, by its method and its path with the query."""
        if self._are_none or (self._methods and method not in self._methods):
            return False
        return self._path is None or self._path.fullmatch(target) is not None
