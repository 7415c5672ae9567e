"""The picture of a rollout: whatever is known, everything drawn lies inside of it."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.console.pages.curve import NARROW, WIDE, drawn, in_numbers, told
from drystone.l85_surfaces.console.views import Curve, Point, Turn
from l85_surfaces.console.stand import curve

numbers = st.floats(-1e6, 1e6) | st.sampled_from([math.inf, -math.inf, math.nan, 0.0])
points = st.builds(
    Point,
    at=st.timedeltas(timedelta(), timedelta(days=90)),
    share=st.floats(0, 1),
    evidence=numbers,
    good=numbers,
)
turns = st.builds(
    Turn,
    at=st.timedeltas(timedelta(), timedelta(days=90)),
    phase=st.just("rising"),
    share=st.none() | st.floats(0, 1),
    why=st.just(""),
)
curves = st.builds(
    Curve,
    points=st.lists(points, min_size=1, max_size=30).map(
        lambda some: tuple(sorted(some, key=lambda one: one.at))
    ),
    turns=st.lists(turns, max_size=40).map(
        lambda some: tuple(sorted(some, key=lambda one: one.at))
    ),
    alarm=st.floats(math.log(2), math.log(1e9)),
    proof=st.none() | st.floats(math.log(2), math.log(1e9)),
    phase=st.just("rising"),
    share=st.floats(0, 1),
    at=st.timedeltas(timedelta(), timedelta(days=90)),
)


@given(curves, st.sampled_from([WIDE, NARROW]))
def test_everything_lies_inside_the_picture(one: Curve, width: int) -> None:
    text = drawn(one, width).written
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', text)
    assert size is not None
    height = float(size[2])

    places = re.findall(
        r"(-?[\d.]+|nan|inf),(-?[\d.]+|nan|inf)",
        " ".join(re.findall(r'(?: d|points)="([^"]*)"', text)),
    )
    xs = [*(x for x, _ in places), *re.findall(r' (?:x|x1|x2|cx)="([^"]*)"', text)]
    ys = [*(y for _, y in places), *re.findall(r' (?:y|y1|y2|cy)="([^"]*)"', text)]
    assert all(0 <= float(x) <= width for x in xs)
    assert all(0 <= float(y) <= height for y in ys)


@given(curves)
def test_the_last_look_is_among_the_numbers_and_they_stay_few(one: Curve) -> None:
    rows = in_numbers(one, most=10)

    assert len(rows) <= 11
    assert rows[-1][1] == in_numbers(one)[-1][1]


def heights(text: str, mood: str) -> list[float]:
    """Return how far above the bottom a line of evidence lies, from left to right."""
    path = re.search(rf'<path d="M([^"]*)" class="evidence {mood}"', text)
    assert path is not None
    return [-float(pair.partition(",")[2]) for pair in path[1].split(" L")]


@given(st.lists(st.floats(-5, 20), min_size=2, max_size=20).map(sorted))
def test_more_evidence_is_drawn_higher(evidence: list[float]) -> None:
    looks = tuple(Point(timedelta(seconds=at), 0.1, one, 0.0) for at, one in enumerate(evidence))
    whole = Curve(points=looks, alarm=4.6, proof=3.0, phase="rising", share=0.1, at=looks[-1].at)

    found = heights(drawn(whole, WIDE).written, "bad")

    assert found == sorted(found)


@pytest.mark.parametrize(("evidence", "word"), [(4.5, "not proven"), (4.7, "proven")])
def test_what_crosses_its_line_is_proven(evidence: float, word: str) -> None:
    assert told(evidence, math.log(100), "worse").startswith(f"{word} to be worse")


def test_a_picture_of_five_hundred_looks_is_small() -> None:
    assert len(drawn(curve(looks=512), WIDE).written) < 40_000
