"""What serves at a moment of a recovery: a stone for each component, layer upon layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby

import numpy as np

from drystone.l05_graph.outcome import Tabletop
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.drawing.shapes import box
from drystone.l80_governance.dependencies.drawing.stones import shared_by
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l80_governance.dependencies.view import short

WIDTH, _LABEL = 1160.0, 74.0
_GAP = 3.0
_NAMED = 12
"""A layer of more stones has no room for their names."""
_PER_LETTER = 6.6
NEVER_S = -1


def picture(
    analysis: Analysis, outcome: Tabletop, at: timedelta, *, name: str | None = "picture"
) -> Html:
    """Draw what serves at a moment.

    Args:
        analysis: Of the model.
        outcome: How it went.
        at: The moment, after the begin.
        name: What a script finds it by.

    Of a model without measure a stone stands for several components. Every stone has the second at which it begins to serve as ``data-serves``, -1 for one that never does.
    """
    names = [one.name for one in analysis.model.components]
    each = shared_by(analysis)
    size = 27.0 if len(names) <= 120 else 16.0 if len(names) <= 600 else 10.0
    most = int(np.bincount(analysis.layer).max()) if names else 0
    width = (WIDTH - _LABEL) / max(6, most) if most <= _NAMED else size
    per_row = int((WIDTH - _LABEL) / width)
    parts: list[Node] = []
    top, layer, column = 0.0, None, 0
    for mine, some in stacks(analysis, each):
        if mine != layer:
            top += 0.0 if layer is None else size + _GAP
            layer, column = mine, 0
            parts.append(tag("text", f"Layer {mine}", x="0", y=f"{top + size / 2:.1f}"))
        elif column == per_row:
            top, column = top + size, 0
        place = (_LABEL + column * width, top, width, size)
        parts.append(_stone([names[vertex] for vertex in some], outcome, at, place))
        column += 1
    height = top + size
    return tag(
        "svg",
        tag("title", "Which components serve, layer upon layer"),
        parts,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        class_="picture",
        id=name,
    )


def stacks(analysis: Analysis, each: int) -> Iterator[tuple[int, list[int]]]:
    """Return from the top what each stone stands for, and its layer."""
    order = reversed(analysis.order.tolist())
    for layer, members in groupby(order, key=lambda vertex: int(analysis.layer[vertex])):
        every = list(members)
        for begin in range(0, len(every), each):
            yield layer, every[begin : begin + each]


def _stone(
    names: Sequence[str],
    outcome: Tabletop,
    at: timedelta,
    place: tuple[float, float, float, float],
) -> Html:
    """Draw a stone; one that stands for several serves when the last of them does."""
    x, y, width, height = place
    every = [outcome.serves.get(one) for one in names]
    serves = None if None in every else max(one for one in every if one is not None)
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    second = NEVER_S if serves is None else int(serves.total_seconds())
    is_up = serves is not None and serves <= at
    when = "never comes back" if serves is None else f"serves after {spoken(serves)}"
    said = f"{name}: " + (when if second else "was not lost")
    shape = box(
        x,
        y,
        width - 2,
        height - 2,
        tag("title", said[:300]),
        round_=height / 8,
        class_="up" if is_up else "down",
        data_serves=second,
    )
    room = int((width - 10) / _PER_LETTER)
    if width <= height or room < 3:
        return shape
    middle = {"x": f"{x + width / 2 - 1:.1f}", "y": f"{y + height / 2 - 1:.1f}"}
    return tag("g", shape, tag("text", short(name, room), **middle, class_="on"))
