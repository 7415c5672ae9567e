"""Read since when somebody wants to see something."""

from __future__ import annotations

from datetime import UTC, datetime

from drystone.l00_kernel.durations import duration
from drystone.l85_surfaces.cli.errors import Misuse


def since_of(text: str | None, now: datetime) -> datetime | None:
    """Read ``30m``, a date or a time; one that names no zone is in UTC.

    Args:
        text: What somebody wrote; None where nobody wrote anything.
        now: Aware.

    Raises:
        Misuse: It is none of these.
    """
    if text is None:
        return None
    try:
        return now - duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(
            f"{text[:40]!r} is no time: write such as 30m, 2h, or 2026-05-04T10:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
