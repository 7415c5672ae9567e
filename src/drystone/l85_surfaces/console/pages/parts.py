"""Parts that pages are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from drystone.l80_governance.dependencies.html import Html, Link, Node, tag
from drystone.l85_surfaces.console.pages.layout import short
from drystone.l85_surfaces.console.people import Person

MOODS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("serving", "served", "active", "healthy", "done", "ended", "promoted", "good"),
        ("good", "✓"),
    ),
    **dict.fromkeys(
        ("degraded", "unhealthy", "warn", "warning", "held", "paused"), ("careful", "!")
    ),
    **dict.fromkeys(
        ("alarmed", "waiting", "excepted", "backing-off", "counts", "on"), ("careful", "!")
    ),
    **dict.fromkeys(
        ("down", "failed", "refuse", "refused", "error", "rejected", "broken"), ("bad", "✗")
    ),
    **dict.fromkeys(("rolled-back", "aborted", "withdrawn", "withdrawing"), ("bad", "↺")),
    **dict.fromkeys(
        ("deploying", "rising", "rolling", "running", "began", "starting", "settling"),
        ("busy", "↻"),
    ),
}
"""How a state looks, beside its word: of which colour, and with which sign."""

LONGEST = 400


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        name: Its heading.
        is_number: Whether it stands to the right.
        is_wide: Whether it has sentences.
    """

    name: str
    is_number: bool = False
    is_wide: bool = False

    @property
    def look(self) -> str | None:
        """Of its cells."""
        if self.is_number:
            return "number"
        return "wide" if self.is_wide else None


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Node]], *, empty: str
) -> Html:
    """Make a table; the first cell of a row names it. On a narrow screen, a row becomes a card.

    Args:
        caption: What it shows.
        columns: Its columns.
        rows: The cells of each row.
        empty: What is said where there are none.
    """
    lines = [tag("tr", _cells(columns, row)) for row in rows]
    if not lines:
        return tag("p", empty, class_="empty")
    heads = [tag("th", one.name, scope="col", class_=one.look) for one in columns]
    return tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", tag("tr", heads)),
        tag("tbody", lines),
    )


def _cells(columns: Sequence[Column], row: Sequence[Node]) -> list[Html]:
    first = tag("th", row[0], scope="row")
    rest = [
        tag("td", cell, class_="number" if one.is_number else None, data_name=one.name)
        for one, cell in zip(columns[1:], row[1:], strict=True)
    ]
    return [first, *rest]


def section(heading: str, *children: Node, lead: Node = None, name: str | None = None) -> Html:
    """Make a part of a page with a heading."""
    return tag(
        "section",
        tag("h2", heading),
        tag("p", lead, class_="lead") if lead is not None else None,
        children,
        id=name,
    )


def state(word: str) -> Html:
    """Show a state by a word and a sign, not by its colour alone."""
    mood, sign = MOODS.get(word, ("calm", "·"))
    return tag(
        "span",
        tag("span", sign, aria_hidden="true", class_="sign"),
        short(word, 30),
        class_=f"state {mood}",
    )


def name(text: str, address: Link | None = None, length: int = 60) -> Html:
    """Show a name that people chose; one that is long is cut, and whole for those who point at it."""
    cut = short(text, length)
    title = text[:LONGEST] if cut != text else None
    shown = tag("bdi", cut, title=title)
    return shown if address is None else tag("a", shown, href=address)


def prose(text: str, length: int = LONGEST) -> Html:
    """Show what people wrote."""
    return tag("span", short(text, length), dir="auto", class_="prose")


def moment(at: datetime | None) -> Html | None:
    """Show when something was, in UTC."""
    if at is None:
        return None
    utc = at.astimezone(UTC)
    return tag("time", f"{utc:%Y-%m-%d %H:%M:%S}", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")


def took(length: timedelta | float | None) -> str:
    """Say how long something took; a number is of seconds."""
    if length is None:
        return "—"
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def percent(share: float | None) -> str:
    """Say a share of the traffic; one that is not none is never told as none, nor one that is not all as all."""
    if share is None:
        return "—"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{share * 100:.3g} %"


def facts(pairs: Iterable[tuple[str, Node]]) -> Html:
    """List what is known of something; pairs without a value are left out."""
    known = [(term, value) for term, value in pairs if value is not None and value != ""]
    return tag(
        "dl",
        [tag("div", tag("dt", term), tag("dd", value)) for term, value in known],
        class_="facts",
    )


def counted(number: int, one: str) -> str:
    """Say how many there are: ``1 service``, ``2 services``."""
    return f"{number:,} {one if number == 1 else one + 's'}"


class Hand(msgspec.Struct, frozen=True):
    """By whom something can be done, and the mark that their forms hold."""

    person: Person
    mark: str


def ask(
    hand: Hand,
    *,
    label: str,
    about: Node,
    to: Link,
    mood: str = "plain",
    reason: str | None = None,
) -> Html:
    """Make a button that opens, says what will happen, and holds the button that does it.

    Args:
        hand: Whose.
        label: Of the button.
        about: What will happen.
        to: Where the form goes.
        mood: ``plain``, ``good`` or ``bad``.
        reason: Label of the field for a reason; there is none when None.
    """
    field = None
    if reason is not None:
        field = tag(
            "label",
            reason,
            tag("input", name="reason", maxlength=LONGEST, autocomplete="off"),
        )
    return tag(
        "details",
        tag("summary", label, class_=f"button {mood}"),
        tag(
            "form",
            tag("p", about),
            field,
            tag("input", type="hidden", name="mark", value=hand.mark),
            tag("button", label, type="submit", class_=mood),
            action=to,
            method="post",
        ),
        class_="ask",
        name="ask",
    )
