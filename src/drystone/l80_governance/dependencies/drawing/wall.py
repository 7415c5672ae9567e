"""The wall: every component a stone, on the course of its layer."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.tangles import TangleKind
from drystone.l80_governance.dependencies.bands import cake_of
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l80_governance.dependencies.view import View, in_address, short

WIDTH = 1000.0
NAMED = 14
"""A course of more stones has no room for their names."""
_GAP = 3.0
_PER_LETTER = 7.0
_WIDEST = 260.0


@dataclass(frozen=True)
class _Stone:
    """A component where it lies."""

    name: str
    kind: TangleKind | None
    x: float
    y: float
    width: float
    height: float

    def shape(self) -> Html:
        """Draw it."""
        tone = f"tone{zlib.crc32(self.name.encode('utf-8', 'replace')) % 4}"
        return tag(
            "rect",
            x=f"{self.x:.1f}",
            y=f"{self.y:.1f}",
            width=f"{max(self.width, 0.6):.1f}",
            height=f"{self.height:.0f}",
            rx=f"{min(5.0, self.width / 4, self.height / 4):.1f}",
            class_=f"stone shape {self.kind or tone}",
        )

    def named(self, view: View) -> Html:
        """Draw it with its name, as a link to its page."""
        text = None
        if self.height > 20 and self.width > 24:
            text = tag(
                "text",
                short(self.name, max(2, int((self.width - 10) / _PER_LETTER))),
                x=f"{self.x + self.width / 2:.1f}",
                y=f"{self.y + self.height / 2:.1f}",
            )
        about = self.name[:200] + ("" if self.kind is None else f" ({self.kind})")
        address = view.link("service", name=in_address(self.name))
        return tag("a", tag("title", about), self.shape(), text, href=address)


def wall_of(view: View) -> Html:
    """Draw the wall; tangled stones are marked."""
    cake = cake_of(view.analysis)
    widest = max(len(band.members) for band in cake.bands)
    height = 34.0 if len(cake.bands) <= 14 else 18.0 if len(cake.bands) <= 26 else 12.0
    kinds = tangle_kinds(view)
    courses, has_links = [], False
    for number, band in enumerate(reversed(cake.bands)):
        names = [view.analysis.model.components[int(v)].name for v in band.members]
        spots = _spots(names, widest)
        stones = [
            _Stone(name, kinds.get(v), x, number * (height + _GAP), width, height)
            for v, name, (x, width) in zip(band.members.tolist(), names, spots, strict=True)
        ]
        are_named = len(names) <= NAMED
        has_links |= are_named
        courses.append(tag("g", [s.named(view) if are_named else s.shape() for s in stones]))
    return tag(
        "svg",
        tag("title", "The components as stones of a wall, the lowest layer at the bottom"),
        courses,
        viewBox=f"0 0 {WIDTH:.0f} {len(cake.bands) * (height + _GAP):.0f}",
        role="group" if has_links else "img",
        class_="wall",
    )


def tangle_kinds(view: View) -> dict[int, TangleKind]:
    """Return the kind of the tangle of each vertex that is in one of hard dependencies."""
    found: dict[int, TangleKind] = {}
    for tangle in view.analysis.tangles:
        if tangle.kind is not TangleKind.SOFT:
            found.update(dict.fromkeys(tangle.members.tolist(), tangle.kind))
    return found


def _spots(names: list[str], widest: int) -> list[tuple[float, float]]:
    """Return where each stone of a course begins, and how wide it is."""
    wishes = np.array([_wish(name, len(names)) for name in names])
    # Of a large model, courses with fewer stones are shorter, so that its shape shows.
    share = min(1.0, 0.55 + 0.45 * len(names) / widest) if widest > NAMED else 1.0
    room = max(WIDTH * share - _GAP * (len(names) - 1), WIDTH * share * 0.7)
    widths = wishes * room / wishes.sum()
    if len(names) <= NAMED:
        widths = np.minimum(widths, _WIDEST)
    gap = min(_GAP, float(widths.mean()) * 0.2)
    begin = (WIDTH - widths.sum() - gap * (len(names) - 1)) / 2
    starts = begin + np.concatenate(([0.0], np.cumsum(widths + gap)[:-1]))
    return list(zip(starts.tolist(), widths.tolist(), strict=True))


def _wish(name: str, count: int) -> float:
    """Return how wide a stone would be: by its name where that is shown, else as stones are."""
    if count <= NAMED:
        return 6.0 + min(len(name), 26)
    return 0.75 + (zlib.crc32(name.encode("utf-8", "replace")) % 7) / 12
