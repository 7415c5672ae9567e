"""When deploys are allowed: ``mon-fri 09:00-16:00 Australia/Sydney``, as descriptors say it. Pure.

A window is a wall clock's: where summer time begins or ends, it is an hour shorter or longer in passing, never shifted. A window
whose end is not after its beginning goes on into the next day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from drystone.l50_orchestrator.releases.errors import RequestUnfit

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AHEAD = 9
"""Days in which a weekly window opens at least once, with one to spare at each end."""


class Window(msgspec.Struct, frozen=True):
    """Some hours of some days.

    Attributes:
        days: 0 is Monday.
        opens: On each of these days.
        closes: On the same day, or on the next one where it is not later than ``opens``.
        zone: Whose clock.
    """

    days: frozenset[int]
    opens: time
    closes: time
    zone: str

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Return when it opens and closes on a day, in UTC; None on other days."""
        if day.weekday() not in self.days:
            return None
        zone = ZoneInfo(self.zone)
        ends_on = day if self.closes > self.opens else day + timedelta(days=1)
        opens = datetime.combine(day, self.opens, zone).astimezone(UTC)
        return opens, datetime.combine(ends_on, self.closes, zone).astimezone(UTC)


def parse(text: str) -> Window:
    """Read a window.

    Raises:
        RequestUnfit: It has no such day, hour or zone.
    """
    parts = text.split()
    try:
        opens, closes = (time.fromisoformat(part) for part in parts[1].split("-"))
        zone = _zone(parts[2] if len(parts) > 2 else "utc")
        days = frozenset(day for part in parts[0].split(",") for day in _span(part))
    except (ValueError, IndexError, ZoneInfoNotFoundError, OSError) as e:
        raise RequestUnfit(
            f"deploy.windows: {text!r} is no window: write days, hours and a zone, such as"
            " 'mon-thu 09:00-16:00 Europe/Berlin'"
        ) from e
    return Window(days, opens, closes, zone)


def is_open(windows: tuple[Window, ...], now: datetime) -> bool:
    """Tell whether deploys are allowed at a moment; always where there is no window."""
    return not windows or any(
        opens <= now < closes for one in windows for opens, closes in _around(one, now)
    )


def opens_at(windows: tuple[Window, ...], now: datetime) -> datetime | None:
    """Return when deploys are allowed next, ``now`` where they are; None where no window opens within days."""
    if is_open(windows, now):
        return now
    coming = [
        opens
        for one in windows
        for opens, closes in _around(one, now)
        if opens > now and closes > opens
    ]
    return min(coming, default=None)


def _around(window: Window, now: datetime) -> list[tuple[datetime, datetime]]:
    first = now.astimezone(ZoneInfo(window.zone)).date() - timedelta(days=1)
    found = (window.on(first + timedelta(days=n)) for n in range(_AHEAD))
    return [one for one in found if one is not None]


def _span(part: str) -> list[int]:
    first, _, last = part.partition("-")
    at, to = _DAYS.index(first), _DAYS.index(last or first)
    return [day % 7 for day in range(at, (to if to >= at else to + 7) + 1)]


def _zone(name: str) -> str:
    """Return the proper name of a zone; descriptors have it in small letters."""
    if name.lower() in {"utc", "z"}:
        return "UTC"
    proper = "/".join(
        "_".join(
            "-".join(word.capitalize() for word in part.split("-")) for part in piece.split("_")
        )
        for piece in name.split("/")
    )
    for candidate in (name, proper, name.upper()):
        try:
            ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        return candidate
    raise ZoneInfoNotFoundError(name)
