"""A rollout as a picture: the share of the traffic over time, and below it what is proven, on an axis of powers of ten.

An e-value is what a bet has made of one unit of money, if it is a fair bet while the new release is no worse. It is above 100
in fewer than 1 of 100 such rollouts, however often one looks (Ville's inequality; Ramdas and others, "Game-theoretic
statistics and safe anytime-valid inference", 2023), so the line that it must cross is drawn where the plan puts it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from drystone.l80_governance.dependencies.html import Html, Node, tag
from drystone.l85_surfaces.console.pages.layout import short
from drystone.l85_surfaces.console.pages.parts import percent, took
from drystone.l85_surfaces.console.views import Curve, Point

WIDE, NARROW = 760, 344
"""Two pictures of different width, of which a screen shows one: text that shrinks with a picture cannot be read."""

LOWEST, HIGHEST = -2.0, 9.0
"""Powers of ten between which the axis lies; what is beyond is drawn at its end."""

_LEFT, _RIGHT, _TOP = 46, 12, 22
_SHARE, _GAP, _EVIDENCE, _BOTTOM = 80, 56, 170, 26
_MOST_MARKS = 30
_ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
Scale = Callable[[float], float]


class _Axes(msgspec.Struct, frozen=True):
    """Where things are drawn.

    Attributes:
        width: Of the whole picture.
        x: Of seconds since the beginning.
        share: Of a share, 0 to 1.
        power: Of a power of ten.
        top: The highest power shown.
    """

    width: int
    x: Scale
    share: Scale
    power: Scale
    top: float


def drawn(curve: Curve, width: int) -> Html:
    """Draw a rollout.

    Args:
        curve: Its looks; at least one.
        width: Of the picture, in CSS pixels.
    """
    axes = _axes(curve, width)
    height = _TOP + _SHARE + _GAP + _EVIDENCE + _BOTTOM
    said = _in_words(curve)
    return tag(
        "svg",
        tag("title", said),
        _share_panel(curve, axes),
        _evidence_panel(curve, axes),
        _times(curve, axes),
        _marks(curve, axes),
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=said,
        class_="curve wide" if width == WIDE else "curve narrow",
    )


def _axes(curve: Curve, width: int) -> _Axes:
    last = max(1.0, curve.at.total_seconds(), curve.points[-1].at.total_seconds())
    room = width - _LEFT - _RIGHT
    reached = max(_power(max(one.evidence, one.good)) for one in curve.points)
    top = min(HIGHEST, max(math.ceil(_power(curve.alarm)) + 1.0, math.ceil(reached)))
    bottom = _TOP + _SHARE + _GAP + _EVIDENCE

    def power(value: float) -> float:
        part = (min(top, max(LOWEST, value)) - LOWEST) / (top - LOWEST)
        return bottom - part * _EVIDENCE

    return _Axes(
        width=width,
        x=lambda seconds: _LEFT + room * min(1.0, max(0.0, seconds / last)),
        share=lambda share: _TOP + _SHARE * (1 - min(1.0, max(0.0, share))),
        power=power,
        top=top,
    )


def _power(evidence: float) -> float:
    """Turn a natural logarithm into a power of ten; what is no number is none."""
    if math.isnan(evidence):
        return LOWEST
    return min(HIGHEST, max(LOWEST, evidence / math.log(10)))


def _share_panel(curve: Curve, axes: _Axes) -> list[Html]:
    corners: list[str] = []
    begin = f"{_LEFT},{axes.share(0):.1f}"
    before = 0.0
    for at, share in _shares(curve):
        x = axes.x(at)
        corners += [f"{x:.1f},{axes.share(before):.1f}", f"{x:.1f},{axes.share(share):.1f}"]
        before = share
    end = axes.x(math.inf)
    corners += [f"{end:.1f},{axes.share(before):.1f}"]
    outline = " ".join([begin, *corners])
    lines = [_across(axes, axes.share(one), percent(one)) for one in (0.0, 0.5, 1.0)]
    return [
        _heading(axes, _TOP - 9, "Share of the traffic on the new release"),
        *[one for pair in lines for one in pair],
        tag("polygon", points=f"{outline} {end:.1f},{axes.share(0):.1f}", class_="area"),
        tag("path", d="M" + " L".join(outline.split()), class_="share"),
    ]


def _shares(curve: Curve) -> list[tuple[float, float]]:
    """Return when the share became what, from turns where they are known: looks come later than they."""
    changes = [(one.at.total_seconds(), one.share) for one in curve.turns if one.share is not None]
    if not changes:
        changes = [(one.at.total_seconds(), one.share) for one in curve.points]
    return changes


def _evidence_panel(curve: Curve, axes: _Axes) -> list[Html]:
    powers = range(int(LOWEST), int(axes.top) + 1)
    every = 1 if len(powers) <= 7 else 2
    lines = [_across(axes, axes.power(one), _ten(one)) for one in powers if one % every == 0]
    return [
        _heading(axes, _TOP + _SHARE + _GAP - 9, "E-values: what is proven"),
        *[one for pair in lines for one in pair],
        *_bound(axes, curve.proof, "good", "proven good"),
        *_bound(axes, curve.alarm, "bad", "proven bad"),
        _line(curve.points, axes, lambda one: one.good, "good"),
        _line(curve.points, axes, lambda one: one.evidence, "bad"),
    ]


def _line(points: Sequence[Point], axes: _Axes, of: Callable[[Point], float], mood: str) -> Html:
    places = [
        f"{axes.x(one.at.total_seconds()):.1f},{axes.power(_power(of(one))):.1f}" for one in points
    ]
    if len(places) == 1:
        x, _, y = places[0].partition(",")
        return tag("circle", cx=x, cy=y, r=3, class_=f"dot {mood}")
    return tag("path", d="M" + " L".join(places), class_=f"evidence {mood}")


def _bound(axes: _Axes, bound: float | None, mood: str, word: str) -> list[Html]:
    if bound is None:
        return []
    y = f"{axes.power(_power(bound)):.1f}"
    return [
        tag("line", x1=_LEFT, x2=axes.width - _RIGHT, y1=y, y2=y, class_=f"bound {mood}"),
        tag(
            "text",
            f"{word}: {math.exp(min(bound, 20)):.3g}",
            x=_LEFT + 4,
            y=float(y) - 4,
            class_=f"said {mood}",
        ),
    ]


def _times(curve: Curve, axes: _Axes) -> list[Html]:
    last = max(1.0, curve.at.total_seconds(), curve.points[-1].at.total_seconds())
    most = 6 if axes.width == WIDE else 3
    days = math.ceil(last / most / 86400) * 86400
    every = next((one for one in _ROUND if last / one <= most), days)
    y = _TOP + _SHARE + _GAP + _EVIDENCE + 17
    end = axes.width - _RIGHT - 18
    return [
        tag("text", _clock(at), x=f"{min(axes.x(at), end):.1f}", y=y, class_="time")
        for at in range(0, int(last) + 1, every)
    ]


def _marks(curve: Curve, axes: _Axes) -> list[Html]:
    """Mark what happened with numbers, by which the list beside the picture tells it."""
    found: list[Html] = []
    y = _TOP + _SHARE + 14
    taken = -math.inf
    for number, one in enumerate(curve.turns[:_MOST_MARKS], 1):
        x = axes.x(one.at.total_seconds())
        bottom = _TOP + _SHARE + _GAP + _EVIDENCE
        found.append(tag("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=_TOP, y2=bottom, class_="turn"))
        if x - taken >= 15:
            found.append(tag("circle", cx=f"{x:.1f}", cy=y, r=7, class_="number"))
            found.append(tag("text", number, x=f"{x:.1f}", y=y + 3.5, class_="number"))
            taken = x
    return found


def _heading(axes: _Axes, y: float, text: str) -> Html:
    return tag("text", text, x=_LEFT if axes.width == WIDE else 4, y=y, class_="heading")


def _across(axes: _Axes, y: float, label: str) -> tuple[Html, Html]:
    at = f"{y:.1f}"
    return (
        tag("line", x1=_LEFT, x2=axes.width - _RIGHT, y1=at, y2=at, class_="grid"),
        tag("text", label, x=_LEFT - 6, y=f"{y + 4:.1f}", class_="value"),
    )


def _ten(power: int) -> str:
    if power < 0:
        return f"1/{10**-power}"
    return f"{10**power:,}" if power < 4 else "10" + str(power).translate(_RAISED)


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _clock(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        minutes, rest = divmod(seconds, 60)
        return f"{minutes} min" if not rest else f"{minutes}:{rest:02} min"
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h" if not rest else f"{hours}:{rest // 60:02} h"


def _in_words(curve: Curve) -> str:
    last = curve.points[-1]
    return (
        f"After {took(curve.at)} the new release gets {percent(curve.share)} of the traffic. "
        f"{told(last.evidence, curve.alarm, 'worse than the stable one')}, "
        f"{told(last.good, curve.proof, 'good')}."
    )


def told(evidence: float, bound: float | None, what: str) -> str:
    """Say an e-value and what it takes to prove something."""
    value = math.exp(min(evidence, math.log(10) * HIGHEST)) if not math.isnan(evidence) else 0.0
    if bound is None:
        return f"that it is {what} has an e-value of {value:,.3g}"
    word = "proven" if evidence >= bound else "not proven"
    return f"{word} to be {what} (e-value {value:,.3g} of {math.exp(min(bound, 20)):,.3g})"


def in_numbers(curve: Curve, most: int = 40) -> list[list[Node]]:
    """Return the picture as rows: time, share, both e-values; some of the looks, the last among them."""
    every = max(1, math.ceil(len(curve.points) / most))
    chosen = [*curve.points[:-1:every], curve.points[-1]]
    return [
        [
            short(took(one.at) if one.at else took(timedelta()), 20),
            percent(one.share),
            f"{math.exp(min(one.evidence, 21)):,.3g}",
            f"{math.exp(min(one.good, 21)):,.3g}",
        ]
        for one in chosen
    ]
