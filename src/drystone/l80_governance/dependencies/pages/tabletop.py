"""The tabletop: a disaster, and how the recovery would go."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from drystone.l05_graph.disaster import DAY
from drystone.l05_graph.outcome import Bar, Tabletop
from drystone.l80_governance.dependencies.disasters import Exercise
from drystone.l80_governance.dependencies.drawing.gantt import MOST_BARS, gantt
from drystone.l80_governance.dependencies.drawing.pictures import picture
from drystone.l80_governance.dependencies.drawing.stones import shared_by
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.html import Html, Node, joined, tag
from drystone.l80_governance.dependencies.pages.disaster_form import disaster_form
from drystone.l80_governance.dependencies.pages.meanwhile import meanwhile
from drystone.l80_governance.dependencies.pages.tabletop_tables import outcome_tables
from drystone.l80_governance.dependencies.parts import card, counted, section
from drystone.l80_governance.dependencies.view import Page, View

PATH = "tabletop"
_STEPS = 200


def tabletop_page(view: View, exercise: Exercise | None, outcome: Tabletop | None) -> Page:
    """Make the page.

    Args:
        view: Of the model.
        exercise: What is rehearsed, if anything is asked for.
        outcome: How it goes.
    """
    body: list[Node] = []
    if exercise is not None and outcome is not None:
        body += [
            _summary(view, outcome),
            _play(view, exercise, outcome),
            *outcome_tables(view, outcome),
            _reports(view),
        ]
    if exercise is not None:
        body.append(meanwhile(view, exercise.disaster.events))
        if outcome is None:
            body.insert(0, _ended(view))
    body.append(disaster_form(view, is_first=exercise is None))
    return Page(
        title="Tabletop",
        lead="Lose something on paper, and see who brings it back, in which order, and how long that takes.",
        body=body,
        path=PATH,
        scripts=("tabletop.js",) if outcome is not None else (),
    )


def _ended(view: View) -> Html:
    again = tag("a", "Rehearse it", href=view.again(PATH, ended=None))
    return tag(
        "p", "The rehearsal was ended. ", again, ", or ask for something else.", class_="empty"
    )


def _summary(view: View, outcome: Tabletop) -> Html:
    many = outcome.many
    spread = None if many is None else f"nine of ten: {spoken(many.lasts.p90)}"
    stuck = len(outcome.unrecovered)
    here = view.again(PATH)
    to = {name: type(here)(f"{here}#{name}") for name in ("play", "stuck", "glass", "lost")}
    lasts = outcome.lasts if many is None or many.lasts.p50 is None else many.lasts.p50
    label = "until all that can serves again" if stuck else "until everything serves again"
    return tag(
        "ul",
        card(spoken(lasts), label, to["play"], note=spread),
        card(f"{len(outcome.lost):,}", "components are lost", to["play"]),
        card(f"{stuck:,}", "never come back", to["stuck"], mood="bad" if stuck else "good"),
        card(
            f"{len(outcome.glass):,}",
            "break-glass steps",
            to["glass"],
            mood="careful" if outcome.glass else "good",
        ),
        class_="cards",
    )


def _play(view: View, exercise: Exercise, outcome: Tabletop) -> Html:
    days = max(1, len(outcome.days))
    day = min(view.asked.number("day", days, most=10**6), days)
    at = min(day * DAY, outcome.lasts) if day < days else outcome.lasts
    seconds = int(outcome.lasts.total_seconds())
    step = max(1, seconds // _STEPS)
    end = -(-seconds // step) * step  # a slider stops at whole steps
    up = sum(serves <= at for serves in outcome.serves.values())
    every = len(view.analysis.model.components)
    slider = tag(
        "input",
        type="range",
        id="when",
        min=0,
        max=end,
        step=step,
        value=end if at >= outcome.lasts else int(at.total_seconds()),
        aria_describedby="moment",
    )
    return section(
        "How it goes",
        tag(
            "div",
            tag("button", "Play", type="button", id="start"),
            tag("label", "Time", for_="when"),
            slider,
            tag("output", f"{spoken(at)} · {up:,} of {every:,} serve", id="moment", for_="when"),
            class_="player",
            data_every=every,
            data_step=step,
            data_counts=" ".join(map(str, _counts(outcome, end, step))),
            hidden=True,
            id="player",
        ),
        _day_links(view, outcome, day),
        _shared(view),
        tag("div", picture(view.analysis, outcome, at), class_="scroll drawing"),
        _keys(),
        tag(
            "div",
            gantt(outcome, exercise.disaster.events),
            class_="scroll drawing",
            tabindex="0",
            role="group",
            aria_label="Gantt chart",
        ),
        _too_many(outcome.bars),
        name="play",
        lead=f"After {spoken(at)}, {up:,} of {counted(every, 'component')} serve.",
    )


def _counts(outcome: Tabletop, end: int, step: int) -> list[int]:
    """Return how many serve at each step of the slider."""
    begins = sorted(serves.total_seconds() for serves in outcome.serves.values())
    return [bisect_right(begins, at) for at in range(0, end + 1, step)]


def _too_many(bars: Sequence[Bar]) -> Html | None:
    left = len(bars) - MOST_BARS
    return (
        tag("p", f"{left:,} more pieces of work are not drawn.", class_="more")
        if left > 0
        else None
    )


def _shared(view: View) -> Html | None:
    each = shared_by(view.analysis)
    said = f"Each stone stands for up to {each} components, and serves when the last of them does."
    return tag("p", said, class_="more") if each > 1 else None


def _keys() -> Html:
    words = (
        ("critical", "on the critical chain"),
        ("work", "other work"),
        ("glass", "break-glass step"),
        ("event", "an event"),
    )
    return tag(
        "p",
        [joined(tag("span", said, class_=f"swatch {kind}"), " ") for kind, said in words],
        class_="legend",
    )


def _day_links(view: View, outcome: Tabletop, day: int) -> Html | None:
    if len(outcome.days) < 1:
        return None
    found: list[Node] = [tag("li", _day_link(view, 0, "Start", day))]
    shown = outcome.days if len(outcome.days) <= 31 else outcome.days[:31]
    found += [tag("li", _day_link(view, one.number, f"Day {one.number}", day)) for one in shown]
    return tag("nav", tag("ol", found), aria_label="The picture at the end of a day", class_="days")


def _day_link(view: View, number: int, text: str, day: int) -> Html:
    address = view.again(PATH, day=number)
    return tag("a", text, href=address, aria_current="true" if number == day else None)


def _reports(view: View) -> Html:
    forms = {
        "html": "one HTML file, to print",
        "md": "Markdown",
        "json": "JSON",
        "svg": "the chart as SVG",
        "png": "the chart as PNG",
    }
    links = [
        tag("li", tag("a", said, href=view.again(f"tabletop.{form}")))
        for form, said in forms.items()
    ]
    return section("Take it with you", tag("ul", links, class_="files"))
