"""The first page: what this is, how sound it is, and where to look first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drystone.l05_graph.findings import Severity
from drystone.l05_graph.tangles import Tangle, TangleKind
from drystone.l80_governance.dependencies.drawing.stones import shared_by
from drystone.l80_governance.dependencies.drawing.wall import wall_of
from drystone.l80_governance.dependencies.html import Html, Node, joined, tag
from drystone.l80_governance.dependencies.parts import (
    Column,
    card,
    counted,
    finding,
    kind_mark,
    section,
    table,
)
from drystone.l80_governance.dependencies.view import Page, View, in_address

_FIRST = 5
_MOST = 8


def overview(view: View) -> Page:
    """Make the first page."""
    analysis = view.analysis
    if not analysis.model.components:
        return Page(
            title="An empty model",
            lead="It has no components yet. Write a survey, and what depends on what shows here.",
            body=None,
        )
    return Page(
        title=analysis.model.title or "What depends on what",
        lead=f"{counted(len(analysis.model.components), 'component')} in"
        f" {counted(len(np.unique(analysis.layer)), 'layer')}, held together by"
        f" {counted(len(analysis.model.dependencies), 'dependency', 'dependencies')}.",
        body=joined(
            _verdict(view), _cards(view), _wall(view), _first(view), _tangles(view), _base(view)
        ),
    )


def _verdict(view: View) -> Html:
    """Say in one sentence whether all of it could be brought back."""
    kinds = [one.kind for one in view.analysis.tangles]
    deadlocks, circles = kinds.count(TangleKind.DEADLOCK), kinds.count(TangleKind.CO_START)
    if deadlocks:
        stuck = sum(
            len(one.members) for one in view.analysis.tangles if one.kind is TangleKind.DEADLOCK
        )
        mood, sign = "bad", "✗"
        say = "It cannot be rebuilt from the ground."
        why = (
            f"{counted(stuck, 'component')} in {counted(deadlocks, 'deadlock')} need each other before"
            " they serve: after a loss of all, none of them can be the first."
        )
    elif circles:
        mood, sign = "careful", "!"
        say = "It can be rebuilt, with care."
        why = f"{counted(circles, 'group')} of components only serve together."
    else:
        mood, sign = "good", "✓"
        say = "It can be rebuilt from the ground."
        why = "Everything has a place to stand: no circle of hard dependencies."
    return tag(
        "p",
        tag("span", sign, aria_hidden="true", class_="sign"),
        tag("span", tag("strong", say), " ", why),
        class_=f"verdict {mood}",
    )


def _cards(view: View) -> Html:
    analysis = view.analysis
    errors = analysis.severities[Severity.ERROR]
    warnings = analysis.severities[Severity.WARNING]
    upward = int(analysis.upward.sum())
    largest = max((len(one.members) for one in analysis.tangles), default=0)
    cards = [
        card(
            f"{errors:,}",
            "error" if errors == 1 else "errors",
            view.link("findings", severity="error"),
            mood="bad" if errors else "good",
        ),
        card(
            f"{warnings:,}",
            "warning" if warnings == 1 else "warnings",
            view.link("findings", severity="warning"),
            mood="careful" if warnings else "good",
        ),
        card(
            f"{len(analysis.tangles):,}",
            "tangle" if len(analysis.tangles) == 1 else "tangles",
            view.link("tangles"),
            mood="bad" if largest else "good",
            note=f"the largest of {largest:,}" if largest else None,
        ),
        card(
            f"{upward:,}",
            "not leading down",
            view.link("dependencies", where="upward"),
            mood="bad" if upward else "good",
            note="hard dependencies",
        ),
    ]
    return tag("ul", cards, class_="cards")


def _wall(view: View) -> Html:
    each = shared_by(view.analysis)
    what = (
        "Every stone is a component" if each == 1 else f"Every stone stands for {each} components"
    )
    return section(
        "The wall",
        tag("div", wall_of(view), class_="pan"),
        lead=joined(
            f"{what} and rests on what lies below it. ",
            tag("a", "Open the layers", href=view.link("layers")),
            ".",
        ),
        name="wall",
    )


def _first(view: View) -> Html | None:
    worst = [one for one in view.analysis.findings if one.severity is not Severity.NOTE][:_FIRST]
    if not worst:
        return None
    every = tag("p", tag("a", "All findings", href=view.link("findings")), class_="more")
    listed = tag("ul", [finding(view, one) for one in worst], class_="findings")
    return section("Look at this first", listed, every, name="first")


def _tangles(view: View) -> Html | None:
    if not view.analysis.tangles:
        return None
    left = len(view.analysis.tangles) - _MOST
    more = tag("p", tag("a", f"{left:,} more of them", href=view.link("tangles")), class_="more")
    listed = tangle_table(view, view.analysis.tangles[:_MOST])
    return section("Tangles", listed, more if left > 0 else None, name="tangles")


def tangle_table(view: View, tangles: Sequence[Tangle]) -> Html:
    """List tangles."""
    analysis = view.analysis
    rows: list[list[Node]] = []
    for one in tangles:
        first = analysis.model.components[int(one.members[0])].name
        names = [analysis.model.components[int(v)].name for v in one.members[:3]]
        some: list[Node] = [
            [", " if at else None, tag("bdi", name[:40])] for at, name in enumerate(names)
        ]
        more = f" and {len(one.members) - 3:,} more" if len(one.members) > 3 else None
        address = view.link("tangle", of=in_address(first), kind=str(one.kind))
        rows.append(
            [
                tag("a", some, more, href=address),
                kind_mark(one.kind),
                f"{len(one.members):,}",
                f"{len(one.edges):,}",
            ]
        )
    columns = [
        Column("Members"),
        Column("Kind"),
        Column("Components", is_number=True),
        Column("Dependencies inside", is_number=True),
    ]
    return table("Components that need each other in a circle, the worst first", columns, rows)


def _base(view: View) -> Html | None:
    analysis = view.analysis
    reach = analysis.reach if analysis.reach is not None else analysis.users
    order = np.argsort(-reach, kind="stable")[:_MOST]
    rows: list[list[Node]] = [
        [
            view.service(analysis.model.components[int(v)].name),
            analysis.model.components[int(v)].owner,
            int(analysis.layer[v]),
            f"{int(reach[v]):,}",
            f"{int(analysis.users[v]):,}",
        ]
        for v in order
        if reach[v] > 0
    ]
    columns = [
        Column("Component"),
        Column("Owner"),
        Column("Layer", is_number=True),
        Column("Fall with it", is_number=True, about="Over any number of hard dependencies"),
        Column("Need it directly", is_number=True),
    ]
    shown = table("What most of the others rest on", columns, rows, empty="Nothing needs anything.")
    return section("Everything rests on these", shown, name="base")
