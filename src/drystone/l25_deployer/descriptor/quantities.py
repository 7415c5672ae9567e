"""The vocabulary of quantities: durations, sizes, CPUs, rates, shares and counts, each declared once.

What people write carries its unit (``5m``, ``512Mi``); inside, durations are :class:`~datetime.timedelta`, sizes bytes, CPUs
cores and percentages shares of one.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, TypeAlias

import msgspec

from drystone.l00_kernel import durations
from drystone.l25_deployer.descriptor.forms import Mistake, Number, Text, Whole

_SIZES = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}


class Rate(msgspec.Struct, frozen=True):
    """So many in so long."""

    count: int
    per: timedelta


def duration(text: str) -> timedelta:
    """Read ``30s``, ``5m`` or ``90d``.

    Raises:
        Mistake: It is longer than a hundred years.
    """
    try:
        return durations.duration(text)
    except ValueError as error:  # That it has a number and a unit, its form says.
        what, instead = "is longer than a hundred years", "write a shorter duration, such as 30d"
        raise Mistake(what, instead) from error


def size(text: str) -> int:
    """Read ``512Mi`` or ``1.5Gi`` as bytes."""
    number, unit = text[:-2], text[-2:]
    if len(number) > 15:
        raise Mistake("is larger than any machine", "write a smaller size, such as 20Gi")
    return int(float(number) * _SIZES[unit])


def show_size(value: int) -> str:
    """Write bytes in the largest unit that divides them: ``512Mi``."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if value and value % _SIZES[unit] == 0:
            return f"{value // _SIZES[unit]}{unit}"
    return f"{value} bytes"


def _cpu(text: str) -> float:
    cores = int(text[:-1]) / 1000 if text.endswith("m") else float(text)
    if not 0.001 <= cores <= 1024:
        raise Mistake(f"expected CPUs from 1m to 1024, got '{text[:40]}'")
    return cores


def _rate(text: str) -> Rate:
    count, _, unit = text.partition("/")
    return Rate(int(count), durations.UNITS[unit])


def _percent(text: str) -> float:
    share = float(text[:-1]) / 100
    if share > 1:
        raise Mistake(f"is more than 100%: '{text}'")
    return share


def _as_duration(text: str) -> str | None:
    found = re.match(r"(\d{1,6})\s*(ms|[smhdy])?", text.lower())
    return f"{found[1]}{found[2] or 's'}" if found else None


def _as_size(text: str) -> str | None:
    found = re.match(r"(\d{1,6}(?:\.\d+)?)\s*([kmgt])?", text.lower())
    return f"{found[1]}{(found[2] or 'm').upper()}i" if found else None


def _as_percent(text: str) -> str:
    return f"{text}%"


def _as_rate(text: str) -> str | None:
    found = re.match(r"(\d{1,9})\s*(?:/|per|rp)?\s*([smh])?", text.lower())
    return f"{found[1]}/{found[2] or 's'}" if found else None


Duration: TypeAlias = Annotated[
    timedelta,
    Text(
        "duration",
        "a duration such as 30s, 5m, 1h or 7d",
        "[0-9]+(?:ms|s|m|h|d|y)",
        convert=duration,
        repair=_as_duration,
    ),
]
Size: TypeAlias = Annotated[
    int,
    Text(
        "size",
        "a size such as 512Mi or 20Gi",
        r"[0-9]+(?:\.[0-9]+)?(?:Ki|Mi|Gi|Ti)",
        convert=size,
        repair=_as_size,
    ),
]
Cpu: TypeAlias = Annotated[
    float,
    Text(
        "CPUs", "CPUs such as 500m or 2", r"[0-9]{1,9}m|[0-9]{1,9}(?:\.[0-9]{1,6})?", convert=_cpu
    ),
]
Rates: TypeAlias = Annotated[
    Rate,
    Text("rate", "a rate such as 100/s", "[0-9]{1,9}/(?:s|m|h)", convert=_rate, repair=_as_rate),
]
Percent: TypeAlias = Annotated[
    float,
    Text(
        "percentage",
        "a percentage such as 5%",
        r"[0-9]{1,3}(?:\.[0-9]{1,6})?%",
        convert=_percent,
        repair=_as_percent,
    ),
]
Port: TypeAlias = Annotated[int, Whole(1, 65535)]
Tier: TypeAlias = Annotated[int, Whole(0, 4)]
Count: TypeAlias = Annotated[int, Whole(0, 1_000_000)]
Positive: TypeAlias = Annotated[int, Whole(1, 1_000_000)]
Factor: TypeAlias = Annotated[float, Number()]
