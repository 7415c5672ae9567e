"""The first page: services of every environment."""

from __future__ import annotations

from itertools import groupby

from drystone.l25_deployer.api import ServiceSummary
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page
from drystone.l85_surfaces.console.pages.parts import (
    Column,
    counted,
    moment,
    name,
    percent,
    prose,
    section,
    state,
    table,
)
from drystone.l85_surfaces.console.views import Overview

LIVE = 5
_COLUMNS = (
    Column("Service"),
    Column("State"),
    Column("Release"),
    Column("Rollout"),
    Column("Instances", is_number=True),
    Column("Owner"),
    Column("Last change"),
)


def services(seen: Overview) -> Page:
    """Show services of every environment."""
    parts = [
        _environment(seen, environment, list(lines))
        for environment, lines in groupby(seen.services, key=lambda one: one.environment)
    ]
    return Page(
        title="Services",
        entry="services",
        live=LIVE,
        body=(
            _problems(seen),
            _search(seen),
            parts or tag("p", _nothing(seen), class_="empty"),
            _more(seen),
        ),
    )


def _environment(seen: Overview, environment: str, lines: list[ServiceSummary]) -> Html:
    return section(
        environment,
        table(
            f"Services of {environment}",
            _COLUMNS,
            (_row(seen, one) for one in lines),
            empty="",
        ),
        lead=counted(len(lines), "service") + (" on this page" if seen.next else ""),
    )


def _row(seen: Overview, one: ServiceSummary) -> list[Node]:
    key = (one.environment, one.service)
    changed, rolling = seen.changed.get(key), seen.rolling.get(key)
    return [
        name(one.service, addresses.service(*key)),
        state(one.state),
        "—" if one.version is None else (name(one.version, length=24), _number(one.release)),
        "—" if rolling is None else _rolling(rolling.id, rolling.state, rolling.share),
        one.instances,
        name(one.owner, length=30) if one.owner else "—",
        "—"
        if changed is None
        else (
            moment(changed.at),
            " ",
            tag(
                "small",
                prose(f"{changed.event}: {changed.text}" if changed.text else changed.event, 60),
            ),
        ),
    ]


def _number(release: int | None) -> Html | None:
    return None if release is None else tag("small", f" #{release}")


def _rolling(id_: str, word: str, share: float | None) -> Node:
    shown = (state(word), " ", percent(share))
    return tag("a", shown, href=addresses.release(id_)) if id_ else shown


def _problems(seen: Overview) -> Html | None:
    if not seen.problems:
        return None
    items = [tag("li", prose(one)) for one in seen.problems[:20]]
    return tag("div", tag("p", tag("b", "The platform")), tag("ul", items), class_="notice bad")


def _search(seen: Overview) -> Html:
    return tag(
        "form",
        tag(
            "label",
            "Find",
            tag(
                "input",
                type="search",
                name="q",
                id="search",
                value=seen.search,
                maxlength=100,
                autocomplete="off",
                placeholder="service or owner",
            ),
        ),
        tag("input", type="hidden", name="environment", value=seen.environment)
        if seen.environment
        else None,
        tag("button", "Find", type="submit"),
        tag("a", "Show all", href=addresses.overview())
        if seen.search or seen.environment
        else None,
        action=addresses.overview(),
        method="get",
        role="search",
        class_="filters",
    )


def _nothing(seen: Overview) -> str:
    if seen.search or seen.environment:
        return "Nothing fits."
    return "No service is deployed yet: drystone deploy service.yaml deploys one."


def _more(seen: Overview) -> Html | None:
    if seen.next is None:
        return None
    query = {"cursor": seen.next, "q": seen.search, "environment": seen.environment}
    return tag("p", tag("a", "Next page", href=addresses.overview(**query)), class_="more")
