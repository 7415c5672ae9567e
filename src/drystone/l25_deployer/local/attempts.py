"""Attempts at instances, as proxies write them down while a release is tried (:mod:`~drystone.l10_engines.proxy.attempt_log`).

Clients choose much of what stands in a line, so every text is bounded here, and a line of another form is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

MOST_AT_ONCE = 8 << 20
"""Bytes that are read at once of each file; what came before them since the last time is passed over."""

_MOST_KEPT = 2
"""So many places are kept of files that are not there."""

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_PORT = re.compile(r":([0-9]{1,5})$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to let an instance answer.

    Attributes:
        at: When it began.
        port: Of the instance.
        by: Who was told apart when it was written down.
        who: The user, tenant or visitor that it came from; None where that is not known.
        requests: The trace and the id by which calls that are made for it may be known.
        is_bad: Whether it got an answer of 500 or above, or none.
        method: Of the request.
        path: Without its query.
        status: Of the answer; 0 where there was none.
        flags: What the proxy says of it; empty where nothing.
        took: Until its end, in milliseconds.
    """

    at: datetime
    port: int
    by: str
    who: str | None
    is_bad: bool
    method: str
    path: str
    status: int
    flags: str
    took: int
    requests: tuple[str, ...] = ()

    def told(self) -> str:
        """Say what came of it, without who asked."""
        text = f"{self.at.astimezone(UTC):%H:%M:%S} {self.method} {self.path} "
        how = f"answered {self.status}" if self.status else f"got no answer ({self.flags or '-'})"
        return _CONTROL.sub(" ", f"{text}{how} after {self.took} ms")


class _Line(msgspec.Struct, frozen=True):
    time: datetime
    service: str
    instance: str | None = None
    by: str | None = None
    first: str | None = None
    second: str | None = None
    visitor: str | None = None
    request_id: str | None = None
    trace: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    flags: str | None = None
    duration_ms: int | None = None


_DECODER = msgspec.json.Decoder(_Line)
_GONE = "DC"
"""The client went away before there was an answer, for which the release can do nothing."""


def read(line: bytes, service: str) -> Attempt | None:
    """Read one line; None for one of another service, or of another form."""
    try:
        said = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    found = _PORT.search(said.instance or "")
    if said.service != service or found is None or said.time.tzinfo is None:
        return None
    flags = "" if said.flags in {None, "-"} else str(said.flags)
    status = said.status or 0
    is_gone = not status and _GONE in flags.split(",")
    return Attempt(
        at=said.time,
        port=int(found[1]),
        by=said.by or "request",
        who=_who(said),
        is_bad=(status >= 500 or not status) and not is_gone,
        method=said.method or "-",
        path=said.path or "-",
        status=status,
        flags=flags,
        took=max(0, said.duration_ms or 0),
        requests=tuple(filter(None, (trace_id(said.trace), said.request_id))),
    )


def trace_id(said: str | None) -> str | None:
    """Return the trace that a ``traceparent`` names (W3C Trace Context section 3.2.2); None where it names none."""
    found = _TRACE.fullmatch(said or "")
    return found[1] if found else None


def _who(said: _Line) -> str | None:
    if said.by == "visitor":
        return (
            said.visitor or said.request_id
        )  # the answer to a first request gives its id as the cookie
    return (said.first or said.second or None) if said.by in {"user", "tenant"} else None


class AttemptLog:
    """The log, and the one before it, which was moved to ``<name>.1``.

    Args:
        path: Of the log; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path.with_name(f"{path.name}.1"), path)

    def end(self) -> dict[str, int]:
        """Return how far it has come."""
        return {key: size for _, key, size in self._files()}

    def since(self, places: dict[str, int]) -> tuple[list[bytes], dict[str, int]]:
        """Return the whole lines that came after some places, and the places behind them.

        A file that is not among the places is read from its begin. One that cannot be opened now is read the next time.
        """
        lines: list[bytes] = []
        behind: dict[str, int] = {}
        for path, key, size in self._files():
            begin = places.get(key, 0)
            begin = begin if begin <= size else 0
            start = max(begin, size - MOST_AT_ONCE)
            try:
                with path.open("rb") as file:
                    if _key(os.fstat(file.fileno())) != key:  # it was moved away in between
                        continue
                    file.seek(start)
                    content = file.read(size - start)
            except OSError:
                continue
            whole, newline, _ = content.rpartition(b"\n")
            behind[key] = start + len(whole) + len(newline)
            if start > begin:
                whole = whole.partition(b"\n")[2]  # the first line may lack its begin
            lines += whole.split(b"\n") if whole else []
        # A file that cannot be looked at now is there again the next time.
        kept = {key: place for key, place in places.items() if key not in behind}
        return lines, {**dict(list(kept.items())[-_MOST_KEPT:]), **behind}

    def _files(self) -> Iterator[tuple[Path, str, int]]:
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                continue
            yield path, _key(status), status.st_size


def _key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"
