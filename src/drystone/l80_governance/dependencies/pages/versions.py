"""The versions that were kept, and how two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l05_graph.changes import Change, sentence
from drystone.l80_governance.dependencies.effects import Effects
from drystone.l80_governance.dependencies.html import Html, Node, joined, link, tag
from drystone.l80_governance.dependencies.kept import Version
from drystone.l80_governance.dependencies.listing import part_of, turns
from drystone.l80_governance.dependencies.pages.scenario import effect_tables, verdict
from drystone.l80_governance.dependencies.parts import Column, counted, section, table
from drystone.l80_governance.dependencies.view import Page, View, short

CURRENT = "current"
_MOST_CHANGES = 500
_MOST_CHOICES = 200


def versions(view: View, every: Sequence[Version]) -> Page:
    """List the versions."""
    known = {one.digest: one for one in every}
    part = part_of(view, len(every))
    rows: list[tuple[Node, ...]] = [
        (
            tag(
                "a", tag("bdi", short(one.title, 80) or "Untitled"), href=link("", version=one.name)
            ),
            tag("bdi", short(one.author, 40) or "—"),
            tag("time", f"{one.created:%Y-%m-%d %H:%M}", datetime=one.created.isoformat()),
            _parent(one, known),
            tag("code", one.name),
            joined(
                tag("a", "go on", href=link("scenario", version=one.name)),
                " · ",
                tag("a", "compare", href=link("compare", a=CURRENT, b=one.name)),
            ),
        )
        for one in every[part.begin : part.end]
    ]
    names = ("Title", "By", "Kept", "Made from", "Name", "What to do")
    return Page(
        title="Versions",
        lead="Each is a model that somebody kept; it never changes.",
        body=[
            compare_form(every),
            table(
                f"{counted(len(every), 'version')}, the newest first",
                [Column(name) for name in names],
                rows,
                empty=joined(
                    "Nothing was kept yet. Try something in a ",
                    tag("a", "scenario", href=view.link("scenario")),
                    ", and keep it.",
                ),
            ),
            turns(view, "versions", part),
        ],
        path="versions",
    )


def _parent(one: Version, known: dict[str, Version]) -> Node:
    if one.parent is None:
        return "—"
    if one.parent not in known:
        return tag("code", one.parent[:16])
    parent = known[one.parent]
    return tag("a", tag("bdi", short(parent.title, 40)), href=link("", version=parent.name))


def compare_form(every: Sequence[Version], a: str = CURRENT, b: str = "") -> Html | None:
    """Let two models be chosen."""
    if not every:
        return None

    newest = every[:_MOST_CHOICES]

    def options(chosen: str) -> list[Html]:
        found = [tag("option", "The model as it is now", value=CURRENT, selected=chosen == CURRENT)]
        return found + [
            tag(
                "option",
                f"{short(one.title, 60)} ({one.name})",
                value=one.name,
                selected=chosen == one.name,
            )
            for one in every
            if one.digest and (one in newest or one.name == chosen)
        ]

    return tag(
        "form",
        tag("div", tag("label", "Before", for_="a"), tag("select", options(a), id="a", name="a")),
        tag(
            "div",
            tag("label", "After", for_="b"),
            tag("select", options(b or every[0].name), id="b", name="b"),
        ),
        tag("div", tag("button", "Compare", type="submit"), class_="actions"),
        action=link("compare"),
        method="get",
        class_="filters",
    )


def comparison(
    view: View,
    every: Sequence[Version],
    names: tuple[str, str],
    changes: Sequence[Change],
    effects: Effects,
) -> Page:
    """Show how two models differ.

    Args:
        view: Of the second model.
        every: All versions, for the form.
        names: Of the two.
        changes: What makes the second of the first.
        effects: What they do.
    """
    shown = [tag("li", sentence(one)[:400]) for one in changes[:_MOST_CHANGES]]
    more = len(changes) - len(shown)
    return Page(
        title="Two models compared",
        lead="What is different, and what that makes better and worse.",
        body=[
            compare_form(every, *names),
            verdict(effects),
            section(
                f"Changes ({len(changes):,})",
                tag("ol", shown, class_="changes")
                if shown
                else tag("p", "They say the same.", class_="empty"),
                tag("p", f"{more:,} more of them.", class_="more") if more else None,
            ),
            effect_tables(view, effects),
        ],
        path="versions",
    )
