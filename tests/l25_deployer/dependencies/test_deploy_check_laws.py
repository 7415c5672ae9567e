"""Laws of the check: what gets in tangles nothing, and a look at a part finds what a look at everything finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.claims import CLAIMS, NOTHING
from drystone.l05_graph.falling import Worst
from drystone.l05_graph.findings import LEVELS, Rule, Rules
from drystone.l05_graph.model import Acceptance, Estimate, Model
from drystone.l05_graph.requirements import Requirements
from drystone.l05_graph.rules import check as check_whole
from drystone.l05_graph.words import Plane, Resilience
from drystone.l25_deployer.dependencies.deploy_check import RULES
from drystone.l25_deployer.dependencies.model import declared, model_of
from drystone.l25_deployer.stacks.model import EnvironmentStack
from l25_deployer.dependencies.landscapes import (
    SECOND,
    TODAY,
    accepted,
    deployed,
    need,
    stack,
    verdict,
)

NAMES = "abcdef"


def stacks(
    *acceptances: Acceptance, groups: tuple[str | None, ...] = (None, None, "either")
) -> st.SearchStrategy[EnvironmentStack]:
    return st.builds(
        stack,
        st.sampled_from(NAMES),
        st.dictionaries(
            st.sampled_from(NAMES),
            st.builds(
                need,
                st.sampled_from(["hard", "hard", "soft"]),
                st.sampled_from(["runtime", "start", "build"]),
                accepted=st.sampled_from([None, None, None, *acceptances]),
                group=st.sampled_from(groups),
            ),
            max_size=3,
        ),
        groups=st.sampled_from([{"either": 1}, {"either": 2}]),
        tier=st.integers(0, 4),
        layer=st.sampled_from([None, None, 50, 60, 70]),
        plane=st.sampled_from([None, Plane.DATA, Plane.CONTROL]),
        regions=st.sampled_from([None, ("eu",), ("eu", "us")]),
        resilience=st.sampled_from([None, *Resilience]),
        slo=st.sampled_from([None, 0.999]),
        availability=st.sampled_from([None, 0.99, 0.9999]),
        recovery=st.sampled_from([None, Estimate(SECOND, SECOND, SECOND)]),
    )


def tangles(model: Model) -> list[list[str]]:
    """Return the circles of hard dependencies that nobody has accepted."""

    def below(name: str) -> list[str]:
        return [
            one.target
            for one in model.needs.get(name, ())
            if one.is_hard and not (one.accepted and one.accepted.until >= TODAY)
        ]

    return [every for every in circles_of(model.by_name, below) if len(every) > 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(stacks(accepted(3), accepted(-3), groups=(None,)), max_size=12))
def test_whatever_is_let_in_nothing_tangles_and_nothing_leads_upwards(
    wanted: list[EnvironmentStack],
) -> None:
    landscape = deployed()
    for one in wanted:
        if not verdict(landscape, one).refused:
            landscape.put(f"dev/{one.service}", declared(one))

    model = model_of(landscape.parts)
    assert tangles(model) == []
    upwards = Rules(levels={rule: LEVELS[rule] for rule in (Rule.LAYER, Rule.SAME_LAYER)})
    assert [f.sentence for f in check_whole(model, upwards, TODAY) if f.accepted is None] == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(stacks(), max_size=8),
    st.lists(stacks(), min_size=1, max_size=3),
    st.booleans(),
)
def test_looking_at_a_part_finds_what_looking_at_everything_finds(
    before: list[EnvironmentStack], wanted: list[EnvironmentStack], asks_early: bool
) -> None:
    landscape = deployed(*before)
    rules = Rules(
        levels={one: level for one, level in RULES.levels.items() if one is not Rule.ACCEPTED}
    )

    def whole() -> set[tuple[str, str]]:
        found = check_whole(model_of(landscape.parts), rules, TODAY)
        return {(str(one.rule), one.subject) for one in found}

    for one in wanted:
        if asks_early:
            verdict(landscape, wanted[-1])  # what is kept from it must not mislead the next one
        was = whole()
        found = verdict(landscape, one).findings
        landscape.put(f"dev/{one.service}", declared(one))
        now = whole()
        told = {(one.rule, one.subject) for one in found if one.rule in map(str, rules.levels)}
        assert now - was <= told <= now


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(stacks(), st.booleans()), max_size=12))
def test_standings_are_those_of_the_model_whatever_was_put_and_taken_away_before(
    steps: list[tuple[EnvironmentStack, bool]],
) -> None:
    landscape = deployed()
    for one, is_there in steps:
        landscape.put(f"dev/{one.service}", declared(one) if is_there else None)
        for name in NAMES:
            landscape.standings.bound(f"dev/{name}")

    model = model_of(landscape.parts)
    every = Availabilities(model)
    for name in model.by_name:
        standing = landscape.standings.of(name)
        assert standing.falls_with.bit_count() == len(every.single_points(name))
        assert landscape.standings.bound(name) == pytest.approx(every.bound(name))
    for place, claim in enumerate(CLAIMS):
        values = claim.weaknesses(model.components)
        worst = Worst(Requirements(model, claim.at), values, NOTHING).worst
        for name, weakest in zip(model.by_name, worst, strict=True):
            assert landscape.standings.of(name).weakest[place] == weakest
