"""Parts that pages are put together from: tables, cards, marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drystone.l05_graph.findings import OBSERVED, Finding, Rule, Severity
from drystone.l05_graph.reach import shown
from drystone.l05_graph.tangles import TangleKind
from drystone.l05_graph.words import Strength
from drystone.l80_governance.dependencies.html import Html, Link, Node, fragment, joined, tag
from drystone.l80_governance.dependencies.view import View

SIGNS: Mapping[Severity, str] = {
    Severity.ERROR: "✗",
    Severity.WARNING: "!",
    Severity.NOTE: "i",
}
_MOST_ON_PATH = 12
_WIDE = 9
"""A table of so many columns has less room between them."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        is_number: Whether it is aligned to the right.
        link: Where its heading leads, to sort by it.
        sorted: ``ascending`` or ``descending`` when it is what the table is sorted by.
        about: What it means, for those who point at it.
    """

    name: str
    is_number: bool = False
    link: Link | None = None
    sorted: str | None = None
    about: str | None = None


def table(
    caption: Node, columns: Sequence[Column], rows: Iterable[Sequence[Node]], *, empty: Node = ""
) -> Html:
    """Make a table; the first cell of each row names it.

    Args:
        caption: What the table shows.
        columns: Its columns.
        rows: The cells of each row.
        empty: What is said when there are no rows.
    """
    heads = [
        tag(
            "th",
            tag("a", one.name, href=one.link) if one.link is not None else one.name,
            scope="col",
            class_="number" if one.is_number else None,
            aria_sort=one.sorted,
            title=one.about,
        )
        for one in columns
    ]
    lines = [tag("tr", _cells(columns, row)) for row in rows]
    if not lines:
        return tag("p", empty or "Nothing.", class_="empty")
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", heads)),
        tag("tbody", lines),
        class_="wide" if len(columns) >= _WIDE else None,
    )
    return tag("div", whole, class_="scroll", tabindex="0", role="group", aria_label="Table")


def _cells(columns: Sequence[Column], row: Sequence[Node]) -> list[Html]:
    kinds = ["number" if one.is_number else None for one in columns]
    first = tag("th", row[0], scope="row", class_=kinds[0])
    rest = [tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)]
    return [first, *rest]


def section(heading: Node, *children: Node, name: str | None = None, lead: Node = None) -> Html:
    """Make a part of a page with a heading."""
    return tag(
        "section",
        tag("h2", heading),
        tag("p", lead, class_="lead") if lead is not None else None,
        children,
        id=name,
    )


def card(number: Node, label: str, address: Link, *, mood: str = "calm", note: Node = None) -> Html:
    """Make a card with one number that leads somewhere.

    Args:
        number: What is told.
        label: Of what.
        address: Where it leads.
        mood: ``calm``, ``good``, ``careful`` or ``bad``.
        note: Below it.
    """
    return tag(
        "li",
        tag(
            "a",
            tag("strong", number),
            tag("span", label),
            tag("small", note) if note is not None else None,
            href=address,
        ),
        class_=f"card {mood}",
    )


def mark(severity: Severity) -> Html:
    """Show how bad a finding is: by a word and a sign, not by its colour alone."""
    sign = tag("span", SIGNS[severity], aria_hidden="true", class_="sign")
    return tag("span", sign, str(severity), class_=f"mark {severity}")


def kind_mark(kind: TangleKind) -> Html:
    """Show of what kind a tangle is."""
    severity = {TangleKind.SOFT: Severity.NOTE}.get(kind, Severity.ERROR)
    sign = tag("span", SIGNS[severity], aria_hidden="true", class_="sign")
    return tag("span", sign, str(kind), class_=f"mark {severity}")


def strength_mark(strength: Strength) -> Html:
    """Show how much is needed."""
    return tag("span", str(strength), class_=f"strength {strength}")


def finding(view: View, one: Finding) -> Html:
    """Tell a finding with its proof and what to do."""
    accepted = None
    if one.accepted is not None:
        said = one.accepted
        accepted = tag(
            "p", f"Accepted by {said.by} until {said.until}: {said.reason}", class_="accepted"
        )
    return tag(
        "li",
        tag("p", mark(one.severity), " ", tag("b", str(one.rule)), " ", sentence(one)),
        path(view, one),
        _seen(view, one),
        tag("p", tag("b", "To do: "), one.advice, ".", class_="advice"),
        accepted,
        class_="finding",
    )


def _seen(view: View, one: Finding) -> Html | None:
    """Tell what traffic showed of what a finding is about, where its sentence does not."""
    if one.rule not in OBSERVED or one.rule is Rule.UNDECLARED or not one.path:
        return None
    pair = view.analysis.evidence.pairs.get((one.path[0].source, one.path[0].target))
    if pair is None:
        return None
    said = [f"Seen: {counted(pair.calls, 'call')}, {pair.errors:,} failed"]
    if pair.first and pair.last:
        said.append(f", {pair.first:%Y-%m-%d %H:%M} to {pair.last:%Y-%m-%d %H:%M}")
    return tag("p", said, ", by ", ", ".join(each.source for each in pair.seen), ".", class_="note")


def sentence(one: Finding) -> Html:
    """Return what is wrong; without the path, which is told beside it with its links."""
    text = one.sentence.removesuffix(f": {shown(one.path)}")
    return tag("span", text if len(text) <= 600 else text[:599] + "…", class_="sentence")


def path(view: View, one: Finding) -> Html | None:
    """Show the path that proves a finding, each step a link."""
    if not one.path:
        return None
    names = [one.path[0].source, *(step.target for step in one.path)]
    left_out = len(names) - _MOST_ON_PATH
    if left_out > 0:
        half = _MOST_ON_PATH // 2
        begin, end = names[:half], names[-half:]
        steps: list[Node] = [view.service(name, length=40) for name in begin]
        steps += [f"… {left_out} more …", *(view.service(name, length=40) for name in end)]
    else:
        steps = [view.service(name, length=40) for name in names]
    items = [tag("li", step) for step in steps]
    return tag("ol", items, class_="path", aria_label="Path that proves it")


def take_back(number: int, what: str) -> Html:
    """Make the button of a form that takes one thing of a list back; a link for each would repeat all the others."""
    label = f"take back: {what[:200]}"
    return tag(
        "button",
        "take back",
        type="submit",
        name="back",
        value=number,
        aria_label=label,
        class_="plain",
    )


def facts(pairs: Iterable[tuple[str, Node]]) -> Html:
    """List what is known of something; pairs without a value are left out."""
    known = [(name, value) for name, value in pairs if value is not None and value != ""]
    return tag(
        "dl",
        [tag("div", tag("dt", name), tag("dd", value)) for name, value in known],
        class_="facts",
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """Say how many there are: ``1 service``, ``2 services``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def skip_to(name: str, text: str) -> Html:
    """Lead past a picture."""
    return tag("p", tag("a", text, href=fragment(name), class_="skip"))


def figure(drawn: Html, *caption: Node, to: str, text: str) -> Html:
    """Show a picture that can be skipped, with what its signs mean.

    Args:
        drawn: The picture.
        caption: Below it.
        to: Where whoever skips it goes on.
        text: Of the link that skips it.
    """
    return tag(
        "figure",
        skip_to(to, text),
        tag("div", drawn, class_="canvas"),
        tag("figcaption", caption),
        class_="figure",
    )


def notes(text: str) -> Html | None:
    """Show what people wrote, line by line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    return joined([tag("p", line, class_="note", dir="auto") for line in lines])
