"""Durations as people write them: ``90s``, ``30m``, ``1.5h``, ``7d``. Inside they are :class:`~datetime.timedelta`."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "y": timedelta(days=365),
}
LONGEST = timedelta(days=36_500)
_WRITTEN = re.compile(r"([0-9]{1,17}(?:\.[0-9]{1,6})?)([a-z]+)", re.ASCII)


class NoDuration(ValueError):
    """The text is no number with a unit."""


class TooLong(ValueError):
    """It is longer than a hundred years."""


def duration(written: str) -> timedelta:
    """Read a number and its unit.

    Raises:
        NoDuration: It is something else.
        TooLong: It is longer than :data:`LONGEST`.
    """
    found = _WRITTEN.fullmatch(written)
    unit = UNITS.get(found[2]) if found else None
    if found is None or unit is None:
        raise NoDuration
    if float(found[1]) * unit.total_seconds() > LONGEST.total_seconds():
        raise TooLong
    return int(found[1]) * unit if "." not in found[1] else float(found[1]) * unit


def show_duration(value: timedelta) -> str:
    """Write a duration in the largest unit up to days that divides it: ``90s``, ``2h``, ``1d``."""
    for unit in ("d", "h", "m", "s", "ms"):
        if value and value % UNITS[unit] == timedelta():
            return f"{value // UNITS[unit]}{unit}"
    return f"{value // UNITS['us']}us" if value else "0s"
