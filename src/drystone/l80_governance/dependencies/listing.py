"""Long lists, a part at a time: filters, an order, and turns of the page. All of it stands in the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drystone.l80_governance.dependencies.html import Html, Node, link, tag
from drystone.l80_governance.dependencies.pages.layout import kept
from drystone.l80_governance.dependencies.parts import Column
from drystone.l80_governance.dependencies.view import View

PER_PAGE = 100


@dataclass(frozen=True)
class Part:
    """A part of a list.

    Attributes:
        begin: The first that is shown.
        end: One after the last.
        total: How long the list is.
        number: Of the part, from 1.
    """

    begin: int
    end: int
    total: int
    number: int

    @property
    def last(self) -> int:
        """The number of the last part."""
        return max(1, -(-self.total // PER_PAGE))


def part_of(view: View, total: int) -> Part:
    """Return the part of a list that is asked for; the last when there are not so many.

    Raises:
        QuestionUnclear: It is no number.
    """
    last = max(1, -(-total // PER_PAGE))
    number = min(view.asked.number("page", 1, least=1), last)
    begin = (number - 1) * PER_PAGE
    return Part(begin, min(total, begin + PER_PAGE), total, number)


def turns(view: View, path: str, part: Part) -> Html | None:
    """Lead to the other parts."""
    if part.last == 1:
        return None

    def turn(text: str, number: int, relation: str) -> Html:
        if not 1 <= number <= part.last:
            return tag("span")
        address = view.again(path, page=number if number > 1 else None)
        return tag("a", text, href=address, rel=relation, class_="button")

    where = f"{part.begin + 1:,} to {part.end:,} of {part.total:,}"
    return tag(
        "nav",
        turn("← Before", part.number - 1, "prev"),
        tag("span", where),
        turn("Next →", part.number + 1, "next"),
        aria_label="Parts of the list",
        class_="turns",
    )


def sortable(view: View, path: str, columns: Mapping[str, Column], now: str) -> list[Column]:
    """Let the headings of columns sort by them.

    Args:
        view: What is looked at.
        path: Of the page.
        columns: By the word for each in the address; an empty word does not sort.
        now: What the list is sorted by, with a minus before it when it falls.
    """
    word, falls = now.removeprefix("-"), now.startswith("-")
    found = []
    for key, one in columns.items():
        if key.startswith("_"):
            found.append(one)
            continue
        # Numbers are asked for from the largest, names from the first.
        first = f"-{key}" if one.is_number else key
        other = key if one.is_number else f"-{key}"
        address = view.again(path, sort=other if now == first else first, page=None)
        order = ("descending" if falls else "ascending") if word == key else None
        found.append(Column(one.name, one.is_number, address, order, one.about))
    return found


def filters(view: View, path: str, *fields: Node) -> Html:
    """Make a form whose fields narrow the list."""
    hidden = [
        tag("input", type="hidden", name="sort", value=view.asked.text("sort"))
        if view.asked.text("sort")
        else None,
        kept(view),
    ]
    actions = tag(
        "div",
        tag("button", "Show", type="submit", class_="main"),
        tag("a", "Clear", href=view.link(path), class_="button"),
        class_="actions",
    )
    return tag("form", fields, hidden, actions, method="get", action=link(path), class_="filters")


def choose(
    view: View,
    key: str,
    label: str,
    words: Iterable[str] | Mapping[str, str],
    every: str | None = "any",
    *,
    now: str | None = None,
) -> Html:
    """Make a field that takes one of some words.

    Args:
        view: What is looked at.
        key: In the address.
        label: Of the field.
        words: What can be chosen; with what people read, if that is not the same.
        every: What stands for any of them; None when one has to be chosen.
        now: What is chosen; as the address says when None.
    """
    named = words if isinstance(words, Mapping) else {word: word for word in words}
    now = view.asked.text(key) if now is None else now
    options = [tag("option", every, value="", selected=not now)] if every is not None else []
    options += [
        tag("option", text[:60], value=word, selected=word == now) for word, text in named.items()
    ]
    field = tag("select", options, id=f"f-{key}", name=key)
    return tag("div", tag("label", label, for_=f"f-{key}"), field)


def write(view: View, key: str, label: str, *, suggestions: Sequence[str] = ()) -> Html:
    """Make a field that takes a text."""
    field = tag(
        "input",
        type="text",
        id=f"f-{key}",
        name=key,
        value=view.asked.text(key),
        maxlength=200,
        autocomplete="off",
        spellcheck="false",
        list=f"l-{key}" if suggestions else None,
    )
    known = tag("datalist", [tag("option", value=one) for one in suggestions], id=f"l-{key}")
    label_ = tag("label", label, for_=f"f-{key}")
    return tag("div", label_, field, known if suggestions else None)
