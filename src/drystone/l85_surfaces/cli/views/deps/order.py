"""The order in which everything comes back, wave by wave, and why some of it never does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drystone.l05_graph.recovery import Order
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    count,
    labelled,
    more,
    named,
    size_of,
    wrapped,
)
from drystone.l85_surfaces.cli.views.times import taken

MOST_IN_A_WAVE = 12
MOST_WAVES = 60


def order(
    found: Order,
    given: Given,
    took: Mapping[str, float],
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell the waves, then what comes up only together, then what never does."""
    model = given.model
    size = size_of(len(model.components), len(model.dependencies))
    waves = count(len(found.waves), "wave")
    never = count(len(found.because), "component")
    yield f"{paint(given.name, Style.NAME)}: {size}; {waves}" + (
        ", " + paint(f"{never} never come back by themselves", Style.BAD) if found.because else ""
    )
    if took:
        yield paint("in brackets: how long it took in the last start", Style.QUIET)
    yield ""
    some, left_out = bounded(found.waves, show_all=show_all, most=MOST_WAVES)
    wide = len(str(len(found.waves)))
    for number, wave in enumerate(some, 1):
        every = [f"{one} ({taken(took[one])})" if one in took else one for one in wave]
        text = named(every, most=len(every) if show_all else MOST_IN_A_WAVE)
        head = f"{number:>{wide}}  "
        first, *rest = wrapped(text, head, " " * len(head))
        yield paint(head, Style.NAME) + first[len(head) :]
        yield from rest
    if left_out:
        yield paint(more(left_out, "waves"), Style.QUIET)
    yield from _together(found, paint, show_all=show_all)
    yield from _never(found, paint, show_all=show_all)


def _together(found: Order, paint: Paint, *, show_all: bool) -> Iterator[str]:
    some, left_out = bounded(found.together, show_all=show_all, most=5)
    for one in some:
        yield ""
        yield f"{paint('together', Style.WARN)} {named(one.members)}"
        yield from labelled("why", " → ".join(one.circle), paint=paint)
    if left_out:
        yield ""
        yield paint(more(left_out, "groups that come up together"), Style.QUIET)


def _never(found: Order, paint: Paint, *, show_all: bool) -> Iterator[str]:
    some, left_out = bounded(found.deadlocks, show_all=show_all, most=5)
    for circle in some:
        yield ""
        yield f"{paint('deadlock', Style.BAD)} {named(dict.fromkeys(circle))}"
        yield from labelled("why", " → ".join(circle), paint=paint)
        yield from labelled(
            "do",
            "`drystone deps untangle --goal no-deadlock` says what to change",
            paint=paint,
        )
    if left_out:
        yield ""
        yield paint(more(left_out, "deadlocks"), Style.QUIET)
    inside = {name for circle in found.deadlocks for name in circle}
    waiting = [name for name in found.never if name not in inside]
    if waiting:
        text = named(waiting, most=len(waiting) if show_all else MOST_IN_A_WAVE)
        yield ""
        yield f"{paint('waits for them', Style.BAD)}: {count(len(waiting), 'component')}"
        yield from labelled("who", text, paint=paint)
        yield from labelled("why", " → ".join(found.path(waiting[0])), paint=paint)


def document(found: Order, took: Mapping[str, float]) -> Mapping[str, Any]:
    """Return what a machine is told."""
    return {
        "waves": found.waves,
        "together": [{"members": one.members, "circle": one.circle} for one in found.together],
        "never": found.because,
        "deadlocks": found.deadlocks,
        "seconds": took,
    }
