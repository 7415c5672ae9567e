"""The wall: every component a stone, on the course of its layer."""

from __future__ import annotations

from drystone.l80_governance.dependencies.bands import cake_of
from drystone.l80_governance.dependencies.drawing.stones import Room, course, tangle_kinds
from drystone.l80_governance.dependencies.html import Html, tag
from drystone.l80_governance.dependencies.view import View

WIDTH = 1000.0
NAMED = 12
_GAP = 4.0


def wall_of(view: View) -> Html:
    """Draw the wall; tangled stones are marked."""
    analysis = view.analysis
    cake, kinds = cake_of(analysis), tangle_kinds(analysis)
    count, most = len(cake.bands), max(len(band.members) for band in cake.bands)
    height = 34.0 if count <= 14 else 18.0 if count <= 26 else 11.0
    courses = []
    for number, band in enumerate(reversed(cake.bands)):
        room = Room(
            left=0.0,
            width=WIDTH,
            top=number * (height + _GAP),
            height=height,
            most_named=NAMED,
            most=most,
        )
        stones = course(analysis, band, room, kinds)
        has_names = len(band.members) <= NAMED
        courses.append(tag("g", [s.named(view) if has_names else s.shape() for s in stones]))
    has_links = any(len(band.members) <= NAMED for band in cake.bands)
    return tag(
        "svg",
        tag("title", "The components as stones of a wall, the lowest layer at the bottom"),
        courses,
        viewBox=f"0 0 {WIDTH:.0f} {count * (height + _GAP):.0f}",
        role="group" if has_links else "img",
        class_="wall",
    )
