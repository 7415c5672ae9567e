"""Some components and what leads between them, as a picture of columns: who needs stands left of what is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.words import Strength
from drystone.l80_governance.dependencies.drawing.shapes import box
from drystone.l80_governance.dependencies.drawing.stones import tangle_kinds
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l80_governance.dependencies.view import View, in_address, short

MOST = 300
MOST_EDGES = 700
"""Of more, those are drawn that are wrong or changed, and those of the middle."""
WIDTH = 1100.0
_HEIGHT, _GAP = 26.0, 8.0
_SWEEPS = 6


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is drawn.

    Attributes:
        columns: The vertices of each column, from left to right.
        edges: The edges between them.
        middle: The vertex that all is about, if there is one.
        cut: Edges that a cut would change.
        about: What the picture shows, in words.
        marks: Whether components in tangles are marked; of no use where all are in one.
    """

    columns: Sequence[Sequence[int]]
    edges: Sequence[int]
    middle: int | None = None
    cut: Collection[int] = ()
    about: str
    marks: bool = True


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float

    @property
    def mid(self) -> float:
        return self.y + _HEIGHT / 2


def picture(view: View, around: Around) -> Html:
    """Draw it."""
    columns = _ordered(view, around)
    boxes, height = _boxes(columns)
    graph = view.analysis.graph
    edges = sorted(around.edges, key=lambda e: _weight(view, around, e))[-MOST_EDGES:]
    lines = []
    for edge in edges:
        source, target = boxes[int(graph.source[edge])], boxes[int(graph.target[edge])]
        one = view.analysis.model.dependencies[edge]
        kind = "soft" if one.strength is Strength.SOFT else "hard"
        if edge in around.cut:
            kind = "cut"
        elif view.analysis.upward[edge]:
            kind = "wrong"
        title = tag("title", one.sentence()[:300])
        lines.append(tag("path", title, d=_way(source, target), class_=f"edge {kind}"))
    kinds = tangle_kinds(view.analysis) if around.marks else {}
    shapes = [
        _shape(
            view, vertex, spot, str(kinds.get(vertex, "plain")), is_middle=vertex == around.middle
        )
        for vertex, spot in boxes.items()
    ]
    return tag(
        "svg",
        tag("title", around.about),
        tag("g", lines),
        tag("g", shapes),
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="group",
        aria_label=around.about,
        class_="around wall",
    )


def _weight(view: View, around: Around, edge: int) -> int:
    """Return how much an edge matters in the picture."""
    if edge in around.cut:
        return 3
    graph = view.analysis.graph
    is_near = around.middle in {int(graph.source[edge]), int(graph.target[edge])}
    return 2 if view.analysis.upward[edge] else int(is_near)


def _ordered(view: View, around: Around) -> list[list[int]]:
    """Order each column by where its neighbours stand, sweep after sweep."""
    graph = view.analysis.graph
    near: dict[int, list[int]] = {}
    for edge in around.edges:
        one, other = int(graph.source[edge]), int(graph.target[edge])
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    columns = [list(column) for column in around.columns]
    for _ in range(_SWEEPS):
        place = _places(columns)
        for column in columns:
            column.sort(key=lambda v: _mean([place[w] for w in near.get(v, ())], place[v]))
            place |= _places([column])
    return columns


def _places(columns: Sequence[Sequence[int]]) -> dict[int, float]:
    return {v: (at + 0.5) / len(column) for column in columns for at, v in enumerate(column)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _boxes(columns: Sequence[Sequence[int]]) -> tuple[Mapping[int, _Box], float]:
    """Return where each stands, and how high the picture is; a long column stands in several files."""
    files = [_filed(column) for column in columns]
    count = sum(len(column) for column in files)
    tallest = max((len(one) for column in files for one in column), default=1)
    width = min(190.0, (WIDTH - 20.0) / max(1, count) - (60.0 if count < 7 else 12.0))
    width = max(width, 26.0)
    height = tallest * (_HEIGHT + _GAP) + _GAP + 24
    pitch = min((WIDTH - width - 8) / max(1, count - 1), width + 170.0)
    begin = (WIDTH - width - pitch * (count - 1)) / 2
    found: dict[int, _Box] = {}
    at = 0
    for column in files:
        for file in column:
            x = begin + at * pitch
            top = (height - len(file) * (_HEIGHT + _GAP) + _GAP) / 2
            for place, vertex in enumerate(file):
                found[vertex] = _Box(x, top + place * (_HEIGHT + _GAP), width)
            at += 1
    return found, height


def _filed(column: Sequence[int]) -> list[Sequence[int]]:
    most = 22
    parts = max(1, -(-len(column) // most))
    return [column[at::parts] for at in range(parts)]


def _way(source: _Box, target: _Box) -> str:
    if source.x + source.width < target.x:
        x1, x2 = source.x + source.width, target.x
        pull = (x2 - x1) * 0.5
        return f"M{x1:.0f} {source.mid:.0f}C{x1 + pull:.0f} {source.mid:.0f} {x2 - pull:.0f} {target.mid:.0f} {x2:.0f} {target.mid:.0f}"
    if source.x == target.x:
        # What leads down bows out on the right and what leads up on the left, so that two who need each other show both.
        sign, side = (1, source.x + source.width) if source.y < target.y else (-1, source.x)
        bow = side + sign * (12 + min(60.0, abs(source.y - target.y) * 0.25))
        return f"M{side:.0f} {source.mid:.0f}C{bow:.0f} {source.mid:.0f} {bow:.0f} {target.mid:.0f} {side:.0f} {target.mid:.0f}"
    x1, x2 = source.x + source.width / 2, target.x + target.width / 2
    up = min(source.y, target.y) - 22
    return f"M{x1:.0f} {source.y:.0f}C{x1:.0f} {up:.0f} {x2:.0f} {up:.0f} {x2:.0f} {target.y:.0f}"


def _shape(view: View, vertex: int, spot: _Box, kind: str, *, is_middle: bool) -> Html:
    name = view.analysis.model.components[vertex].name
    looks = f"stone shape {'middle' if is_middle else kind}"
    shape = box(spot.x, spot.y, spot.width, _HEIGHT, round_=6, class_=looks)
    text = tag(
        "text",
        short(name, max(2, int((spot.width - 8) / 7.2))),
        x=f"{spot.x + spot.width / 2:.0f}",
        y=f"{spot.mid:.0f}",
    )
    address = view.link("service", name=in_address(name))
    return tag("a", tag("title", name[:200]), shape, text, href=address)


def columns_by_layer(view: View, vertices: Sequence[int], most: int = 6) -> list[list[int]]:
    """Return components in columns, the highest layers left, as many layers in each that so many columns are enough."""
    layer = view.analysis.layer[np.array(vertices, np.int64)]
    levels = np.unique(layer)[::-1]
    groups = np.array_split(levels, min(most, len(levels)))
    found = []
    for group in groups:
        wanted = set(group.tolist())
        found.append([v for v, one in zip(vertices, layer.tolist(), strict=True) if one in wanted])
    return found
