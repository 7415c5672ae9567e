"""What the form of the tabletop asks for."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.disaster import Crew, Shift
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.disasters import asked_for
from drystone.l80_governance.dependencies.durations import spoken
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from l80_governance.dependencies.knot import knot

KEYS = ("layers", "regions", "components", "people", "crews", "begins", "runs", "seed", "glass")


def test_nothing_lost_is_nothing_to_rehearse() -> None:
    assert asked_for(knot(), Asked([("people", "3")])) is None


def test_a_whole_form() -> None:
    form = {
        "components": "shop, registry",
        "people": "2",
        "crews": "platform: 3 08:00-16:00 22:00-02:00; delivery: 0",
        "begins": "23:30",
        "runs": "10",
        "seed": "7",
        "glass": "off",
    }
    found = asked_for(knot(), Asked(form.items()))

    assert found is not None
    assert (found.runs, found.seed) == (10, 7)
    disaster = found.disaster
    assert disaster.components == ("shop", "registry")
    assert disaster.begins == timedelta(hours=23, minutes=30)
    assert not disaster.may_break_glass
    hours = timedelta(hours=1)
    shifts = (Shift(begins=8 * hours, lasts=8 * hours), Shift(begins=22 * hours, lasts=4 * hours))
    assert disaster.crews == (
        Crew(name="platform", people=3, awake=shifts),
        Crew(name="delivery", people=0),
    )


@pytest.mark.parametrize(
    ("key", "said", "why"),
    [
        ("crews", "platform 2", "is no crew"),
        ("crews", "nobody: 2", "no component belongs"),
        ("crews", "platform: 1 25:00-26:00", "a day has 24 hours"),
        ("begins", "noon", "such as 08:30"),
        ("layers", "one", "whole numbers"),
        ("runs", "99999", "lies between"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(key: str, said: str, why: str) -> None:
    with pytest.raises(QuestionUnclear, match=why):
        asked_for(knot(), Asked([("everything", "on"), (key, said)]))


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(KEYS), st.text(max_size=30)))
def test_any_form_is_answered_or_refused(form: dict[str, str]) -> None:
    with suppress(QuestionUnclear):
        found = asked_for(knot(), Asked([("everything", "on"), *form.items()]))
        assert found is not None


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=61), "1 h 1 min"),
        (timedelta(days=3, seconds=5), "3 d"),
        (None, "never"),
    ],
)
def test_durations_are_spoken_in_two_units_at_most(span: timedelta | None, said: str) -> None:
    assert spoken(span) == said
