"""Times as logs write them, in seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from drystone.l05_graph.ingest.tally import LATEST

_MOST_KNOWN = 8192
_SECONDS = re.compile(r"[0-5][0-9](?:\.[0-9]{1,9})?")


@lru_cache(maxsize=8192)
def _minute(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def iso(text: str) -> float | None:
    """Read ``2026-11-22T07:00:00.123Z``, or the same with another offset; None for anything else."""
    if len(text) > 40:
        return None
    if (
        text.endswith("Z") and len(text) >= 20
    ):  # the usual: what stands before the seconds comes again and again
        minute, rest = _minute(text[:16]), text[17:-1]
        if minute is not None and text[16] == ":" and _SECONDS.fullmatch(rest):
            at = minute + float(rest)
            return at if 0 <= at < LATEST else None
    try:
        found = datetime.fromisoformat(text)
        at = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return at if 0 <= at < LATEST else None


def seconds(value: object, per_second: float = 1.0) -> float | None:
    """Read a number since 1970, written as a number or as digits; None for anything else.

    Args:
        value: The number.
        per_second: How many of its units are a second: 1e9 for nanoseconds.
    """
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    at = value / per_second
    return at if 0 <= at < LATEST else None


class Times:
    """Reads the times of many lines, of which most are of the same seconds; parts of a second are left out."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def read(self, written: object) -> int | None:
        """Read a time as :func:`iso` does, or a number of seconds; None for anything else."""
        if isinstance(written, str) and written[-1:] == "Z":
            at = self._known.get(written[:19])
            if at is not None:
                rest = written[19:-1]
                if not rest or (rest[0] == "." and len(rest) <= 10 and rest[1:].isdigit()):
                    return at
        return self._looked_at(written)

    def _looked_at(self, written: object) -> int | None:
        if not isinstance(written, str):
            number = seconds(written)
            return None if number is None else int(number)
        at = iso(written)
        if at is None:
            return None
        if written.endswith("Z") and written[19:20] in (".", "Z"):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[written[:19]] = int(at)
        return int(at)
