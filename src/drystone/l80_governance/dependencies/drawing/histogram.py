"""How long many rehearsals lasted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from drystone.l05_graph.outcome import Spread
from drystone.l80_governance.dependencies.drawing.shapes import box, upright
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.html import Html, Node, tag

WIDTH, HEIGHT = 560.0, 164.0
_FOOT, _BINS = 24.0, 28


def histogram(every: Sequence[timedelta], spread: Spread) -> Html | None:
    """Draw the distribution, with half and nine tenths of it marked; None when there is none to draw."""
    if len(every) < 2 or every[0] == every[-1]:
        return None
    first, width = every[0], (every[-1] - every[0]) / _BINS
    counts = [0] * _BINS
    for one in every:
        counts[min(_BINS - 1, int((one - first) / width))] += 1
    step, most = WIDTH / _BINS, max(counts)
    parts: list[Node] = [
        tag("title", f"{len(every)} rehearsals lasted {spoken(first)} to {spoken(every[-1])}")
    ]
    for number, count in enumerate(counts):
        height = (HEIGHT - _FOOT - 32) * count / most
        x, y = number * step + 0.8, HEIGHT - _FOOT - height
        parts.append(box(x, y, step - 1.6, height, round_=2, class_="column"))
    for line, (label, at) in enumerate((("half", spread.p50), ("nine of ten", spread.p90))):
        if at is not None:
            x = WIDTH * ((at - first) / (every[-1] - first))
            side = "end" if x > WIDTH / 2 else "start"
            parts.append(upright(x, 14 + 14 * line, HEIGHT - _FOOT, class_="quantile"))
            parts.append(
                tag(
                    "text",
                    f"{label}: {spoken(at)}",
                    x=f"{x:.1f}",
                    y=f"{8 + 14 * line}",
                    text_anchor=side,
                )
            )
    parts.append(tag("text", spoken(first), x="0", y=f"{HEIGHT - 6:.0f}", text_anchor="start"))
    parts.append(
        tag("text", spoken(every[-1]), x=f"{WIDTH:.0f}", y=f"{HEIGHT - 6:.0f}", text_anchor="end")
    )
    return tag(
        "svg", parts, viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img", class_="histogram"
    )
