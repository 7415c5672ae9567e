"""Stones: components as they lie in the courses of a wall."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.tangles import TangleKind
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.bands import Band
from drystone.l80_governance.dependencies.drawing.shapes import box
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l80_governance.dependencies.view import View, in_address, short

_GAP = 3.0
_PER_LETTER = 7.2
_WIDEST = 260.0
MOST_STONES = 6000
"""More stones than there are dots on a screen show nothing, and make a page of megabytes."""


@dataclass(frozen=True, kw_only=True)
class Stone:
    """A component where it lies, or several beside each other that one stone stands for.

    Attributes:
        vertices: Which.
        name: Of the first.
        kind: Of the tangle of hard dependencies that it is in; the worst of several.
        x: Its left edge.
        y: Its upper edge.
        width: Of it.
        height: Of it.
    """

    vertices: tuple[int, ...]
    name: str
    kind: TangleKind | None
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Where its middle is, from left to right."""
        return self.x + self.width / 2

    def shape(self) -> Html:
        """Draw it."""
        tone = f"tone{zlib.crc32(self.name.encode('utf-8', 'replace')) % 4}"
        round_ = min(6.0, self.width / 4, self.height / 4)
        looks = f"stone shape {self.kind or tone}"
        width = max(self.width, 0.6)
        return box(self.x, self.y, width, self.height, round_=round_, class_=looks)

    def named(self, view: View, *, more: str = "") -> Html:
        """Draw it with its name, as a link to its page."""
        text = None
        if self.height > 16 and self.width > 24:
            text = tag(
                "text",
                short(self.name, max(2, int((self.width - 8) / _PER_LETTER))),
                x=f"{self.middle:.1f}",
                y=f"{self.y + self.height / 2:.1f}",
            )
        about = self.name[:200] + ("" if self.kind is None else f" ({self.kind})")
        address = view.link("service", name=in_address(self.name))
        return tag("a", tag("title", about), self.shape(), text, href=address, class_=more or None)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where a course lies.

    Attributes:
        left: Its left edge.
        width: Of a course of the most stones.
        top: Its upper edge.
        height: Of its stones.
        most_named: A course of more stones has no room for their names.
        most: How many stones the fullest course has.
    """

    left: float
    width: float
    top: float
    height: float
    most_named: int
    most: int


def course(analysis: Analysis, band: Band, room: Room, kinds: dict[int, TangleKind]) -> list[Stone]:
    """Lay the stones of a band; of a model without measure, each stands for several components."""
    each = shared_by(analysis) if len(band.members) > room.most_named else 1
    parts = [band.members[at : at + each].tolist() for at in range(0, len(band.members), each)]
    names = [analysis.model.components[part[0]].name for part in parts]
    spots = _spots(names, room)
    return [
        Stone(
            vertices=tuple(part),
            name=name,
            kind=_worst(kinds.get(vertex) for vertex in part),
            x=room.left + x,
            y=room.top,
            width=width,
            height=room.height,
        )
        for part, name, (x, width) in zip(parts, names, spots, strict=True)
    ]


def shared_by(analysis: Analysis) -> int:
    """Return how many components a stone stands for where there is no room for names."""
    return max(1, -(-analysis.graph.size // MOST_STONES))


def _worst(kinds: Iterable[TangleKind | None]) -> TangleKind | None:
    found = {one for one in kinds if one is not None}
    return next((one for one in TangleKind if one in found), None)


def tangle_kinds(analysis: Analysis) -> dict[int, TangleKind]:
    """Return the kind of the tangle of each vertex that is in one of hard dependencies."""
    found: dict[int, TangleKind] = {}
    for tangle in analysis.tangles:
        if tangle.kind is not TangleKind.SOFT:
            found.update(dict.fromkeys(tangle.members.tolist(), tangle.kind))
    return found


def _spots(names: Sequence[str], room: Room) -> list[tuple[float, float]]:
    """Return where each stone of a course begins, and how wide it is."""
    count, are_named = len(names), len(names) <= room.most_named
    wishes = np.array([_wish(name, are_named=are_named) for name in names])
    # Of a large model, courses with fewer stones are shorter, so that its shape shows.
    is_large = room.most > room.most_named
    whole = room.width * (min(1.0, 0.5 + 0.5 * count / room.most) if is_large else 1.0)
    gap = min(_GAP, 0.25 * whole / count)
    widths = wishes * (whole - gap * (count - 1)) / wishes.sum()
    if are_named:
        gap = 2 * _GAP
        widths = np.minimum(widths, _WIDEST) - gap / 2
    begin = (room.width - widths.sum() - gap * (count - 1)) / 2
    starts = begin + np.concatenate(([0.0], np.cumsum(widths + gap)[:-1]))
    return list(zip(starts.tolist(), widths.tolist(), strict=True))


def _wish(name: str, *, are_named: bool) -> float:
    """Return how wide a stone would be: by its name where that is shown, else as stones are."""
    if are_named:
        return 6.0 + min(len(name), 26)
    return 0.75 + (zlib.crc32(name.encode("utf-8", "replace")) % 7) / 12
