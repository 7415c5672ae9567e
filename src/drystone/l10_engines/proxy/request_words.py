"""Requests as descriptors write them, ``GET /reports/*``, in the words of Envoy.

A star at the end of a path stands for everything from there on, one within it for anything but a slash. ``GET`` holds for
``HEAD`` as well (RFC 9110 section 9.3.2). A path that hides slashes or dots means one thing here and may mean another to the
application, so no path but ``*`` alone lets it pass.
"""

from __future__ import annotations

import re
from typing import Any

from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import Config

_WORDS = re.compile(
    r"\*|(?P<method>\*|[A-Z]{1,20}) (?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]{0,1000})"
)
HIDDEN = {
    "url_path": {
        "path": {"safe_regex": {"regex": r"(?i).*(%2f|%5c|%2e|%00|;|\\|//).*"}},
    }
}


def split(words: str) -> tuple[str, str]:
    """Return the method and the path; ``*`` stands for every one.

    Raises:
        InvalidProxyConfig: It is neither ``*`` nor a method and a path.
    """
    found = _WORDS.fullmatch(words)
    if found is None:
        raise InvalidProxyConfig(
            f"{words!r} names no requests: write '*', or a method and a path such as GET /reports/*"
        )
    return found["method"] or "*", found["path"] or "*"


def path_matcher(path: str) -> Config:
    """Return a ``StringMatcher`` of paths."""
    before, star, after = path.partition("*")
    if not star:
        return {"exact": path}
    if not after:
        return {"prefix": before}
    *within, last = path.split("*")
    pattern = "[^/]*".join(map(re.escape, within))
    return {
        "safe_regex": {"regex": f"{pattern}.*" if not last else f"{pattern}[^/]*{re.escape(last)}"}
    }


def permission(words: str) -> Config:
    """Return a ``Permission`` of RBAC.

    Raises:
        InvalidProxyConfig: See :func:`split`.
    """
    method, path = split(words)
    rules: list[dict[str, Any]] = []
    if method != "*":
        methods = (method, "HEAD") if method == "GET" else (method,)
        headers = [{"header": {"name": ":method", "string_match": {"exact": m}}} for m in methods]
        rules.append({"or_rules": {"rules": headers}})
    if path != "*":
        rules += [{"url_path": {"path": path_matcher(path)}}, {"not_rule": HIDDEN}]
    return {"and_rules": {"rules": rules}} if rules else {"any": True}
