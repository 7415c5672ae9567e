"""What services cost: the chart and its figures, by the tag that somebody chooses."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

from drystone.l80_governance.costs.api import By, CostLine, CostReport
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.pages.parts import Column, name, prose, section, table

BYS: tuple[By, ...] = get_args(By)
_CENT = Decimal("0.01")


def costs(seen: CostReport) -> Page:
    """Show what a month costs, or came to."""
    span = seen.month or "A month of what is deployed"
    return Page(
        title="Costs",
        entry="costs",
        lead=f"{span}, at the prices of {short(seen.prices, 80)} ({seen.date}).",
        body=(
            _choice(seen),
            _passed(seen),
            _chart(seen) if seen.lines else None,
            section("Figures", _figures(seen)),
            section("What is not in it", _missing(seen)),
        ),
    )


def _choice(seen: CostReport) -> Html:
    return tag(
        "form",
        tag(
            "label",
            "By",
            tag(
                "select",
                [tag("option", by, value=by, selected=by == seen.by) for by in BYS],
                name="by",
            ),
        ),
        tag(
            "label",
            "Month, such as 2026-01",
            tag("input", name="month", value=seen.month or "", maxlength=7, autocomplete="off"),
        ),
        tag("button", "Show", type="submit"),
        action=addresses.costs(),
        method="get",
        role="search",
        class_="filters",
    )


def _passed(seen: CostReport) -> Html | None:
    if not seen.passed:
        return None
    items = [
        tag(
            "li",
            prose(
                f"{one.by} {one.key}: {_shown(one.now)} of {_shown(one.budget)} {seen.currency} a month"
            ),
        )
        for one in seen.passed
    ]
    return tag("div", tag("p", tag("b", "Over budget")), tag("ul", items), class_="notice bad")


def _chart(seen: CostReport) -> Html:
    alt = f"A bar for each line of the table below, in {seen.currency}"
    chart = tag("img", src=addresses.costs_chart(by=seen.by, month=seen.month), alt=alt)
    return tag("figure", chart, class_="costs")


def _figures(seen: CostReport) -> Html:
    heading = seen.month or "a month"
    columns = (
        Column(seen.by),
        Column(f"{seen.currency} {heading}", is_number=True),
        Column("At most", is_number=True),
    )
    rows = [_row(one) for one in [*seen.lines, seen.whole]] if seen.lines else []
    empty = f"Nothing is written down of {seen.month}." if seen.month else "Nothing is deployed."
    return table("What services cost, the dearest first", columns, rows, empty=empty)


def _row(one: CostLine) -> list[Node]:
    return [
        name(one.key, length=80),
        _shown(one.now),
        _shown(one.most) if one.most != one.now else "—",
    ]


def _missing(seen: CostReport) -> list[Node]:
    unpriced = sorted(set(seen.whole.unpriced))
    return [
        tag("p", "What is paid by use: objects in buckets, requests, traffic."),
        tag("p", "Without a price: ", prose(", ".join(unpriced), 400), ".") if unpriced else None,
        [
            tag("p", name(one.service, length=80), f" lacks {', '.join(one.lacks)}.")
            for one in seen.untagged
        ],
    ]


def _shown(amount: str) -> str:
    return str(Decimal(amount).quantize(_CENT))
