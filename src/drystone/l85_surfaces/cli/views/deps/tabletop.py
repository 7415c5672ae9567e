"""How a recovery goes: how long, why so long, who, when, and what never comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from drystone.l05_graph.outcome import Spread, Step, Tabletop
from drystone.l05_graph.rehearsal_plan import Reason
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.deps.gantt import gantt
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    cost,
    count,
    duration,
    labelled,
    more,
    named,
    percent,
)
from drystone.l85_surfaces.cli.views.tables import table

MOST_STEPS = 15
MOST_ROWS = 10


def tabletop(
    found: Tabletop,
    given: Given,
    *,
    title: str = "",
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell the whole: the totals first, then what explains them."""
    yield from _totals(found, given, title, paint)
    if not found.lost:
        return
    yield ""
    yield from gantt(found, paint=paint, show_all=show_all)
    yield from _chain(found, paint, show_all=show_all)
    yield from _unrecovered(found, paint, show_all=show_all)
    yield from _glass(found, paint, show_all=show_all)
    yield from _products(found, paint, show_all=show_all)
    yield from _crews(found, paint, show_all=show_all)
    yield from _days(found, paint, show_all=show_all)


def _totals(found: Tabletop, given: Given, title: str, paint: Paint) -> Iterator[str]:
    every = len(given.model.components)
    what = f"{title}: " if title else ""
    yield f"{paint(given.name, Style.NAME)}: {what}{len(found.lost):,} of {count(every, 'component')} lost"
    if not found.lost:
        yield "nothing has to be brought back"
        return
    back = paint(f"back in {duration(found.lasts)}", Style.NAME)
    if len(found.unrecovered) == len(found.lost):
        back = paint("nothing comes back", Style.BAD)
    elif found.unrecovered:
        back += paint(f", without {count(len(found.unrecovered), 'component')}", Style.BAD)
    yield back
    if found.many is not None:
        yield f"in {found.many.runs:,} runs: {_spread(found.many.lasts)}"


def _spread(spread: Spread) -> str:
    def said(time: timedelta | None) -> str:
        return "never" if time is None else duration(time)

    return f"half within {said(spread.p50)}, nine tenths within {said(spread.p90)}"


def _chain(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    if not found.chain:
        return
    yield ""
    yield paint("why it takes so long", Style.NAME)
    some, left_out = bounded(found.chain, show_all=show_all, most=MOST_STEPS)
    critical = found.many.criticality if found.many is not None else {}
    rows = [
        (
            duration(step.begins),
            duration(step.ends),
            step.component,
            step.crew,
            percent(critical.get(step.component, 0.0), 0) if critical else "",
            because(step),
        )
        for step in some
    ]
    headings = (
        "from",
        "to",
        "component",
        "crew",
        "critical" if critical else "",
        "began then because",
    )
    yield from table(headings, rows, paint=paint, indent="  ")
    if left_out:
        yield paint(f"  {more(left_out, 'steps')}", Style.QUIET)


def because(step: Step) -> str:
    """Say why a step began when it did."""
    match step.reason:
        case Reason.BEGIN:
            return "nothing was missing"
        case Reason.NEED:
            return f"it needed {step.because}"
        case Reason.CREW:
            return f"the crew worked on {step.because}"
        case Reason.ASLEEP:
            return "the crew was asleep"
        case Reason.BREAK_GLASS:
            return "it was brought up by hand"
        case Reason.EVENT:
            return "something happened"


def _unrecovered(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    if not found.unrecovered:
        return
    yield ""
    yield paint("never comes back", Style.BAD)
    some, left_out = bounded(found.unrecovered, show_all=show_all, most=MOST_ROWS)
    for one in some:
        state = "in place, but waits" if one.is_placed else "waits"
        way = " → ".join(one.path) if len(one.path) > 1 else "nobody who could work on it"
        yield from labelled("", f"{one.component} {state}: {way}", paint=paint, indent="")
    if left_out:
        yield paint(f"  {more(left_out)}", Style.QUIET)


def _glass(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    if not found.glass:
        return
    yield ""
    yield paint("by hand, without what it needs", Style.NAME)
    some, left_out = bounded(found.glass, show_all=show_all, most=MOST_ROWS)
    rows = [
        (
            one.component,
            one.owner or "-",
            duration(one.takes),
            cost(one.cost),
            one.runbook or Piece("no runbook", Style.WARN),
        )
        for one in some
    ]
    yield from table(
        ("component", "owner", "takes", "cost", "runbook"), rows, paint=paint, indent="  "
    )
    if left_out:
        yield paint(f"  {more(left_out)}", Style.QUIET)


def _products(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    if not found.products:
        return
    yield ""
    yield paint("products", Style.NAME)
    latest = timedelta.max
    ordered = sorted(found.products, key=lambda one: one.serves or latest, reverse=True)
    some, left_out = bounded(ordered, show_all=show_all, most=MOST_ROWS)
    rows = [
        (
            one.name,
            Piece("never", Style.BAD) if one.serves is None else duration(one.serves),
            "" if one.spread is None else _spread(one.spread),
        )
        for one in some
    ]
    headings = ("product", "back after", "" if found.many is None else "in many runs")
    yield from table(headings, rows, paint=paint, indent="  ")
    if left_out:
        yield paint(f"  {more(left_out, 'products')}", Style.QUIET)


def _crews(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    busy = [crew for crew in found.crews if crew.worked]
    if not busy:
        return
    yield ""
    yield paint("crews", Style.NAME)
    ordered = sorted(busy, key=lambda crew: -crew.share)
    some, left_out = bounded(ordered, show_all=show_all, most=MOST_ROWS)
    rows = [
        (crew.name, f"{crew.people:,}", duration(crew.worked), percent(crew.share, 0))
        for crew in some
    ]
    yield from table(("crew", "people", "worked", "busy"), rows, paint=paint, indent="  ")
    if left_out:
        yield paint(f"  {more(left_out, 'crews')}", Style.QUIET)


def _days(found: Tabletop, paint: Paint, *, show_all: bool) -> Iterator[str]:
    if len(found.days) < 2:
        return
    yield ""
    yield paint("day by day", Style.NAME)
    some, left_out = bounded(found.days, show_all=show_all, most=MOST_ROWS)
    rows = [
        (
            f"{day.number}",
            f"{day.down_at_begin:,}",
            f"{day.down_at_end:,}",
            named(day.serves_now, most=4),
        )
        for day in some
    ]
    yield from table(
        ("day", "down", "down in the end", "came back"), rows, paint=paint, indent="  "
    )
    if left_out:
        yield paint(f"  {more(left_out, 'days')}", Style.QUIET)
