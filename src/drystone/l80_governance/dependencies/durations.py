"""How long something takes, for people."""

from __future__ import annotations

from datetime import timedelta

_DAY_S = 86_400


def spoken(span: timedelta | None) -> str:
    """Say how long: ``3 d 4 h``, ``2 h 5 min``, ``40 s``; ``never`` when it does not end."""
    if span is None:
        return "never"
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, _DAY_S)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    begin = next((n for n, (count, _) in enumerate(parts) if count), None)
    if begin is None:
        return "0 s"
    return " ".join(f"{count} {unit}" for count, unit in parts[begin : begin + 2] if count)
