"""The heat map: where the tangles hurt most, by whose they are and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from drystone.l05_graph.arrays import Costs
from drystone.l05_graph.model import Component, Dependency
from drystone.l80_governance.dependencies.bands import cake_of
from drystone.l80_governance.dependencies.html import Html, Node, joined, tag
from drystone.l80_governance.dependencies.listing import choose, filters
from drystone.l80_governance.dependencies.parts import Column, section, table
from drystone.l80_governance.dependencies.view import Page, View, short

PATH = "heat"
_MOST_ROWS, _MOST_COLUMNS, _MOST_LISTED = 40, 24, 15
_SHADES = 6
_SIDES = {
    "owner": "owner of who needs",
    "target-owner": "owner of what is needed",
    "layer": "layer of who needs",
    "target-layer": "layer of what is needed",
    "risk": "what for",
    "tier": "tier of who needs",
    "kind": "kind of who needs",
}
_MEASURES = {
    "heat": "heat of tangles",
    "upward": "hard, not leading down",
    "hard": "hard dependencies",
    "all": "all dependencies",
}


def heat(view: View) -> Page:
    """Show the heat of a model as a map, and what is hottest as tables."""
    asked = view.asked
    if not view.analysis.model.dependencies:
        return Page(title="Heat", lead="The model has no dependencies yet.", body=None, path=PATH)
    has_owners = any(one.owner for one in view.analysis.model.components)
    rows = asked.choice("rows", _SIDES, "owner" if has_owners else "layer")
    columns = asked.choice("columns", _SIDES, "risk" if rows != "risk" else "layer")
    measure = asked.choice("measure", _MEASURES, "heat")
    values = _values(view, measure)
    if not values.sum() and measure == "heat" and not asked.text("measure"):
        measure, values = "hard", _values(view, "hard")
    form = filters(
        view,
        PATH,
        choose(view, "rows", "Rows", _SIDES, None, now=rows),
        choose(view, "columns", "Columns", _SIDES, None, now=columns),
        choose(view, "measure", "What is measured", _MEASURES, None, now=measure),
    )
    return Page(
        title="Heat",
        lead="A dependency is hot when many short circles lead through it and it is cheap to change; what is in the"
        " best cut is hotter than all others.",
        body=joined(
            form, _map(view, rows, columns, measure, values), _hottest(view), _components(view)
        ),
        path=PATH,
    )


def _values(view: View, measure: str) -> Costs:
    analysis = view.analysis
    if measure == "heat":
        return 100 * analysis.heat.edges
    flags = {
        "upward": analysis.upward,
        "hard": analysis.graph.hard,
        "all": np.ones(len(analysis.model.dependencies), np.bool_),
    }[measure]
    return flags.astype(np.float64)


def _words(view: View, side: str) -> list[str]:
    """Return the row or column of each dependency."""
    model = view.analysis.model
    if side in {"layer", "target-layer"}:
        cake = cake_of(view.analysis, 20)
        graph = view.analysis.graph
        ends = graph.source if side == "layer" else graph.target
        return [cake.bands[number].label for number in cake.of[ends].tolist()]
    of: Mapping[str, Callable[[Component, Dependency], str]] = {
        "owner": lambda source, _: source.owner or "nobody",
        "target-owner": lambda _, one: model.by_name[one.target].owner or "nobody",
        "risk": lambda _, one: str(one.risk),
        "tier": lambda source, _: "none" if source.tier is None else f"tier {source.tier}",
        "kind": lambda source, _: str(source.kind),
    }
    make = of[side]
    return [make(model.by_name[one.source], one) for one in model.dependencies]


def _map(view: View, rows: str, columns: str, measure: str, values: Costs) -> Html:
    sums: dict[tuple[str, str], float] = {}
    for row, column, value in zip(
        _words(view, rows), _words(view, columns), values.tolist(), strict=True
    ):
        if value:
            sums[row, column] = sums.get((row, column), 0.0) + value
    row_names = _largest(sums, 0, _MOST_ROWS, by_name=rows.endswith("layer"))
    column_names = _largest(sums, 1, _MOST_COLUMNS, by_name=columns.endswith("layer"))
    top = max(sums.values(), default=1.0)
    head = [
        tag("th", tag("span", tag("bdi", short(name, 24))), scope="col") for name in column_names
    ]
    lines = []
    for row in row_names:
        cells = [_cell(sums.get((row, column), 0.0), top) for column in column_names]
        lines.append(tag("tr", tag("th", tag("bdi", short(row, 30)), scope="row"), cells))
    corner = tag("th", f"{_SIDES[rows]} ↓ {_SIDES[columns]} →", scope="col")
    caption = f"{_MEASURES[measure].capitalize()}, by {_SIDES[rows]} and {_SIDES[columns]}; the largest first"
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", corner, head)),
        tag("tbody", lines),
        class_="grid heat",
    )
    inner = tag("div", whole, class_="scroll", tabindex="0", role="group", aria_label="Table")
    return section(
        "Map", inner if lines else tag("p", "Nothing is hot.", class_="empty"), name="map"
    )


def _largest(
    sums: Mapping[tuple[str, str], float], side: int, most: int, *, by_name: bool
) -> list[str]:
    """Return the names with the largest sums; layers stay in their order."""
    totals: dict[str, float] = {}
    for pair, value in sums.items():
        totals[pair[side]] = totals.get(pair[side], 0.0) + value
    chosen = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    if by_name:
        chosen.sort(
            key=lambda name: [int(part) for part in name.split() if part.isdigit()],
            reverse=side == 0,
        )
    return chosen


def _cell(value: float, top: float) -> Html:
    if not value:
        return tag("td")
    shade = max(1, min(_SHADES, int(np.ceil(_SHADES * (value / top) ** 0.5))))
    return tag("td", f"{value:.3g}" if value < 1000 else f"{value:,.0f}", class_=f"shade{shade}")


def _hottest(view: View) -> Html | None:
    analysis = view.analysis
    order = np.argsort(-analysis.heat.edges, kind="stable")[:_MOST_LISTED]
    rows: list[list[Node]] = [
        [
            view.dependency(analysis.model.dependencies[int(e)]),
            f"{100 * float(analysis.heat.edges[e]):.0f}",
            f"{int(analysis.heat.circles[e]):,}",
            "yes" if analysis.upward[e] else None,
            f"{float(analysis.graph.cost[e]):.4g}",
        ]
        for e in order
        if analysis.heat.edges[e] > 0
    ]
    if not rows:
        return None
    columns = [
        Column("Dependency"),
        Column("Heat", is_number=True),
        Column("Circles through it", is_number=True),
        Column("Not leading down"),
        Column("Cost to remove", is_number=True),
    ]
    more = tag(
        "p",
        tag("a", "All by heat", href=view.link("dependencies", where="tangled", sort="-heat")),
        class_="more",
    )
    return section("Hottest dependencies", table("Heat of 100", columns, rows), more, name="edges")


def _components(view: View) -> Html | None:
    analysis = view.analysis
    order = np.argsort(-analysis.heat.vertices, kind="stable")[:_MOST_LISTED]
    rows: list[list[Node]] = [
        [
            view.service(analysis.model.components[int(v)].name),
            analysis.model.components[int(v)].owner,
            int(analysis.layer[v]),
            f"{100 * float(analysis.heat.vertices[v]):.0f}",
        ]
        for v in order
        if analysis.heat.vertices[v] > 0
    ]
    columns = [
        Column("Component"),
        Column("Owner"),
        Column("Layer", is_number=True),
        Column("Heat", is_number=True),
    ]
    return (
        section("Hottest components", table("Heat of 100", columns, rows), name="components")
        if rows
        else None
    )
