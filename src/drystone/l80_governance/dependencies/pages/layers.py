"""The layer cake: what lies upon what, and what leads the wrong way."""

from __future__ import annotations

import numpy as np

from drystone.l05_graph.tangles import TangleKind
from drystone.l80_governance.dependencies.bands import Cake, cake_of
from drystone.l80_governance.dependencies.drawing.cake import MOST_BOWS, cake_picture, is_small
from drystone.l80_governance.dependencies.drawing.stones import shared_by
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.html import Html, Node, joined, tag
from drystone.l80_governance.dependencies.parts import Column, counted, figure, section, table
from drystone.l80_governance.dependencies.view import Page, View

PATH = "layers"
_MOST_MEMBERS = 200
_KINDS = {TangleKind.DEADLOCK: "in a deadlock", TangleKind.CO_START: "only serve together"}


def layers(view: View) -> Page:
    """Show the layers, or one band of them.

    Raises:
        QuestionUnclear: There is no such band.
    """
    analysis = view.analysis
    if not analysis.model.components:
        return Page(title="Layers", lead="The model has no components yet.", body=None, path=PATH)
    cake = cake_of(analysis)
    selected = view.asked.number("band", -1) if view.asked.text("band") else None
    if selected is not None and selected >= len(cake.bands):
        raise QuestionUnclear(f"band is {selected}; there are bands 0 to {len(cake.bands) - 1}")
    picture = figure(
        cake_picture(view, cake, selected),
        _legend(view, cake, selected),
        to="as-table",
        text="Skip the picture; the same as a table",
    )
    chosen = _chosen(view, cake, selected) if selected is not None else None
    return Page(
        title="Layers",
        lead=_lead(view),
        body=joined(picture, chosen, _table(view, cake)),
        path=PATH,
    )


def _lead(view: View) -> Node:
    analysis = view.analysis
    upward = int(analysis.upward.sum())
    if not upward:
        return "Every hard dependency leads to a lower layer. This is how it can be rebuilt: from the bottom up."
    address = view.link("dependencies", where="upward")
    text = counted(upward, "hard dependency", "hard dependencies")
    verb = "does not lead" if upward == 1 else "do not lead"
    decided = sum(one.layer is not None for one in analysis.model.components)
    how = None
    if decided < len(analysis.model.components):
        how = (
            f" {decided:,} of {counted(len(analysis.model.components), 'component')} have a decided"
            " layer; the others lie as low as they can."
        )
    return joined(tag("a", text, href=address), f" {verb} down.", how, _unproven(view))


def _unproven(view: View) -> Node:
    layers = view.analysis.layers
    if layers.is_proven:
        return None
    return (
        f" These are the best layers that a short search has found: what violates them costs {layers.cost:,.6g}, and"
        f" no layers less than {layers.bound:,.6g}."
    )


def _legend(view: View, cake: Cake, selected: int | None) -> Node:
    if is_small(view, cake):
        return joined(
            tag("span", "hard", class_="key hard"),
            tag("span", "soft", class_="key soft"),
            tag("span", "hard, not leading down", class_="key wrong"),
        )
    pairs = int((cake.counts > 0).sum()) if selected is None else None
    most = (
        f"; the {MOST_BOWS} thickest are drawn" if pairs is not None and pairs > MOST_BOWS else ""
    )
    each, kinds = shared_by(view.analysis), {one.kind for one in view.analysis.tangles}
    return joined(
        tag("span", f"each stone stands for {each} components", class_="note")
        if each > 1
        else None,
        tag("span", f"down, from layer to layer{most}", class_="key hard"),
        tag("span", "hard, not leading down", class_="key wrong"),
        [tag("span", said, class_=f"key {kind}") for kind, said in _KINDS.items() if kind in kinds],
        tag("span", "Choose a layer to see what leads from and to it.", class_="note"),
    )


def _table(view: View, cake: Cake) -> Html:
    rows: list[list[Node]] = []
    for number in reversed(range(len(cake.bands))):
        band = cake.bands[number]
        layer = f"{band.lowest}-{band.highest}"
        upward = int(cake.upward[number].sum())
        tangled = int((view.analysis.tangle[band.members] >= 0).sum())
        rows.append(
            [
                tag("a", band.label, href=view.again(PATH, band=number)),
                tag("a", f"{len(band.members):,}", href=view.link("services", layer=layer)),
                _leads(view, int(cake.counts[number].sum()), from_=number),
                _leads(view, int(cake.counts[:, number].sum()), to=number),
                _leads(view, upward, from_=number, where="upward") if upward else None,
                f"{tangled:,}" if tangled else None,
            ]
        )
    columns = [
        Column("Layer"),
        Column("Components", is_number=True),
        Column("Dependencies from it", is_number=True),
        Column("Dependencies on it", is_number=True),
        Column("Not leading down", is_number=True),
        Column("In tangles", is_number=True),
    ]
    return section(
        "The same as a table", table("The layers from the top", columns, rows), name="as-table"
    )


def _leads(view: View, count: int, **query: str | int | None) -> Node:
    if not count:
        return None
    return tag("a", f"{count:,}", href=view.link("dependencies", **query))


def _chosen(view: View, cake: Cake, number: int) -> Html:
    """Tell what a band consists of, and where its dependencies lead."""
    band = cake.bands[number]
    members = [view.analysis.model.components[int(v)].name for v in band.members[:_MOST_MEMBERS]]
    more = len(band.members) - len(members)
    listed = tag("ul", [tag("li", view.service(name)) for name in members], class_="names")
    rest = None
    if more > 0:
        address = view.link("services", layer=f"{band.lowest}-{band.highest}")
        rest = tag("p", tag("a", f"and {more:,} more", href=address), class_="more")
    others = np.nonzero(cake.counts[number] + cake.counts[:, number])[0][::-1]
    rows: list[list[Node]] = [
        [
            tag("a", cake.bands[other].label, href=view.again(PATH, band=other)),
            _leads(view, int(cake.counts[number, other]), from_=number, to=other),
            _leads(view, int(cake.counts[other, number]), from_=other, to=number),
        ]
        for other in others.tolist()
    ]
    columns = [
        Column("Layer"),
        Column("Needed there", is_number=True),
        Column("Needed from there", is_number=True),
    ]
    return section(
        f"{band.label}: {counted(len(band.members), 'component')}",
        listed,
        rest,
        table(
            f"What leads from {band.label} and to it",
            columns,
            rows,
            empty="Nothing leads from it or to it.",
        ),
        name="chosen",
    )
