"""Guardrails, the registry and access: lists, with what whoever looks may end."""

from __future__ import annotations

from datetime import datetime

from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.listings import Cell, Listing, Part, Row, State, What
from drystone.l85_surfaces.console.pages.layout import Page
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    Hand,
    ask,
    moment,
    name,
    prose,
    section,
    state,
    table,
)

_TITLES: dict[What, tuple[str, str]] = {
    "guardrails": ("Guardrails", "What is looked at before anything of a release begins."),
    "registry": ("Registry", "Whose services are, and where they may run."),
    "access": ("Access", "Who may do what, and by which tokens."),
}
_LONG = {"Why", "What for", "Scopes", "Address"}


def lists(seen: Listing, hand: Hand | None) -> Page:
    """Show lists.

    Args:
        seen: What they have.
        hand: Who could end something; without, they are only shown.
    """
    title, lead = _TITLES[seen.what]
    return Page(
        title=seen.parts[0].heading if seen.turned else title,
        entry=seen.what,
        lead=None if seen.turned else lead,
        crumbs=((title, addresses.listing(seen.what)),) if seen.turned else (),
        body=[(_part(seen.what, one, hand), _more(seen.what, one)) for one in seen.parts],
    )


def _part(what: What, one: Part, hand: Hand | None) -> Html:
    acts = hand is not None and any(row.ending for row in one.rows)
    columns = [Column(column, is_wide=column in _LONG) for column in one.columns] + (
        [Column("Do")] if acts else []
    )
    return section(
        one.heading,
        table(
            one.heading,
            columns,
            (
                [
                    *(
                        _cell(column, cell)
                        for column, cell in zip(one.columns, row.cells, strict=True)
                    ),
                    *([_end(what, row, hand)] if acts and hand is not None else []),
                ]
                for row in one.rows
            ),
            empty=one.empty,
        ),
        lead=one.lead or None,
    )


def _more(what: What, one: Part) -> Html | None:
    if one.next is None:
        return None
    to = addresses.listing(what, part=one.key, cursor=one.next)
    return tag("p", tag("a", f"More of {one.heading.lower()}", href=to), class_="more")


def _cell(column: str, cell: Cell) -> Node:
    match cell:
        case State(word):
            return state(word)
        case datetime():
            return moment(cell)
        case None | "":
            return "—"
        case _:
            return prose(cell, 300) if column in _LONG else name(cell, length=40)


def _end(what: What, row: Row, hand: Hand) -> Node:
    one = row.ending
    if one is None:
        return "—"
    return tag(
        "div",
        ask(
            hand,
            label=one.label,
            about=one.about,
            to=addresses.end(what, one.kind, one.id),
            mood="bad",
        ),
    )
