"""What request headers ask of a file: a part of it, only a changed one, a compressed one (RFC 9110)."""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


class Span(NamedTuple):
    """Bytes ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


class Unsatisfiable(NamedTuple):
    """The range lies outside of the file."""


def requested_span(header: str | None, size: int) -> Span | Unsatisfiable | None:
    """Read a ``Range`` header (RFC 9110, section 14).

    Returns:
        The part asked for; None for the whole file, also when the header asks for several parts or
        cannot be read, as the RFC permits.
    """
    found = _RANGE.fullmatch(header) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
        return Span(start, stop) if int(last) and size else Unsatisfiable()
    if last and int(last) < int(first):
        return None
    start, stop = int(first), min(int(last) + 1, size) if last else size
    return Span(start, stop) if start < size else Unsatisfiable()


def matches(header: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names this entity tag, by weak comparison."""
    if header is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in given or etag in given


def accepted_encodings(header: str | None) -> tuple[str, ...]:
    """Return which of ``br`` and ``gzip`` an ``Accept-Encoding`` allows, the better one first."""
    allowed: dict[str, bool] = {}
    for entry in (header or "").lower().split(","):
        name, _, parameters = entry.partition(";")
        quality = parameters.strip().removeprefix("q=").strip()
        allowed[name.strip()] = quality.strip("0.") != "" or not parameters
    anything = allowed.get("*", False)
    return tuple(name for name in ("br", "gzip") if allowed.get(name, anything))
