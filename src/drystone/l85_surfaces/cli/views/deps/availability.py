"""How available components can be, and where the time goes that they cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from drystone.l05_graph.availability import Availability
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.deps.additions import share
from drystone.l85_surfaces.cli.views.deps.text import (
    MOST,
    count,
    duration,
    labelled,
    more,
    named,
    percent,
)
from drystone.l85_surfaces.cli.views.tables import table

__all__ = ["MOST", "availability", "document"]

YEAR = timedelta(days=365)
MOST_IN_DETAIL = 3
MOST_SHARES = 6


def availability(
    found: Sequence[Availability],
    left_out: int,
    broken: int,
    given: Given,
    *,
    paint: Paint = PLAIN,
) -> Iterator[str]:
    """Tell a few in detail, many as a table.

    Args:
        found: Those to tell, broken promises first.
        left_out: How many there are besides.
        broken: How many of all promise what cannot be kept.
        given: Where.
        paint: How to colour.
    """
    if not found:
        yield (
            f"{paint(given.name, Style.NAME)}: no component promises anything (slo);"
            " name components to see how available they can be"
        )
        return
    said = paint(f"{count(broken, 'promise')} cannot be kept", Style.BAD)
    good = paint("every promise can be kept", Style.GOOD)
    promised = any(one.slo is not None for one in found)
    yield f"{paint(given.name, Style.NAME)}: {count(len(found) + left_out, 'component')}" + (
        f"; {said if broken else good}" if promised else ""
    )
    if len(found) > MOST_IN_DETAIL:
        yield ""
        yield from _table(found, paint)
        if left_out:
            yield paint(more(left_out), Style.QUIET)
        return
    for one in found:
        yield ""
        yield from _detail(one, paint)


def _table(found: Sequence[Availability], paint: Paint) -> Iterator[str]:
    rows = [
        (
            one.component,
            Piece(share(one.highest), Style.BAD if one.can_hold is False else None),
            "-" if one.slo is None else share(one.slo),
            f"{duration((1 - one.highest) * YEAR)}",
            f"{len(one.single_points) - 1:,}",
            f"{one.shares[0][0]} ({percent(one.shares[0][1])})" if one.shares else "-",
        )
        for one in found
    ]
    headings = ("component", "at most", "promises", "down a year", "single points", "most through")
    yield from table(headings, rows, paint=paint)


def _detail(one: Availability, paint: Paint) -> Iterator[str]:
    at_most = share(one.highest) if one.is_exact else f"{share(one.lowest)} to {share(one.highest)}"
    down = duration((1 - one.highest) * YEAR)
    yield f"{paint(one.component, Style.NAME)} can work {at_most} of the time at most: down {down} a year"
    if one.slo is not None:
        verdict = (
            paint("can be kept", Style.GOOD) if one.can_hold else paint("cannot be kept", Style.BAD)
        )
        yield from labelled("slo", f"{share(one.slo)}, which {verdict}", paint=paint)
    points = [name for name in one.single_points if name != one.component]
    if points:
        said = f"{count(len(points), 'single point')} of failure: {named(points)}"
        yield from labelled("with", said, paint=paint)
    parts = [f"{name} {percent(part)}" for name, part in one.shares[:MOST_SHARES]]
    if parts:
        rest = len(one.shares) - len(parts)
        text = ", ".join(parts) + (f" and {rest:,} more" if rest else "")
        yield from labelled("lost", f"through {text}", paint=paint)
    if one.unsaid:
        said = f"nobody has said how available {named(one.unsaid, most=6)} {'is' if len(one.unsaid) == 1 else 'are'}"
        yield from labelled("note", f"{said}; taken as always there", paint=paint)


def document(one: Availability) -> Mapping[str, Any]:
    """Return what a machine is told."""
    return {
        "component": one.component,
        "highest": one.highest,
        "lowest": one.lowest,
        "exact": one.is_exact,
        "slo": one.slo,
        "can_hold": one.can_hold,
        "single_points": one.single_points,
        "shares": dict(one.shares),
        "unsaid": one.unsaid,
    }
