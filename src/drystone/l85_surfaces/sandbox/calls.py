"""The last calls that services made, read from the end of the edge's log and from what mocks told of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

MOST_BYTES = 1 << 20
"""So much of the log's end is read at most."""


class Call(msgspec.Struct, frozen=True):
    """One call of a service to another.

    Attributes:
        at: When.
        caller: Who called.
        callee: Who was called.
        request: Method and path.
        status: Of the answer; 0 where there was none.
        verdict: What became of it, in words.
    """

    at: datetime
    caller: str
    callee: str
    request: str
    status: int
    verdict: str


class _Line(msgspec.Struct, frozen=True):
    time: datetime
    listener: str = ""
    request_id: str | None = None
    caller: str | None = None
    service: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    details: str | None = None


class Told(msgspec.Struct, frozen=True):
    """What a mock told of one call.

    Attributes:
        id: Of the request.
        verdict: In words.
    """

    id: str
    verdict: str


_LINE = msgspec.json.Decoder(_Line)
_TOLD = msgspec.json.Decoder(Told)


def last_calls(log: Path, verdicts: Mapping[str, str], *, most: int) -> list[Call]:
    """Return the last calls, the newest first; none where there is no log.

    Args:
        log: Of the edge.
        verdicts: What mocks told, by request.
        most: So many at most.
    """
    try:
        with log.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MOST_BYTES))
            lines = file.read(MOST_BYTES).split(b"\n")
    except OSError:
        return []
    return calls_of(lines[1:] if size > MOST_BYTES else lines, verdicts, most=most)


def calls_of(lines: Iterable[bytes], verdicts: Mapping[str, str], *, most: int) -> list[Call]:
    """Return the calls that lines of the log tell of, the newest first; those that tell nothing are left out."""
    found: list[Call] = []
    for line in reversed(list(lines)):
        if len(found) == most:
            break
        if b'"outbound"' not in line:
            continue
        try:
            said = _LINE.decode(line)
        except msgspec.MsgspecError:
            continue
        if said.listener == "outbound":
            found.append(_call(said, verdicts))
    return found


def verdicts_of(lines: Iterable[str]) -> dict[str, str]:
    """Return what the lines of a mock tell, by request; lines of another kind are left out."""
    found = {}
    for line in lines:
        try:
            told = _TOLD.decode(line)
        except (msgspec.MsgspecError, UnicodeError):
            continue
        if told.id:
            found[told.id] = told.verdict
    return found


def _call(said: _Line, verdicts: Mapping[str, str]) -> Call:
    status = said.status or 0
    verdict = verdicts.get(said.request_id or "")
    if verdict is None:
        verdict = "answered" if 0 < status < 500 else _failure(said.details or "")
    return Call(
        at=said.time,
        caller=said.caller or "",
        callee=said.service or "",
        request=f"{said.method or ''} {said.path or ''}".strip(),
        status=status,
        verdict=verdict,
    )


def _failure(details: str) -> str:
    """Say why there was no good answer, as Envoy's details of the response have it."""
    if details == "via_upstream":
        return "answered with an error"
    reason = details.partition("{")[0].replace("_", " ")
    return f"not reached: {reason}" if reason else "not reached"
