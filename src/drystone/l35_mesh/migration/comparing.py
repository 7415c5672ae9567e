"""What differs between the answers of both sides, said without anything that could be secret. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from drystone.l35_mesh.migration.errors import IgnoredUnfit

MATTER = (
    "access-control-allow-origin",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "location",
    "vary",
    "www-authenticate",
)
"""Headers that clients act on; dates, identifiers and names of servers always differ."""

MOST_DIFFERENCES = 8
"""Of one pair of answers: who sees these knows enough."""

MOST_IGNORED = 32

_DEEPEST = 64
_LONGEST_PATH = 200
_PLAIN = re.compile(r"[A-Za-z_.-]{1,32}|v[0-9]{1,2}|[0-9]{1,3}")
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,63}")
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json\s*(;.*)?", re.IGNORECASE)


class Reply(msgspec.Struct, frozen=True):
    """One side's answer.

    Attributes:
        status: Its status.
        headers: By names in lower case.
        body: As much of it as was read.
        is_whole: Whether that is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    is_whole: bool = True

    @property
    def value(self) -> object:
        """Its JSON document; the bytes' digest when it is none."""
        if self.is_whole and _JSON.fullmatch(self.headers.get("content-type", "")):
            try:
                return json.loads(self.body)
            except (ValueError, RecursionError):
                pass
        return hashlib.sha256(self.body).hexdigest(), len(self.body), self.is_whole


class Ignored(msgspec.Struct, frozen=True):
    """What may differ.

    Attributes:
        headers: Their names, in lower case.
        pointers: Places in JSON documents, as their parts; ``*`` stands for any one.
    """

    headers: frozenset[str] = frozenset()
    pointers: frozenset[tuple[str, ...]] = frozenset()

    def covers(self, at: tuple[str, ...]) -> bool:
        """Tell whether a place of a document may differ."""
        return any(
            len(pointer) == len(at)
            and all(part in {"*", name} for part, name in zip(pointer, at, strict=True))
            for pointer in self.pointers
        )


def read_ignored(texts: tuple[str, ...]) -> Ignored:
    """Read what may differ.

    Args:
        texts: JSON pointers (RFC 6901), in which ``*`` stands for any one part, and names of headers.

    Raises:
        IgnoredUnfit: One is neither, or there are too many.
    """
    if len(texts) > MOST_IGNORED:
        raise IgnoredUnfit(f"{MOST_IGNORED} things at most may be ignored, not {len(texts)}")
    headers, pointers = set(), set()
    for text in texts:
        if text.startswith("/") and len(text) <= _LONGEST_PATH:
            parts = text[1:].split("/")
            pointers.add(tuple(part.replace("~1", "/").replace("~0", "~") for part in parts))
        elif _HEADER.fullmatch(text.lower()):
            headers.add(text.lower())
        else:
            raise IgnoredUnfit(
                f"{text!r} is neither a JSON pointer such as /items/*/id nor the name of a header"
            )
    return Ignored(frozenset(headers), frozenset(pointers))


def differences(here: Reply, there: Reply, ignored: Ignored) -> list[str]:
    """Say what differs between two answers; nothing when they mean the same. No value of theirs is told but the status.

    Args:
        here: This side's.
        there: The other side's.
        ignored: What may differ.
    """
    found = []
    if here.status != there.status:
        found.append(f"status {here.status} here, {there.status} there")
    found += [
        f"header {name}"
        for name in MATTER
        if name not in ignored.headers and _meant(here, name) != _meant(there, name)
    ]
    found += _in_bodies(here.value, there.value, ignored)
    return list(dict.fromkeys(found))[:MOST_DIFFERENCES]


def _meant(reply: Reply, name: str) -> str:
    """Return what a header says; upper and lower case and spaces around its parts say nothing in most."""
    text = reply.headers.get(name, "")
    if name in {"location", "content-disposition", "www-authenticate"}:
        return text
    return ";".join(part.strip() for part in text.lower().split(";"))


def _in_bodies(here: object, there: object, ignored: Ignored) -> Iterator[str]:
    """Walk through two documents side by side, breadth first, so that what differs highest is said first."""
    pairs: list[tuple[tuple[str, ...], object, object]] = [((), here, there)]
    found = 0
    for at, one, other in pairs:  # grows while it is walked through
        if found > MOST_DIFFERENCES:
            return
        if at and ignored.covers(at):
            continue
        if isinstance(one, dict) and isinstance(other, dict) and len(at) < _DEEPEST:
            names = [*one, *(name for name in other if name not in one)]
            pairs += [((*at, n), one.get(n, _MISSING), other.get(n, _MISSING)) for n in names]
        elif isinstance(one, list) and isinstance(other, list) and len(at) < _DEEPEST:
            if len(one) != len(other):
                found += 1
                yield f"body {_place(at)}: another number of items"
            pairs += [
                ((*at, str(number)), *both)
                for number, both in enumerate(zip(one, other, strict=False))
            ]
        elif not _equal(one, other):
            found += 1
            yield f"body {_place(at)}: {_how(one, other)}"


_MISSING = object()


def _equal(one: object, other: object) -> bool:
    """Tell whether two values are the same: a number is no truth value, and 1 is 1.0."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    try:
        return one == other or (one != one and other != other)  # noqa: PLR0124 - Python reads NaN
    except RecursionError:
        return False


def _how(one: object, other: object) -> str:
    if one is _MISSING:
        return "only there"
    if other is _MISSING:
        return "only here"
    kinds = (_kind(one), _kind(other))
    return "differs" if kinds[0] == kinds[1] else f"{kinds[0]} here, {kinds[1]} there"


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return "bytes"
    names = {bool: "truth value", dict: "object", list: "array", str: "text", type(None): "null"}
    return names.get(type(value), "number")


def _place(at: tuple[str, ...]) -> str:
    return "".join(f"/{'*' if part.isdecimal() else _veiled(part)}" for part in at) or "/"


def _veiled(part: str) -> str:
    """Return a part of a path, unless it could identify somebody or let somebody in."""
    return part if _PLAIN.fullmatch(part) else "*"


def shown(target: str) -> str:
    """Return a path as a report may show it: parts that could be secret are ``*``, of a query the names alone stay."""
    try:
        split = urlsplit(target)
        names = [name for name, _ in parse_qsl(split.query, keep_blank_values=True)]
    except ValueError:
        return "/*"
    path = "/".join(_veiled(unquote(part)) if part else "" for part in split.path.split("/"))
    query = "&".join(sorted({_veiled(name) for name in names}))
    return (path + (f"?{query}" if query else ""))[:_LONGEST_PATH]
