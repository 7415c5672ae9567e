"""All releases, of every service."""

from __future__ import annotations

from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    moment,
    name,
    prose,
    section,
    state,
    table,
)
from drystone.l85_surfaces.console.views import ReleaseLine, Releases

LIVE = 5
_COLUMNS = (
    Column("Release"),
    Column("Service"),
    Column("Environment"),
    Column("Kind"),
    Column("State"),
    Column("When"),
    Column("By"),
    Column("Why", is_wide=True),
)


def releases(seen: Releases) -> Page:
    """Show some of all releases."""
    return Page(
        title="Releases",
        entry="releases",
        lead="What was to be brought to serve, by whom, and what became of it.",
        live=LIVE,
        body=(
            _filters(seen),
            section(
                "Newest first",
                table(
                    "Releases, newest first",
                    _COLUMNS,
                    map(_row, seen.lines),
                    empty="Nothing fits.",
                ),
            ),
            _more(seen),
        ),
    )


def _row(one: ReleaseLine) -> list[Node]:
    return [
        name(one.version or one.id, addresses.release(one.id), 40),
        name(one.service, addresses.service(one.environment, one.service), 40),
        name(one.environment, length=30),
        one.kind,
        state(one.state),
        moment(one.at),
        name(one.by, length=30),
        prose(one.why, 80) if one.why else "—",
    ]


def _filters(seen: Releases) -> Html:
    fields = (
        ("Service", "service", seen.service),
        ("Environment", "environment", seen.environment),
    )
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
        tag("input", type="hidden", name="open", value="1") if seen.is_open else None,
        tag("button", "Show", type="submit"),
        tag(
            "a",
            "Show all" if seen.is_open else "Under way alone",
            href=addresses.releases(
                service=seen.service,
                environment=seen.environment,
                open=None if seen.is_open else "1",
            ),
        ),
        action=addresses.releases(),
        method="get",
        role="search",
        class_="filters",
    )


def _more(seen: Releases) -> Html | None:
    if seen.next is None:
        return None
    to = addresses.releases(
        service=seen.service,
        environment=seen.environment,
        open="1" if seen.is_open else None,
        cursor=seen.next,
    )
    return tag("p", tag("a", "Earlier releases", href=to), class_="more")
