"""The layer cake: bands with their components, and what leads from layer to layer.

Of a small model every dependency is drawn. Of a large one they are counted from band to band: what leads down bows out on
the right, calmly; what does not, on the left, in the colour of what is wrong. A sound model has nothing on the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.words import Strength
from drystone.l80_governance.dependencies.bands import Cake
from drystone.l80_governance.dependencies.drawing.shapes import box
from drystone.l80_governance.dependencies.drawing.stones import Room, Stone, course, tangle_kinds
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l80_governance.dependencies.view import View

WIDTH = 1100.0
MOST_SINGLE = 90
"""So many dependencies are drawn one by one."""
MOST_BOWS = 90
MOST_RED = 150
NAMED = 9
_LABEL = 118.0
_SIDE = 150.0


@dataclass(frozen=True)
class _Plan:
    """Where everything goes."""

    cake: Cake
    is_small: bool
    height: float
    pitch: float
    left: float
    right: float

    def top(self, band: int) -> float:
        return 6 + (len(self.cake.bands) - 1 - band) * self.pitch

    def middle(self, band: int) -> float:
        return self.top(band) + self.height / 2

    @property
    def bottom(self) -> float:
        return 12 + len(self.cake.bands) * self.pitch - (self.pitch - self.height)


def is_small(view: View, cake: Cake) -> bool:
    """Whether there is room to draw every dependency."""
    fullest = max(len(band.members) for band in cake.bands)
    return len(view.analysis.model.dependencies) <= MOST_SINGLE and fullest <= NAMED


def cake_picture(view: View, cake: Cake, selected: int | None) -> Html:
    """Draw the layers.

    Args:
        view: What is looked at.
        cake: Its bands.
        selected: The band that is looked at, whose dependencies alone are drawn.
    """
    small, count = is_small(view, cake), len(cake.bands)
    height = 36.0 if small else 30.0 if count <= 16 else 20.0
    pitch = height + (44.0 if small else 8.0)
    side = 0.0 if small else _SIDE
    plan = _Plan(cake, small, height, pitch, _LABEL + side * 0.75, WIDTH - max(side, 2.0))
    stones = _stones(view, plan)
    bands = [_band(view, plan, number, selected) for number in range(count)]
    edges = _single(view, plan, stones) if small else _bows(view, plan, selected)
    over = [] if small else _red(view, stones)
    shapes = [_shapes(view, stones, number, plan) for number in range(count)]
    return tag(
        "svg",
        tag("title", "The layers, the lowest at the bottom, and what leads from one to another"),
        tag("g", bands),
        tag("g", edges) if small else None,
        tag("g", shapes),
        None if small else tag("g", edges),
        tag("g", over),
        viewBox=f"0 0 {WIDTH:.0f} {plan.bottom:.0f}",
        role="group",
        aria_label="Layers",
        class_="cake wall",
    )


def _stones(view: View, plan: _Plan) -> dict[int, Stone]:
    kinds = tangle_kinds(view.analysis)
    most = max(len(band.members) for band in plan.cake.bands)
    found: dict[int, Stone] = {}
    for number, band in enumerate(plan.cake.bands):
        room = Room(
            left=plan.left + 10,
            width=plan.right - plan.left - 20,
            top=plan.top(number) + 3,
            height=plan.height - 6,
            most_named=NAMED,
            most=most,
        )
        for stone in course(view.analysis, band, room, kinds):
            found.update(dict.fromkeys(stone.vertices, stone))
    return found


def _shapes(view: View, stones: dict[int, Stone], number: int, plan: _Plan) -> Html:
    members = plan.cake.bands[number].members
    mine = list(dict.fromkeys(stones[int(v)] for v in members))
    if len(members) <= NAMED:
        return tag("g", [one.named(view) for one in mine])
    return tag("g", [one.shape() for one in mine], class_="many")


def _band(view: View, plan: _Plan, number: int, selected: int | None) -> Html:
    band = plan.cake.bands[number]
    now = number == selected
    width, top = plan.right - plan.left, plan.top(number)
    back = box(plan.left, top, width, plan.height, round_=9, class_="band shape")
    text = tag("text", band.label, x=4, y=f"{plan.middle(number):.1f}", class_="label")
    address = view.again("layers", band=None if now else number)
    about = f"{band.label}: {len(band.members)} components"
    return tag(
        "a",
        tag("title", about),
        back,
        text,
        href=address,
        class_="chosen" if now else None,
        aria_current="true" if now else None,
    )


def _single(view: View, plan: _Plan, stones: dict[int, Stone]) -> list[Html]:
    """Draw every dependency, those that are wrong last."""
    analysis = view.analysis
    found = []
    for edge in np.argsort(analysis.upward, kind="stable").tolist():
        one = analysis.model.dependencies[edge]
        source = stones[int(analysis.graph.source[edge])]
        target = stones[int(analysis.graph.target[edge])]
        kind = "soft" if one.strength is Strength.SOFT else "hard"
        if analysis.upward[edge]:
            kind = "wrong"
        found.append(
            tag(
                "path",
                tag("title", one.sentence()),
                d=_curve(source, target),
                class_=f"edge {kind}",
            )
        )
    return found


def _curve(source: Stone, target: Stone) -> str:
    """Return the way from who needs to what is needed: downwards, or around the side."""
    if target.y > source.y:
        x1, y1, x2, y2 = source.middle, source.y + source.height, target.middle, target.y
        pull = (y2 - y1) * 0.45
        return f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + pull:.0f} {x2:.0f} {y2 - pull:.0f} {x2:.0f} {y2:.0f}"
    if target.y == source.y:
        y = source.y
        return f"M{source.middle:.0f} {y:.0f}Q{(source.middle + target.middle) / 2:.0f} {y - 34:.0f} {target.middle:.0f} {y:.0f}"
    x1, x2 = source.x, target.x
    y1, y2 = source.y + source.height / 2, target.y + target.height / 2
    side = min(x1, x2) - 26
    return f"M{x1:.0f} {y1:.0f}C{side:.0f} {y1:.0f} {side:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"


def _bows(view: View, plan: _Plan, selected: int | None) -> list[Html]:
    """Draw how many dependencies lead from band to band, the thickest."""
    cake = plan.cake
    pairs = list(zip(*np.nonzero(cake.counts), strict=True))
    if selected is not None:
        pairs = [pair for pair in pairs if selected in pair]
    wrong = [(int(i), int(j)) for i, j in pairs if cake.upward[i, j]]
    calm = [(int(i), int(j)) for i, j in pairs if i > j]
    calm.sort(key=lambda pair: -cake.counts[pair])
    found = [_bow(view, plan, pair, int(cake.counts[pair])) for pair in reversed(calm[:MOST_BOWS])]
    wrong.sort(key=lambda pair: -cake.upward[pair])
    found += [
        _bow(view, plan, pair, int(cake.upward[pair]), is_wrong=True)
        for pair in reversed(wrong[:MOST_BOWS])
    ]
    return found


def _bow(
    view: View, plan: _Plan, pair: tuple[int, int], count: int, *, is_wrong: bool = False
) -> Html:
    source, target = pair
    y1, y2 = plan.middle(source), plan.middle(target)
    reach = 26 + (_SIDE - 40) * min(1.0, math.sqrt(abs(source - target) / len(plan.cake.bands)))
    x = plan.right
    if is_wrong:
        x, reach = plan.left, -reach * 0.75
    if source == target:
        y1, y2 = y1 - 6, y2 + 6
    width = min(6.0, 0.8 + 0.5 * math.log2(1 + count))
    shape = tag(
        "path",
        d=f"M{x:.0f} {y1:.1f}C{x + reach:.0f} {y1:.1f} {x + reach:.0f} {y2:.1f} {x:.0f} {y2:.1f}",
        stroke_width=f"{width:.1f}",
        class_="bow shape",
    )
    names = plan.cake.bands
    where = f"{names[source].label} → {names[target].label}"
    about = f"{where}: {count:,}" + (" hard that do not lead down" if is_wrong else "")
    query = {"from": source, "to": target, "where": "upward" if is_wrong else None}
    return tag(
        "a",
        tag("title", about),
        shape,
        href=view.link("dependencies", **query),
        class_="wrong" if is_wrong else "calm",
    )


def _red(view: View, stones: dict[int, Stone]) -> list[Html]:
    """Draw the dependencies that do not lead down, one by one, over the stones."""
    analysis = view.analysis
    found = []
    for edge in np.nonzero(analysis.upward)[0][:MOST_RED].tolist():
        source = stones[int(analysis.graph.source[edge])]
        target = stones[int(analysis.graph.target[edge])]
        line = f"M{source.middle:.0f} {source.y + source.height / 2:.0f}L{target.middle:.0f} {target.y + target.height / 2:.0f}"
        found.append(tag("path", d=line, class_="edge thin wrong"))
    return found
