"""Moments in documents and queries, kept as whole milliseconds since 1970-01-01T00:00Z.

Formats are those of ISO 8601 that OpenSearch calls ``strict_date_optional_time``, numbers, and patterns of the letters
``yyyy MM dd HH mm ss SSS XXX``. Queries may compute: ``now-7d/d``, ``2024-03-01||+1M``.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache

from drystone.l10_engines.search.errors import illegal

DEFAULT = "strict_date_optional_time||epoch_millis"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FARTHEST = 253402300799999  # the end of year 9999

_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?)?(Z|[+-]\d\d:?\d\d)?"
)
_NAMED = {
    "date": "yyyy-MM-dd",
    "strict_date": "yyyy-MM-dd",
    "basic_date": "yyyyMMdd",
    "basic_date_time": "yyyyMMdd'T'HHmmss.SSSXXX",
    "date_hour_minute_second": "yyyy-MM-dd'T'HH:mm:ss",
    "year_month_day": "yyyy-MM-dd",
}
_ISO_NAMES = frozenset(
    ("strict_date_optional_time", "date_optional_time", "strict_date_time", "date_time", "iso8601")
)
_LETTERS = {
    "yyyy": r"(?P<year>\d{4})",
    "uuuu": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d\d)",
    "dd": r"(?P<day>\d\d)",
    "HH": r"(?P<hour>\d\d)",
    "mm": r"(?P<minute>\d\d)",
    "ss": r"(?P<second>\d\d)",
    "SSS": r"(?P<fraction>\d{1,3})",
    "XXX": r"(?P<zone>Z|[+-]\d\d:\d\d)",
    "Z": r"(?P<zone>Z|[+-]\d\d:?\d\d)",
}
_SPAN = re.compile(r"([+-])(\d{0,6})([yMwdhHms])|/([yMwdhHms])")


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts = re.findall(r"'[^']*'|([a-zA-Z])(\1*)|[^a-zA-Z']+", form)
    text, place = "", 0
    for first, more in parts:
        if first:
            word = first + more
            if word not in _LETTERS:
                raise illegal(f"the date format [{form}] has [{word}], which is not read here")
            text += _LETTERS[word]
            place += len(word)
            continue
        found = re.compile(r"'[^']*'|[^a-zA-Z']+").match(form, place)
        if found is None:
            raise illegal(f"the date format [{form}] cannot be read")
        text += re.escape(found.group().strip("'"))
        place = found.end()
    return re.compile(text)


def check_format(form: str) -> None:
    """Refuse a format that is not read here.

    Args:
        form: Formats with ``||`` between them.

    Raises:
        Refused: One of them is not known.
    """
    for one in form.split("||"):
        if one not in ("epoch_millis", "epoch_second") and one not in _ISO_NAMES:
            _pattern(_NAMED.get(one, one))


def millis(value: object, form: str = DEFAULT) -> int:
    """Read a moment.

    Args:
        value: A number or a text.
        form: Formats with ``||`` between them.

    Raises:
        ValueError: It has none of the formats.
    """
    for one in form.split("||"):
        found = _read(value, one)
        if found is not None and -_FARTHEST <= found <= _FARTHEST:
            return found
    raise ValueError(f"failed to parse date field [{str(value)[:80]}] with format [{form}]")


def _read(value: object, form: str) -> int | None:  # noqa: PLR0911 - one for each format
    if isinstance(value, bool):
        return None
    if form in ("epoch_millis", "epoch_second"):
        try:
            number = float(value) if isinstance(value, str | int | float) else None
        except ValueError:
            return None
        if number is None or math.isnan(number) or abs(number) > _FARTHEST:
            return None
        return int(number * 1000) if form == "epoch_second" else int(number)
    if not isinstance(value, str):
        return None
    if form in _ISO_NAMES:
        return _iso(value)
    found = _pattern(_NAMED.get(form, form)).fullmatch(value)
    if found is None:
        return None
    said = found.groupdict()
    return _moment(
        [said.get(k) for k in ("year", "month", "day", "hour", "minute", "second", "fraction")],
        said.get("zone"),
    )


def _iso(text: str) -> int | None:
    found = _ISO.fullmatch(text)
    return None if found is None else _moment(list(found.groups()[:7]), found.group(8))


def _moment(parts: list[str | None], zone: str | None) -> int | None:
    year, month, day, hour, minute, second = (
        int(part or default) for part, default in zip(parts[:6], (1970, 1, 1, 0, 0, 0), strict=True)
    )
    fraction = int((parts[6] or "0").ljust(3, "0")[:3])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment = moment - shift if zone[0] == "+" else moment + shift
    return (moment - _EPOCH) // _MILLISECOND + fraction


def looks_like_one(text: str) -> bool:
    """Tell whether a text in a field that nobody described is a moment."""
    return len(text) >= 8 and text[:4].isdigit() and text[4] == "-" and _iso(text) is not None


def text(moment: float) -> str:
    """Write a moment as answers have it.

    Args:
        moment: Milliseconds since 1970.
    """
    found = _EPOCH + timedelta(milliseconds=int(moment))
    return f"{found:%Y-%m-%dT%H:%M:%S}.{found.microsecond // 1000:03d}Z".rjust(24, "0")


def computed(value: object, form: str, *, now: datetime, up: bool) -> int:
    """Read a moment of a query, which may be computed.

    Args:
        value: Such as ``now-1d/d``, or a moment with ``||`` and steps after it.
        form: Formats of a moment.
        now: The time.
        up: Whether rounding goes to the last millisecond of a unit, not to its first.

    Raises:
        ValueError: It cannot be read.
    """
    if not isinstance(value, str):
        return millis(value, form)
    if value.startswith("now"):
        moment, steps = now, value[3:]
    else:
        start, bar, steps = value.partition("||")
        at = millis(start, form)
        if not bar:
            return at
        moment = _EPOCH + timedelta(milliseconds=at)
    place = 0
    for found in _SPAN.finditer(steps):
        if found.start() != place:
            break
        place = found.end()
        try:
            moment = _step(moment, found, up=up)
        except OverflowError as e:
            raise ValueError(f"[{value}] is no moment that can be reached") from e
    if place != len(steps):
        raise ValueError(f"[{value[:80]}] is not a moment with steps such as now-1d/d")
    return (moment - _EPOCH) // _MILLISECOND


_FIXED = {"w": 7 * 86400, "d": 86400, "h": 3600, "H": 3600, "m": 60, "s": 1}


def _step(moment: datetime, found: re.Match[str], *, up: bool) -> datetime:
    sign, count, unit, rounded = found.groups()
    if rounded:
        begun = begin(moment, rounded)
        return after(begun, rounded, 1) - _MILLISECOND if up else begun
    return after(moment, unit, int(count or 1) * (1 if sign == "+" else -1))


def after(moment: datetime, unit: str, count: int) -> datetime:
    """Return a moment some units later; the day of a month is its last one at most."""
    if unit in _FIXED:
        return moment + timedelta(seconds=_FIXED[unit] * count)
    months = (
        moment.year * 12
        + moment.month
        - 1
        + count * (12 if unit == "y" else 3 if unit == "q" else 1)
    )
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    day = moment.day
    while True:
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            day -= 1


def begin(moment: datetime, unit: str) -> datetime:  # noqa: PLR0911 - one for each unit
    """Return when the unit of time began in which a moment lies."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "y":
            return day.replace(month=1, day=1)
        case "q":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "M":
            return day.replace(day=1)
        case "w":
            return day - timedelta(days=day.weekday())
        case "d":
            return day
        case "h" | "H":
            return day.replace(hour=moment.hour)
        case "m":
            return moment.replace(second=0, microsecond=0)
        case _:
            return moment.replace(microsecond=0)


def at(moment: int) -> datetime:
    """Return milliseconds since 1970 as a time."""
    return _EPOCH + timedelta(milliseconds=moment)


def since(moment: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND
