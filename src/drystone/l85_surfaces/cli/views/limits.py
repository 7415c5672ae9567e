"""Limits, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.durations import show_duration
from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import shorten, table
from drystone.l85_surfaces.cli.views.times import age

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from drystone.l35_mesh.limits.api import HeldLimit, HeldLimits, NameUse

_HEADINGS = (
    "service",
    "env",
    "limit",
    "rate",
    "per",
    "counted",
    "if down",
    "admitted",
    "over",
    "requests",
)
_LONGEST_NAME = 40
_UNKNOWN = "?"


def limits(
    found: HeldLimits, *, now: datetime, paint: Paint = PLAIN, width: int | None = None
) -> Iterator[str]:
    """One line per limit, then who is nearest to those that are counted in one place, and what is not as it should be."""
    yield from table(_HEADINGS, [_row(one) for one in found.limits], paint=paint, width=width)
    for one in found.limits:
        if one.nearest:
            of = paint(f"{one.service} {one.limit}", Style.NAME)
            yield f"nearest to {of}: {', '.join(map(_nearest, one.nearest))}"
    for lost in found.uncounted:
        yield paint(
            f"{lost.service} in {lost.environment}: while nobody could count, {lost.passed:,} requests were let through"
            f" and {lost.refused:,} refused",
            Style.WARN,
        )
    if counting := _counting(found, now):
        yield paint(counting, Style.QUIET)
    for problem in found.problems:
        yield paint(problem, Style.BAD)


def _row(one: HeldLimit) -> tuple[Piece | str, ...]:
    burst = f", {one.burst} at once" if one.burst not in (None, one.count) else ""
    over = _number(one.over)
    if one.shadow:
        over = f"{over} (shadow)"
    return (
        Piece(one.service, Style.NAME),
        one.environment,
        one.limit,
        f"{one.count}/{_period(one.period)}{burst}",
        one.header or one.per,
        f"{one.counted}, {one.algorithm}",
        one.when_down or "-",
        _number(one.admitted),
        Piece(over, Style.WARN if one.over else None),
        one.match,
    )


def _period(period: timedelta) -> str:
    """Write a second, a minute, an hour or a day as descriptors do: ``s``."""
    shown = show_duration(period)
    return shown[1:] if shown.startswith("1") and shown[1:].isalpha() else shown


def _number(count: int | None) -> str:
    return _UNKNOWN if count is None else f"{count:,}"


def _nearest(use: NameUse) -> str:
    name = shorten(visible(use.name), _LONGEST_NAME) or "all together"
    return f"{name} has {use.left:,} left"


def _counting(found: HeldLimits, now: datetime) -> str:
    spans = (("the proxy", found.proxy_for), ("the limiter", found.limiter_for))
    told = [f"{who} for {age(now - span, now)}" for who, span in spans if span is not None]
    return f"counted by {' and by '.join(told)}" if told else ""
