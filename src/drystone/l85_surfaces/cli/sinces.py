"""Read moments that people write: one rule for every command."""

from __future__ import annotations

from datetime import UTC, datetime

from drystone.l00_kernel.durations import duration
from drystone.l85_surfaces.cli.errors import Misuse


def since_of(text: str | None, now: datetime) -> datetime | None:
    """Read a moment as :func:`moment_of` does; None where nobody wrote anything."""
    return None if text is None else moment_of(text, now)


def moment_of(text: str, now: datetime) -> datetime:
    """Read ``30m`` ago, a date or a time; one that names no offset is of UTC.

    Args:
        text: What somebody wrote.
        now: Aware.

    Returns:
        The moment, in UTC.

    Raises:
        Misuse: It is none of these.
    """
    try:
        return now - duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misuse(
            f"{text[:40]!r} is no time: write such as 30m, 2h, or 2026-05-04T10:00, which is of UTC unless an offset follows,"
            " such as +02:00"
        ) from None
