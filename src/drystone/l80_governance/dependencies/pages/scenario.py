"""A scenario: changes to a model that are tried, and what they make better and worse."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l05_graph.changes import Change, sentence
from drystone.l05_graph.findings import Finding
from drystone.l05_graph.words import Phase
from drystone.l80_governance.dependencies.drafts import OF_GROUPS, VERBS, written
from drystone.l80_governance.dependencies.effects import Effects, Line, percent
from drystone.l80_governance.dependencies.html import Html, Link, Node, fragment, link, tag
from drystone.l80_governance.dependencies.pages.layout import kept
from drystone.l80_governance.dependencies.parts import (
    Column,
    counted,
    finding,
    section,
    table,
    take_back,
)
from drystone.l80_governance.dependencies.view import Page, View

LONGEST_TITLE = 120
_MOST_NAMES = 400
_MOST_FINDINGS = 30


def scenario(view: View, changes: Sequence[Change], effects: Effects | None) -> Page:
    """Make the page.

    Args:
        view: Of the model without the changes.
        changes: What is tried.
        effects: What it does; None when nothing is tried.
    """
    parts: list[Node] = [
        verdict(effects) if effects is not None else None,
        _ended(view, changes) if effects is None and changes else None,
        _changes(view, changes),
        tag("div", effect_tables(view, effects), id="effects") if effects is not None else None,
        _forms(view, changes),
    ]
    if changes:
        parts += [_keep(view, changes)]
    return Page(
        title="Scenario",
        lead="Change the model and see at once what becomes better or worse. Nothing is kept until you keep it:"
        " the address of this page holds all of it.",
        body=parts,
        path="scenario",
    )


def _ended(view: View, changes: Sequence[Change]) -> Html:
    again = tag("a", "Measure them", href=address("scenario", view, written(changes)))
    return tag("p", "What the changes do was not measured to the end. ", again, ".", class_="empty")


def verdict(effects: Effects) -> Html:
    """Say in one line whether it is worth it."""
    better = sum(line.is_better is True for line in effects.lines)
    worse = sum(line.is_better is False for line in effects.lines)
    said = "Nothing that is measured here changes."
    mood, sign = "careful", "="
    if better or worse:
        parts = [f"{better} of the measures get better", f"{worse} get worse"]
        said = ", ".join(parts) + "."
        is_grave = any(line.is_better is False and line.is_grave for line in effects.lines)
        mood, sign = ("bad", "✗") if is_grave else ("careful", "±") if worse else ("good", "✓")
    sides = f"{counted(len(effects.lost), 'finding')} fewer, {len(effects.gained)} new."
    return tag(
        "div",
        tag("span", sign, aria_hidden="true", class_="sign"),
        tag("p", tag("strong", said), " ", sides),
        class_=f"verdict {mood}",
        role="status",
    )


def effect_tables(view: View, effects: Effects) -> Html:
    """Show the measures, the findings that come and go, and whose availability changes."""
    columns = [
        Column("Measure"),
        Column("Before", is_number=True),
        Column("After", is_number=True),
        Column("Change"),
    ]
    rows = [(one.name, one.before, one.after, _change(one)) for one in effects.lines]
    moved = [(view.service(name), percent(a), percent(b)) for name, a, b in effects.moved]
    return tag(
        "div",
        section(
            "What it does",
            table("Before and after the changes", columns, rows),
            tag("p", effects.left_out, class_="note") if effects.left_out else None,
        ),
        _findings(view, "Findings that come", effects.gained, "No finding comes."),
        _findings(view, "Findings that go", effects.lost, "No finding goes."),
        None
        if effects.left_out
        else section(
            "Availability that changes most",
            table(
                "The most that each component can reach",
                [Column("Component"), Column("Before", True), Column("After", True)],
                moved,
                empty="No availability changes.",
            ),
        ),
    )


def _change(one: Line) -> Html:
    if one.is_better is None:
        return tag("span", "same", class_="same")
    word, sign, mood = ("better", "▲", "good") if one.is_better else ("worse", "▼", "error")
    return tag("span", tag("span", sign, aria_hidden="true"), word, class_=f"mark {mood}")


def _findings(view: View, heading: str, found: Sequence[Finding], empty: str) -> Html:
    shown = [finding(view, one) for one in found[:_MOST_FINDINGS]]
    more = len(found) - len(shown)
    return section(
        f"{heading} ({len(found)})" if found else heading,
        tag("ul", shown, class_="findings") if shown else tag("p", empty, class_="empty"),
        tag("p", f"{more:,} more of them.", class_="more") if more > 0 else None,
    )


def _changes(view: View, changes: Sequence[Change]) -> Html:
    items = [
        tag(
            "li",
            tag("span", sentence(change)[:400]),
            " ",
            take_back(at, sentence(change)),
        )
        for at, change in enumerate(changes)
    ]
    empty = tag("p", "Nothing is changed yet. Choose something below.", class_="empty")
    listed = tag(
        "form",
        draft_fields(view, changes),
        tag("ol", items, class_="changes"),
        action=link("scenario-add"),
        method="get",
    )
    onward = tag(
        "p",
        tag("a", "Try something more", href=fragment("try")),
        " · ",
        tag("a", "Keep it", href=fragment("keep")),
        class_="more",
    )
    return section("Changes", listed if items else empty, onward if items else None)


def address(path: str, view: View, lines: Sequence[str]) -> Link:
    """Return the address of a page with a draft."""
    base = view.link(path)
    more = "&".join(link("x", change=line).partition("?")[2] for line in lines)
    return Link(base + (("&" if "?" in base else "?") + more if more else ""))


def draft_fields(view: View, changes: Sequence[Change]) -> list[Node]:
    """Return the fields that keep the draft in a form."""
    fields: list[Node] = [
        tag("input", type="hidden", name="change", value=line) for line in written(changes)
    ]
    return [*fields, kept(view)]


def _forms(view: View, changes: Sequence[Change]) -> Html:
    names = (
        view.analysis.model.by_name if len(view.analysis.model.components) <= _MOST_NAMES else ()
    )
    verbs = [tag("option", text, value=verb) for verb, text in VERBS.items()]
    phases = [tag("option", str(one), value=str(one), selected=one is Phase.RUN) for one in Phase]
    strengths = [tag("option", word, value=word) for word in ("hard", "soft")]
    return section(
        "Try something",
        tag("datalist", [tag("option", value=name) for name in names], id="components"),
        _form(
            view,
            changes,
            "dependency",
            "A dependency",
            [
                _name_field("d-source", "source", "Who needs"),
                _name_field("d-target", "target", "What is needed"),
                _select("d-verb", "verb", "What to do", verbs),
                _select("d-strength", "strength", "If added: how much", strengths),
                _select("d-at", "at", "If added: when", phases),
            ],
        ),
        _form(
            view,
            changes,
            "layer",
            "A layer: move or pin",
            [_name_field("l-name", "component", "Component"), _layer_field("l-layer")],
        ),
        _form(view, changes, "group", "Alternatives: any of, or so many of", _group_fields()),
        _form(
            view,
            changes,
            "add-component",
            "A new component",
            [
                _plain("a-name", "component", "Its name", maxlength=200),
                _layer_field("a-layer"),
            ],
        ),
        _form(
            view,
            changes,
            "remove-component",
            "A component that goes",
            [_name_field("r-name", "component", "Component")],
        ),
        lead="Every change is added to those above.",
        name="try",
    )


def _group_fields() -> list[Node]:
    verbs = [tag("option", text, value=verb) for verb, text in OF_GROUPS.items()]
    targets = _plain(
        "g-targets",
        "targets",
        "Alternatives (empty: as now)",
        required=False,
        maxlength=2000,
        placeholder="one, another",
    )
    enough = _plain("g-enough", "enough", "How many are enough", type="number", min=1, value=1)
    return [
        _name_field("g-component", "component", "Who needs"),
        _plain("g-group", "group", "Name of the group", maxlength=200),
        _select("g-verb", "verb", "What to do", verbs),
        targets,
        enough,
    ]


def _form(
    view: View, changes: Sequence[Change], do: str, legend: str, fields: Sequence[Node]
) -> Html:
    return tag(
        "form",
        tag("h3", legend, id=f"form-{do}"),
        tag("input", type="hidden", name="do", value=do),
        draft_fields(view, changes),
        fields,
        tag("div", tag("button", "Try it", type="submit"), class_="actions"),
        action=link("scenario-add"),
        method="get",
        class_="filters",
        aria_labelledby=f"form-{do}",
    )


def _name_field(identity: str, name: str, label: str) -> Html:
    return _plain(identity, name, label, list="components", maxlength=2000)


def _layer_field(identity: str) -> Html:
    return _plain(
        identity,
        "layer",
        "Layer (empty: not pinned)",
        type="number",
        min=0,
        max=1000,
        required=False,
    )


def _plain(
    identity: str, name: str, label: str, *, required: bool = True, **more: str | int
) -> Html:
    return tag(
        "div",
        tag("label", label, for_=identity),
        tag("input", id=identity, name=name, autocomplete="off", required=required, **more),
    )


def _select(identity: str, name: str, label: str, options: Sequence[Node]) -> Html:
    return tag(
        "div", tag("label", label, for_=identity), tag("select", options, id=identity, name=name)
    )


def _keep(view: View, changes: Sequence[Change]) -> Html:
    lines = written(changes)
    return section(
        "Keep it",
        tag(
            "form",
            draft_fields(view, changes),
            _plain("k-title", "title", "Title", maxlength=LONGEST_TITLE),
            _plain("k-author", "author", "Who you are", maxlength=LONGEST_TITLE, required=False),
            tag(
                "div",
                tag("button", "Keep as a version", type="submit", class_="main"),
                class_="actions",
            ),
            action=link("scenario-keep"),
            method="post",
            class_="filters",
        ),
        tag(
            "p",
            "For git: ",
            tag("a", "the changes as YAML", href=address("scenario.yaml", view, lines)),
            " or ",
            tag("a", "the whole survey with the changes", href=address("survey.yaml", view, lines)),
            ".",
            class_="more",
        ),
        lead="A version never changes, can be compared with others, and can be gone on from.",
        name="keep",
    )
