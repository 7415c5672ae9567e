"""Disasters as YAML."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.disaster import (
    Crew,
    Disaster,
    Discovery,
    FailsAgain,
    PeopleChange,
    Shift,
    TakesLonger,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms import disaster
from drystone.l05_graph.model import Estimate
from drystone.l05_graph.words import Phase, Risk

HOUR = timedelta(hours=1)

WHOLE = """
title: The east is gone
begins: "22:30"
lost: {regions: [east], layers: 1, data: [db]}
people: 2
data_factor: 3
may_break_glass: false
crews:
  platform: 2
  commerce: {people: 3, awake: [08:00-18:00, "22:00-06:00"]}
recovery: {least: 30m, likely: 1h, most: 3h}
waived:
  - {source: a, target: b}
  - {source: a, target: c, risk: data, at: [deploy, run]}
events:
  - {at: 2h, fails: db}
  - {at: 4h, crew: platform, people: -1}
  - {at: 1h, component: a, needs: b}
  - {at: 30m, component: a, takes: 2}
"""


def test_everything_that_can_be_said_is_read() -> None:
    assert disaster.read(WHOLE) == Disaster(
        title="The east is gone",
        begins=22.5 * HOUR,
        regions=("east",),
        layers=(1,),
        data=("db",),
        people=2,
        data_factor=3,
        may_break_glass=False,
        crews=(
            Crew(name="platform", people=2),
            Crew(
                name="commerce",
                people=3,
                awake=(
                    Shift(begins=8 * HOUR, lasts=10 * HOUR),
                    Shift(begins=22 * HOUR, lasts=8 * HOUR),
                ),
            ),
        ),
        recovery=Estimate(HOUR / 2, HOUR, 3 * HOUR),
        waived=(
            ("a", "b", Risk.OTHER, (Phase.RUN,)),
            ("a", "c", Risk.DATA, (Phase.DEPLOY, Phase.RUN)),
        ),
        events=(
            FailsAgain(at=2 * HOUR, component="db"),
            PeopleChange(at=4 * HOUR, crew="platform", by=-1),
            Discovery(at=HOUR, component="a", needs="b"),
            TakesLonger(at=HOUR / 2, component="a", factor=2),
        ),
    )


def test_everything_is_lost_when_nothing_is_said_to_be() -> None:
    assert disaster.read("title: all of it") == Disaster(title="all of it", everything=True)


def test_every_mistake_has_its_place_and_says_what_to_write() -> None:
    written = """\
begin: 1h
begins: 25:00
lost: {region: east}
crews: {a: many, b: {awake: 8-18}}
events: [{at: 1h}, {at: 1h, fails: a, needs: b}]
waived: {source: a}
"""
    with pytest.raises(ModelInvalid) as refused:
        disaster.read(written, file="d.yaml")
    assert refused.value.message.splitlines() == [
        "d.yaml:1:1: the disaster has no 'begin'; did you mean begins?",
        "d.yaml:2:9: the disaster: begins: expected a time of day such as 08:30, got '25:00'",
        "d.yaml:3:8: lost has no 'region'; did you mean regions?",
        "d.yaml:4:12: crew a: expected a whole number, got 'many'",
        "d.yaml:4:29: crew b: awake: expected a time of day such as 08:30, got '8'",
        "d.yaml:5:10: an event has at, and one of: fails; component and needs; component and takes;"
        " crew and people",
        "d.yaml:5:20: an event has at, and one of: fails; component and needs; component and takes;"
        " crew and people",
        "d.yaml:6:9: waived is a mapping; write a list",
    ]


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_any_text_is_read_or_refused(written: bytes | str) -> None:
    with contextlib.suppress(ModelInvalid):
        assert disaster.read(written).people
