"""Who did what."""

from __future__ import annotations

from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.pages.parts import Column, moment, name, section, table
from drystone.l85_surfaces.console.views import Audit, Entry

_COLUMNS = (
    Column("Number"),
    Column("When"),
    Column("Who"),
    Column("What"),
    Column("To what"),
    Column("Particulars"),
)


def audit(seen: Audit) -> Page:
    """Show some of the audit log."""
    query = {"actor": seen.actor, "action": seen.action, "subject": seen.subject}
    return Page(
        title="Audit",
        entry="audit",
        lead="Every change, by whom; each entry is bound to the one before. drystone audit verify proves that nothing was altered.",
        body=(
            _filters(seen),
            section(
                "Entries",
                table(
                    "Entries, newest first",
                    _COLUMNS,
                    map(_row, seen.entries),
                    empty="Nothing fits.",
                ),
                lead="Newest first, times in UTC.",
            ),
            None
            if seen.next is None
            else tag(
                "p",
                tag("a", "Earlier entries", href=addresses.audit(**query, cursor=seen.next)),
                class_="more",
            ),
        ),
    )


def _row(one: Entry) -> list[Html | str | None]:
    fields = [
        (name(key, length=40), ": ", name(value, length=100), "; ")
        for key, value in sorted(one.fields.items())[:20]
    ]
    return [
        f"{one.number:,}",
        moment(one.at),
        name(one.actor, length=40),
        tag("code", short(one.action, 60)),
        name(one.subject, length=60),
        tag("small", fields) if fields else "—",
    ]


def _filters(seen: Audit) -> Html:
    fields = [
        ("Who", "actor", seen.actor),
        ("What", "action", seen.action),
        ("To what", "subject", seen.subject),
    ]
    return tag(
        "form",
        [
            tag(
                "label",
                label,
                tag("input", name=key, value=value, maxlength=100, autocomplete="off"),
            )
            for label, key, value in fields
        ],
        tag("button", "Show", type="submit"),
        action=addresses.audit(),
        method="get",
        role="search",
        class_="filters",
    )
