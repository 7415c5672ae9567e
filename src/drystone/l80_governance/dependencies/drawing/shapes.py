"""Shapes that pictures are put together from; lengths are in units of the picture."""

from __future__ import annotations

from drystone.l80_governance.dependencies.html import Attribute, Html, Node, tag


def box(
    x: float, y: float, width: float, height: float, *inside: Node, round_: float, **more: Attribute
) -> Html:
    """Draw a box.

    Args:
        x: Its left edge.
        y: Its upper edge.
        width: Of it.
        height: Of it.
        inside: Such as its title.
        round_: Radius of its corners.
        more: Its class, and what a script needs to know of it.
    """
    place = {"x": x, "y": y, "width": width, "height": height, "rx": round_}
    return tag("rect", *inside, **{key: _short(value) for key, value in place.items()}, **more)


def upright(x: float, top: float, bottom: float, **more: Attribute) -> Html:
    """Draw a line from top to bottom."""
    ends = {"x1": x, "x2": x, "y1": top, "y2": bottom}
    return tag("line", **{key: _short(value) for key, value in ends.items()}, **more)


def _short(value: float) -> str:
    """Write a length to a tenth: nobody sees less, and a picture of thousands of shapes is as long as its numbers."""
    return f"{value:.1f}".removesuffix(".0")
