"""Charts as SVG that read well on light and on dark pages, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from typing_extensions import override

Points = Sequence[tuple[float, float]]

STYLE = """
svg { background: #fff }
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600; font-size: 14px }
.axis { stroke: #888; stroke-width: 1 } .grid { stroke: #ddd; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .thin { stroke-width: 1; opacity: 0.45 }
.dash { stroke-dasharray: 6 4 }
.a { stroke: #0b62c4 } .b { stroke: #c2410c } .c { stroke: #52525b } .d { stroke: #15803d }
text.a, rect.a { fill: #0b62c4 } text.b, rect.b { fill: #c2410c } text.c, rect.c { fill: #52525b }
text.d, rect.d { fill: #15803d } text.a, text.b, text.c, text.d, rect { stroke: none }
@media (prefers-color-scheme: dark) {
  svg { background: #15181d } text { fill: #ccc } .axis { stroke: #777 } .grid { stroke: #333 }
  .a { stroke: #6cb2ff } .b { stroke: #ff9a5c } .c { stroke: #b4b4bd } .d { stroke: #5fd38a }
  text.a, rect.a { fill: #6cb2ff } text.b, rect.b { fill: #ff9a5c } text.c, rect.c { fill: #b4b4bd }
  text.d, rect.d { fill: #5fd38a } text.a, text.b, text.c, text.d, rect { stroke: none }
}
"""


@dataclass
class Chart:
    """One chart: values to places, lines, marks and words.

    Attributes:
        title: Above it.
        x: Least and most across.
        y: Least and most upwards.
        across, upwards: Where marks stand on the axes, and what is written there.
        place: Left, top, width and height of the field between the axes, in pixels.
    """

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    across: Sequence[tuple[float, str]]
    upwards: Sequence[tuple[float, str]]
    place: tuple[float, float, float, float] = (64, 44, 600, 236)
    _parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        left, top, width, height = self.place
        self._parts.append(_text(left - 44, top - 22, self.title, "title"))
        for value, word in self.upwards:
            y = self._y(value)
            self._parts.append(_line(left, y, left + width, y, "grid"))
            self._parts.append(_text(left - 8, y + 4, word, anchor="end"))
        for value, word in self.across:
            self._parts.append(_text(self._x(value), top + height + 20, word, anchor="middle"))
        self._parts.append(_line(left, top + height, left + width, top + height, "axis"))

    def line(self, points: Points, kind: str) -> None:
        """Draw a line through points; what is beyond the chart is drawn at its edge."""
        places = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        self._parts.append(f'<polyline class="line {kind}" points="{places}"/>')

    def stairs(self, points: Points, kind: str) -> None:
        """Draw a line that stays until the next point."""
        both = [one for a, b in pairwise(points) for one in (a, (b[0], a[1]))]
        self.line([*both, points[-1]], kind)

    def bar(self, x: float, y: float, width: float, kind: str) -> None:
        """Draw a bar from the bottom to ``y``, so many pixels wide."""
        top = self._y(y)
        height = self.place[1] + self.place[3] - top
        self._parts.append(
            f'<rect class="{kind}" x="{self._x(x) - width / 2:.1f}" y="{top:.1f}" '
            f'width="{width:g}" height="{height:.1f}"/>'
        )

    def word(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Write something."""
        self._parts.append(_text(self._x(x), self._y(y), text, kind, anchor))

    @override
    def __str__(self) -> str:
        """Return all of it, without the frame."""
        return "\n".join(self._parts)

    def _x(self, value: float) -> float:
        left, _, width, _ = self.place
        return left + width * _part(value, self.x)

    def _y(self, value: float) -> float:
        _, top, _, height = self.place
        return top + height * (1 - _part(value, self.y))


def picture(charts: Sequence[Chart], about: str, width: int = 700, height: int = 320) -> str:
    """Put charts into one picture; ``about`` says in words what it shows."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    body = "\n".join(map(str, charts))
    return f"{head}\n<title>{escape(about)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"


def _part(value: float, ends: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
