"""Formats of texts (JSON Schema 2020-12, Validation, section 7): whether one fits, and one that does."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime

_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?\d*([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def can(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return can


def _whole(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _is_moment(text: str) -> bool:
    found = _MOMENT.fullmatch(text)
    return bool(found) and _reads(datetime.fromisoformat)(text[:19])


def _is_day(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None and _reads(
        date.fromisoformat
    )(text)


_FITS: Mapping[str, Callable[[str], bool]] = {
    "date-time": _is_moment,
    "date": _is_day,
    "time": _whole(_TIME),
    "uuid": _whole(_UUID),
    "email": _whole(_MAIL),
    "uri": _whole(_URI),
    "url": _whole(_URI),
    "hostname": _whole(_HOST),
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": _reads(ipaddress.IPv6Address),
}

_SAMPLES: Mapping[str, Callable[[int], str]] = {
    "date-time": lambda n: f"2030-01-{n % 28 + 1:02}T09:00:00Z",
    "date": lambda n: f"2030-01-{n % 28 + 1:02}",
    "time": lambda n: f"09:{n % 60:02}:00Z",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n % 16**12:012x}",
    "email": lambda n: f"person{n}@example.com",
    "uri": lambda n: f"https://example.com/{n}",
    "url": lambda n: f"https://example.com/{n}",
    "hostname": lambda n: f"host{n}.example.com",
    "ipv4": lambda n: f"192.0.2.{n % 254 + 1}",
    "ipv6": lambda n: f"2001:db8::{n % 65535 + 1:x}",
    "byte": lambda _: "ZXhhbXBsZQ==",
    "duration": lambda n: f"PT{n + 1}M",
}


def fits(kind: str, text: str) -> bool:
    """Tell whether a text has a format; one that is not known holds nothing back."""
    knows = _FITS.get(kind)
    return knows is None or knows(text)


def of_format(kind: str, number: int) -> str | None:
    """Return a text of a format, another for each number; None for one that is not known."""
    make = _SAMPLES.get(kind)
    return make(number) if make else None
