"""Events of a tabletop exercise, as addresses say them and forms ask for them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.disaster import Discovery, Event, FailsAgain, PeopleChange, TakesLonger
from drystone.l05_graph.errors import ComponentNotFound
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from drystone.l80_governance.dependencies.happenings import (
    FIELDS,
    KINDS,
    MOST,
    added,
    read,
    sentence,
    written,
)
from l80_governance.dependencies.knot import HOSTILE, knot

HOUR = timedelta(hours=1)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda n: n.strip())
times = st.integers(0, 10_000).map(lambda minutes: timedelta(minutes=minutes))
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(FailsAgain, at=times, component=names),
    st.builds(PeopleChange, at=times, crew=names, by=st.integers(-9999, 9999)),
    st.builds(Discovery, at=times, component=names, needs=names),
    st.builds(TakesLonger, at=times, component=names, factor=st.floats(0.01, 1000)),
)


@settings(max_examples=50)
@given(st.lists(events, max_size=5))
def test_events_are_read_as_they_were_written_and_come_by_time(every: list[Event]) -> None:
    assert read(written(every)) == tuple(sorted(every, key=lambda one: one.at))


@settings(max_examples=50)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_address_has_events_or_is_refused(lines: list[str]) -> None:
    with suppress(QuestionUnclear):
        assert len(read(lines)) <= len(lines)


@settings(max_examples=50)
@given(
    st.sampled_from([*KINDS, "", "x"]),
    st.dictionaries(
        st.sampled_from(FIELDS[1:]),
        st.text(max_size=12) | st.sampled_from(["registry", "platform"]),
    ),
)
def test_any_form_makes_an_event_that_can_be_written_or_is_refused(
    kind: str, fields: dict[str, str]
) -> None:
    with suppress(QuestionUnclear, ComponentNotFound):
        one = added(knot(), Asked({**fields, "do": kind, "component": "shop"}.items()))
        assert read(written([one])) == (one,)
        assert sentence(one).startswith("After ")


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        (
            {"do": "fails", "after": "3", "component": "shop"},
            FailsAgain(at=3 * HOUR, component="shop"),
        ),
        (
            {"do": "people", "after": "90m", "crew": "delivery", "by": "-1"},
            PeopleChange(at=1.5 * HOUR, crew="delivery", by=-1),
        ),
        (
            {"do": "needs", "after": "2d", "component": "shop", "other": HOSTILE},
            Discovery(at=48 * HOUR, component="shop", needs=HOSTILE),
        ),
        (
            {"do": "takes", "after": "0", "component": "registry", "factor": "2.5"},
            TakesLonger(at=0 * HOUR, component="registry", factor=2.5),
        ),
    ],
)
def test_each_form_makes_its_event(fields: dict[str, str], event: Event) -> None:
    assert added(knot(), Asked(fields.items())) == event


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"do": "fails", "after": "soon", "component": "shop"}, "such as 90m"),
        ({"do": "fails", "component": "shop"}, "say after how long"),
        ({"do": "people", "after": "1", "crew": "nobody", "by": "1"}, "no component belongs"),
        ({"do": "people", "after": "1", "crew": "delivery", "by": "0"}, "a number of people"),
        ({"do": "takes", "after": "1", "component": "shop", "factor": "nan"}, "a number from"),
        ({"do": "earthquake"}, "choose one of"),
    ],
)
def test_what_cannot_happen_is_refused_with_what_can(fields: dict[str, str], why: str) -> None:
    with pytest.raises(QuestionUnclear, match=why):
        added(knot(), Asked(fields.items()))


def test_an_exercise_has_so_many_events_at_most() -> None:
    with pytest.raises(QuestionUnclear, match="at most"):
        read(["{at: 1h, fails: shop}"] * (MOST + 1))
