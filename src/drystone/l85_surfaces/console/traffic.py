"""What the edge answered for a service during the last minutes, read from the end of its log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from drystone.l85_surfaces.console.views import Traffic

WINDOW = timedelta(minutes=5)
MOST_BYTES = 4 << 20
"""So much of the log's end is read at most; under heavy load that is less than the window."""


class _Line(msgspec.Struct, frozen=True):
    time: datetime
    service: str | None = None
    status: int | None = None
    duration_ms: int | None = None


_DECODER = msgspec.json.Decoder(_Line)


def traffic(log: Path, service: str, now: datetime) -> Traffic | None:
    """Return what was answered; None where there is no log.

    Args:
        log: Of the edge.
        service: As the log names it.
        now: The time.
    """
    try:
        with log.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MOST_BYTES))
            lines = file.read(MOST_BYTES).split(b"\n")
    except OSError:
        return None
    is_cut = size > MOST_BYTES
    return counted(lines[1:] if is_cut else lines, service, now - WINDOW, is_cut=is_cut)


def counted(
    lines: Iterable[bytes], service: str, since: datetime, *, is_cut: bool = False
) -> Traffic:
    """Count the lines of one service; those that tell nothing are left out.

    Args:
        lines: Of the log, in their order.
        service: As the log names it.
        since: Earlier ones are left out.
        is_cut: There were lines before them, so that they may begin later.
    """
    errors, times = 0, list[int]()
    first: datetime | None = None
    for line in lines:
        try:
            one = _DECODER.decode(line)
        except (msgspec.MsgspecError, ValueError):
            continue
        if one.time.tzinfo is None or one.time < since:
            continue
        first = first or one.time
        if one.service == service:
            times.append(one.duration_ms or 0)
            errors += one.status is None or one.status == 0 or one.status >= 500
    times.sort()
    begin = max(since, first) if is_cut and first else since
    return Traffic(begin, len(times), errors, *(_part(times, part) for part in (0.5, 0.95, 0.99)))


def _part(times: list[int], part: float) -> timedelta | None:
    """Return the time that so many of them took at most (nearest rank)."""
    if not times:
        return None
    return timedelta(milliseconds=times[min(len(times) - 1, int(part * len(times)))])
