"""Work over time as bars of characters: one row for each component, or for each crew where there are too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from drystone.l05_graph.outcome import Bar, Tabletop
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import bounded, duration, more, width_here
from drystone.l85_surfaces.cli.views.tables import shorten

LONGEST_NAME = 24
SHORTEST_BAR = 30
MOST_ROWS = 40
CRITICAL, ORDINARY, BY_HAND = "█", "▒", "▚"
LOADS = " ░▒▓█"
STEPS = (
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 5, 7, 14, 30, 90, 365)),
)


class Scale:
    """Where moments lie in a row.

    Args:
        lasts: What the whole row stands for.
        columns: How long it is.
    """

    def __init__(self, lasts: timedelta, columns: int) -> None:
        self.columns = columns
        self._column = max(lasts, timedelta(seconds=1)) / columns

    def span(self, begins: timedelta, ends: timedelta) -> range:
        """Return the columns of a time, at least one."""
        first = min(int(begins / self._column), self.columns - 1)
        last = min(int(-(-ends // self._column)), self.columns)
        return range(first, max(last, first + 1))

    def moment(self, column: int) -> timedelta:
        """Return when a column begins."""
        return column * self._column

    def ruler(self) -> str:
        """Return moments above the columns at which they are, with some space between."""
        step = next((one for one in STEPS if one / self._column >= 9), STEPS[-1])
        line, at = "0", step
        while (column := round(at / self._column)) + 4 <= self.columns:
            line = f"{line:<{column}}{duration(at)}"
            at += step
        return line


def gantt(found: Tabletop, *, paint: Paint = PLAIN, show_all: bool = False) -> Iterator[str]:
    """Draw who works on what and when, crew by crew."""
    if not found.bars or not found.lasts:
        return
    critical = {(step.component, step.begins) for step in found.chain}
    by_crew: dict[str, list[Bar]] = {}
    for bar in found.bars:
        by_crew.setdefault(bar.crew, []).append(bar)
    is_small = len(found.bars) + len(by_crew) <= MOST_ROWS
    names = [bar.component for bar in found.bars] if is_small or show_all else list(by_crew)
    label = min(LONGEST_NAME, max(map(len, names))) + 2
    scale = Scale(max(bar.ends for bar in found.bars), max(SHORTEST_BAR, width_here() - label - 3))
    yield paint(" " * (label + 2) + scale.ruler(), Style.QUIET)
    if is_small or show_all:
        for crew, bars in by_crew.items():
            yield paint(crew, Style.NAME)
            for bar in bars:
                is_critical = (bar.component, bar.begins) in critical
                yield _row(bar, is_critical, label, scale, paint)
    else:
        yield from _loads(found, by_crew, label, scale, paint)
    yield paint(_legend(is_small=is_small or show_all), Style.QUIET)


def _row(bar: Bar, is_critical: bool, label: int, scale: Scale, paint: Paint) -> str:
    span = scale.span(bar.begins, bar.ends)
    sign = BY_HAND if bar.is_break_glass else CRITICAL if is_critical else ORDINARY
    style = Style.BAD if bar.is_break_glass else Style.WARN if is_critical else None
    name = shorten(bar.component, label - 2)
    return f"  {name:<{label}}{' ' * span.start}{paint(sign * len(span), style)}"


def _loads(
    found: Tabletop,
    by_crew: Mapping[str, Sequence[Bar]],
    label: int,
    scale: Scale,
    paint: Paint,
) -> Iterator[str]:
    """Draw how many people of each crew are busy, the busiest crew first."""
    people = {crew.name: crew.people for crew in found.crews}
    busiest = sorted(by_crew, key=lambda crew: -max(bar.ends for bar in by_crew[crew]))
    some, left_out = bounded(busiest, show_all=False)
    for crew in some:
        busy = [0] * scale.columns
        for bar in by_crew[crew]:
            for column in scale.span(bar.begins, bar.ends):
                busy[column] += 1
        most = max(1, people.get(crew, 1))
        signs = "".join(LOADS[min(4, -(-4 * one // most))] for one in busy).rstrip()
        yield f"  {shorten(crew, label - 2):<{label}}{signs}"
    if left_out:
        yield paint(f"  {more(left_out, 'crews')}", Style.QUIET)


def _legend(*, is_small: bool) -> str:
    if is_small:
        return f"{CRITICAL} everything waited for it  {ORDINARY} other work  {BY_HAND} by hand, without what it needs"
    return f"share of the crew at work: {LOADS[1]} a quarter  {LOADS[2]} half  {LOADS[3]} three  {LOADS[4]} all"
