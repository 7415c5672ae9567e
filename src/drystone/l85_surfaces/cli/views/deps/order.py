"""The order in which everything comes back, wave by wave, and why some of it never does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drystone.l05_graph.recovery import Order
from drystone.l85_surfaces.cli.dependencies.reading import Given
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    count,
    labelled,
    more,
    named,
    numbered,
    size_of,
)
from drystone.l85_surfaces.cli.views.times import moment, taken

if TYPE_CHECKING:
    from drystone.l25_deployer.api import CameUp

MOST_IN_A_WAVE = 12
MOST_WAVES = 60


@dataclass(frozen=True, kw_only=True)
class Start:
    """How the last start of a platform went.

    Attributes:
        is_followed: Whether it followed the order of what is deployed now.
        came_up: When each was up, and how long that took.
    """

    is_followed: bool
    came_up: Mapping[str, CameUp]

    def said(self, name: str) -> str:
        """Return a name with when it was up, if that is known."""
        one = self.came_up.get(name)
        return name if one is None else f"{name} ({moment(one.at)[-8:]}, {taken(one.seconds)})"


def order(
    found: Order,
    given: Given,
    start: Start | None,
    *,
    paint: Paint = PLAIN,
    show_all: bool = False,
) -> Iterator[str]:
    """Tell the waves, then what comes up only together, then what never does."""
    model = given.model
    size = size_of(len(model.components), len(model.dependencies))
    waves = count(len(found.waves), "wave")
    never = f"{len(found.because):,}"
    yield f"{paint(given.name, Style.NAME)}: {size}; {waves}" + (
        ", " + paint(f"{never} never come back by themselves", Style.BAD) if found.because else ""
    )
    if start is not None:
        yield from (paint(text, Style.QUIET) for text in _start(start))
    yield ""
    some, left_out = bounded(found.waves, show_all=show_all, most=MOST_WAVES)
    wide = len(str(len(found.waves)))
    for number, wave in enumerate(some, 1):
        every = [start.said(one) for one in wave] if start is not None else wave
        text = named(every, most=len(every) if show_all else MOST_IN_A_WAVE)
        yield from numbered(number, wide, text, paint=paint)
    if left_out:
        yield paint(more(left_out, "waves"), Style.QUIET)
    yield from _together(found, paint, show_all=show_all)
    yield from _never(found, paint, show_all=show_all)


def _start(start: Start) -> Iterator[str]:
    if start.came_up:
        day = moment(max(one.at for one in start.came_up.values()))[:10]
        yield f"in brackets: when it was up in the last start, {day}, and how long that took"
    if not start.is_followed:
        yield "something else was deployed at the last start; the next one follows this order"


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


def document(found: Order, start: Start | None) -> Mapping[str, Any]:
    """Return what a machine is told."""
    came_up = start.came_up if start is not None else {}
    return {
        "waves": found.waves,
        "together": [{"members": one.members, "circle": one.circle} for one in found.together],
        "never": found.because,
        "deadlocks": found.deadlocks,
        "seconds": {name: one.seconds for name, one in came_up.items()},
        "up": {name: one.at for name, one in came_up.items()},
        "followed": start.is_followed if start is not None else None,
    }
