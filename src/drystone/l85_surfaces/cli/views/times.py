"""How moments and durations read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def taken(seconds: float | None) -> str:
    """Return how long something took: ``0.31 s``, ``12.4 s``, ``2 m 05 s``; nothing if not known."""
    if seconds is None:
        return ""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s"


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in one unit: ``40 s``, ``12 m``, ``3 h``, ``9 d``."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def moment(at: datetime) -> str:
    """Return a moment in the reader's time zone, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
