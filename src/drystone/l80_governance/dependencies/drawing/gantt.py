"""Work over time, a lane for each that works at the same time in a crew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from drystone.l05_graph.disaster import Event
from drystone.l05_graph.outcome import Bar, Tabletop
from drystone.l80_governance.dependencies.drawing.shapes import box, upright
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.happenings import sentence
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l80_governance.dependencies.view import short

WIDTH, LEFT, TOP = 1160.0, 190.0, 34.0
_LANE, _BAR, _BETWEEN = 19.0, 14.0, 9.0
MOST_BARS = 4000
_TICKS = (
    *(timedelta(minutes=n) for n in (5, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 4, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)
_MOST_TICKS = 14
_PER_LETTER = 6.3


@dataclass(frozen=True, kw_only=True)
class _Lane:
    """Bars beside each other that do not overlap."""

    crew: str
    is_first: bool
    bars: Sequence[Bar]
    top: float


def gantt(outcome: Tabletop, events: Sequence[Event] = ()) -> Html:
    """Draw the work of a tabletop exercise, and what happened meanwhile.

    Every bar has the seconds at which it begins and ends as ``data-begins`` and ``data-ends``, so that a script can play it.
    """
    lanes = _lanes(outcome.bars[:MOST_BARS])
    span = max([outcome.lasts, *(bar.ends for bar in outcome.bars)], default=timedelta())
    happened = [one for one in events if one.at <= span]
    scale = (WIDTH - LEFT - 12) / max(1.0, span.total_seconds())
    bottom = (lanes[-1].top if lanes else TOP) + _LANE + 6
    critical = {(step.component, step.begins) for step in outcome.chain}
    parts: list[Node] = [
        tag(
            "title",
            f"The work of {len({lane.crew for lane in lanes})} crews, {spoken(span)} in all",
        ),
        tag("g", _axis(span, scale, bottom), class_="axis"),
        [_event(one, scale, bottom) for one in happened],
        [_crew(lane) for lane in lanes if lane.is_first],
        [_bar(bar, lane, scale, critical) for lane in lanes for bar in lane.bars],
        upright(LEFT, TOP - 6, bottom, class_="now"),
    ]
    return tag(
        "svg",
        parts,
        viewBox=f"0 0 {WIDTH:.0f} {bottom + 4:.0f}",
        role="img",
        class_="gantt",
        id="gantt",
        data_left=f"{LEFT:.2f}",
        data_scale=f"{scale:.9f}",
        aria_label="Work by crew over time; the table below says the same",
    )


def _lanes(bars: Iterable[Bar]) -> list[_Lane]:
    by_crew: dict[str, list[list[Bar]]] = {}
    for bar in sorted(bars, key=lambda one: (one.crew, one.begins, one.ends)):
        rows = by_crew.setdefault(bar.crew, [])
        free = next((row for row in rows if row[-1].ends <= bar.begins), None)
        if free is None:
            rows.append([bar])
        else:
            free.append(bar)
    lanes, top = [], TOP
    for crew, rows in by_crew.items():
        for number, row in enumerate(rows):
            lanes.append(_Lane(crew=crew, is_first=number == 0, bars=row, top=top))
            top += _LANE
        top += _BETWEEN
    return lanes


def _axis(span: timedelta, scale: float, bottom: float) -> list[Node]:
    step = next((tick for tick in _TICKS if span / tick <= _MOST_TICKS), _TICKS[-1])
    marks: list[Node] = []
    for number in range(int(span / step) + 1):
        x = LEFT + number * step.total_seconds() * scale
        marks.append(upright(x, TOP - 6, bottom))
        marks.append(tag("text", spoken(number * step), x=f"{x:.1f}", y=f"{TOP - 13:.0f}"))
    return marks


def _event(event: Event, scale: float, bottom: float) -> Html:
    """Mark the time of an event by a line through all lanes and a sign above them."""
    x = LEFT + event.at.total_seconds() * scale
    top = TOP - 8
    return tag(
        "g",
        tag("title", sentence(event)[:300]),
        upright(x, top, bottom),
        tag(
            "polygon",
            points=f"{x - 5:.1f},{top - 4:.0f} {x + 5:.1f},{top - 4:.0f} {x:.1f},{top + 5:.0f}",
        ),
        class_="event",
    )


def _crew(lane: _Lane) -> Html:
    name = short(lane.crew, int((LEFT - 16) / _PER_LETTER))
    y = lane.top + _BAR / 2
    return tag(
        "text", tag("title", lane.crew), name, x=f"{LEFT - 12:.0f}", y=f"{y:.1f}", class_="crew"
    )


def _bar(bar: Bar, lane: _Lane, scale: float, critical: set[tuple[str, timedelta]]) -> Html:
    begins, ends = bar.begins.total_seconds(), bar.ends.total_seconds()
    x, width = LEFT + begins * scale, max(1.2, (ends - begins) * scale - 0.8)
    kind = "glass" if bar.is_break_glass else "work"
    if (bar.component, bar.begins) in critical:
        kind += " critical"
    if not bar.is_done:
        kind += " stopped"
    said = f"{bar.component}: {spoken(bar.begins)} to {spoken(bar.ends)}, because of {REASONS[bar.reason]}"
    shape = box(
        x,
        lane.top,
        width,
        _BAR,
        tag("title", said + (f" {bar.because}" if bar.because else "")),
        round_=2.5,
        class_=f"piece {kind}",
        data_begins=int(begins),
        data_ends=int(ends),
    )
    room = int((width - 6) / _PER_LETTER)
    if room < 3:
        return shape
    y = lane.top + _BAR / 2
    name = tag(
        "text", short(bar.component, room), x=f"{x + 4:.1f}", y=f"{y:.1f}", class_=f"on {kind}"
    )
    return tag("g", shape, name)


REASONS: Mapping[str, str] = {
    "begin": "the begin of all work",
    "need": "what it needs:",
    "crew": "its crew, which worked on",
    "asleep": "its crew, which was asleep",
    "break-glass": "a circle, which was broken by hand",
    "event": "an event",
}
"""Why work began when it did, as a part of a sentence."""
