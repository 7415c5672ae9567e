"""Every component, to be searched and sorted."""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.arrays import Numbers
from drystone.l05_graph.words import Kind
from drystone.l80_governance.dependencies.html import Node, joined, tag
from drystone.l80_governance.dependencies.listing import (
    choose,
    filters,
    part_of,
    sortable,
    turns,
    write,
)
from drystone.l80_governance.dependencies.parts import Column, counted, table
from drystone.l80_governance.dependencies.view import Page, View

PATH = "services"
_COLUMNS = {
    "name": Column("Component"),
    "owner": Column("Owner"),
    "kind": Column("Kind"),
    "tier": Column("Tier", is_number=True, about="0 is the most important"),
    "layer": Column("Layer", is_number=True),
    "reach": Column("Fall with it", is_number=True, about="Over any number of hard dependencies"),
    "users": Column("Need it", is_number=True),
    "needs": Column("Needs", is_number=True),
    "findings": Column("Findings", is_number=True),
}
_SORTS = [word for key in _COLUMNS for word in (key, f"-{key}")]


def services(view: View) -> Page:
    """List the components that are asked for."""
    analysis, asked = view.analysis, view.asked
    text, owner = asked.text("q").casefold(), asked.text("owner")
    kind, band = asked.word("kind", Kind), asked.text("layer")
    low, high = _layers(view)
    chosen = [
        number
        for number, one in enumerate(analysis.model.components)
        if (not text or text in one.name.casefold())
        and (not owner or one.owner == owner)
        and (kind is None or one.kind is kind)
        and (not band or low <= analysis.layer[number] <= high)
    ]
    sort = asked.choice("sort", _SORTS, "name")
    order = _sorted(view, np.array(chosen, np.int64), sort, text)
    part = part_of(view, len(order))
    owners = sorted({one.owner for one in analysis.model.components if one.owner})
    form = filters(
        view,
        PATH,
        write(view, "q", "Name"),
        choose(view, "owner", "Owner", owners) if owners else None,
        choose(view, "kind", "Kind", Kind),
        write(view, "layer", "Layer, or from-to"),
    )
    caption = counted(len(order), "component") + (
        " as asked for" if len(order) < analysis.graph.size else ""
    )
    rows = [_row(view, int(v)) for v in order[part.begin : part.end]]
    listed = table(
        caption, sortable(view, PATH, _COLUMNS, sort), rows, empty="No component is like that."
    )
    return Page(
        title="Services",
        lead="Every component of the model: who owns it, where it lies, and what rests on it.",
        body=joined(form, tag("div", listed, role="status"), turns(view, PATH, part)),
        path=PATH,
    )


def _layers(view: View) -> tuple[int, int]:
    low, _, high = view.asked.text("layer").partition("-")
    numbers = [int(one) for one in (low, high) if one.strip().isdecimal() and len(one) < 10]
    return (min(numbers), max(numbers)) if numbers else (0, -1)


def _sorted(view: View, chosen: Numbers, sort: str, text: str) -> Numbers:
    analysis = view.analysis
    components = analysis.model.components
    word = sort.removeprefix("-")
    if word in {"name", "owner", "kind"}:

        def key(vertex: int) -> tuple[int, str]:
            one = components[vertex]
            if word == "name":
                return _nearness(one.name, text)
            return (0, str(one.kind)) if word == "kind" else (one.owner is None, one.owner or "")

        found = sorted(chosen.tolist(), key=key, reverse=sort.startswith("-"))
        return np.array(found, np.int64)
    columns: dict[str, Numbers] = {
        "layer": analysis.layer,
        "users": analysis.users,
        "reach": analysis.reach if analysis.reach is not None else analysis.users,
        "needs": np.bincount(analysis.graph.source, minlength=analysis.graph.size),
        "tier": np.array([99 if one.tier is None else one.tier for one in components], np.int64),
        "findings": np.array(
            [len(analysis.by_subject.get(one.name, ())) for one in components], np.int64
        ),
    }
    values = columns[word][chosen]
    return chosen[np.argsort(-values if sort.startswith("-") else values, kind="stable")]


def _nearness(name: str, text: str) -> tuple[int, str]:
    """Put what begins with the text before what has it somewhere."""
    folded = name.casefold()
    return (0 if not text else (folded != text) + (not folded.startswith(text)), folded)


def _row(view: View, vertex: int) -> list[Node]:
    analysis = view.analysis
    one = analysis.model.components[vertex]
    found = len(analysis.by_subject.get(one.name, ()))
    return [
        view.service(one.name),
        one.owner,
        str(one.kind),
        one.tier,
        int(analysis.layer[vertex]),
        f"{int(analysis.reach[vertex]):,}" if analysis.reach is not None else None,
        f"{int(analysis.users[vertex]):,}",
        f"{len(analysis.model.needs.get(one.name, ())):,}",
        f"{found:,}" if found else None,
    ]
