from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.model import Component, Group, Model, checked
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.words import BEFORE_SERVING, Phase
from l05_graph.recovering import model_of, models, need, recovered

START, RUN = Phase.START, Phase.RUN


@given(models())
def test_what_comes_up_is_what_people_could_bring_up_step_by_step(model: Model) -> None:
    order = recovery_order(model)
    come = [name for wave in order.waves for name in wave]
    assert set(come) == recovered(model)
    assert len(come) == len(set(come))
    assert set(order.never) == {one.name for one in model.components} - set(come)


@given(models(), st.randoms(use_true_random=False))
def test_a_waived_dependency_holds_nobody_up(model: Model, random: object) -> None:
    keys = [one.key for one in model.dependencies]
    waived = random.sample(keys, len(keys) // 2)  # type: ignore[attr-defined]
    order = recovery_order(model, waived)
    assert {name for wave in order.waves for name in wave} == recovered(model, waived)


@given(models())
def test_everything_comes_after_what_it_needs_or_together_with_it(model: Model) -> None:
    order = recovery_order(model)
    at = {name: number for number, wave in enumerate(order.waves) for name in wave}
    group = {name: one.members for one in order.together for name in one.members}
    for one in model.dependencies:
        if one.group is None and one.is_hard and one.source in at:
            is_together = one.target in group.get(one.source, ())
            assert at[one.target] < at[one.source] or is_together
            assert not (is_together and BEFORE_SERVING & set(one.at))
    for alternatives in model.groups:
        name = alternatives.component
        members = [one for one in model.needs[name] if one.group == alternatives.name]
        if name in at and any(one.is_hard for one in members):
            there = sum(
                at.get(one.target, len(at)) < at[name] or one.target in group.get(name, ())
                for one in members
            )
            assert there >= alternatives.at_least


@given(models())
def test_no_wave_could_come_earlier_where_nothing_is_an_alternative(model: Model) -> None:
    plain = checked(model.components, [one for one in model.dependencies if one.group is None])
    order = recovery_order(plain)
    at = {name: number for number, wave in enumerate(order.waves) for name in wave}
    group = {name: one.members for one in order.together for name in one.members}
    for number, wave in enumerate(order.waves):
        for name in wave:
            below = [
                at[one.target]
                for member in group.get(name, (name,))
                for one in plain.needs.get(member, ())
                if one.is_hard and one.target not in group.get(name, ())
            ]
            assert number == max(below, default=-1) + 1


@given(models())
def test_what_never_comes_up_shows_a_way_to_a_circle_with_a_need_before_serving(
    model: Model,
) -> None:
    order = recovery_order(model)
    pairs = {(one.source, one.target) for one in model.dependencies}
    early = {
        (one.source, one.target)
        for one in model.dependencies
        if BEFORE_SERVING & set(one.at) or one.group is not None
    }
    for name in order.never:
        path = order.path(name)
        assert path[0] == name
        assert set(itertools.pairwise(path)) <= pairs
        assert set(path) <= set(order.never)
        assert path[-1] in path[:-1]
        circle = path[path.index(path[-1]) :]
        assert set(circle) in [set(one) for one in order.deadlocks]
    for circle in order.deadlocks:
        assert circle[0] == circle[-1] == min(circle)
        assert set(itertools.pairwise(circle)) & early


@given(models())
def test_groups_that_come_up_together_lie_in_one_wave_and_show_a_circle(model: Model) -> None:
    order = recovery_order(model)
    pairs = {(one.source, one.target) for one in model.dependencies}
    for group in order.together:
        (_,) = [wave for wave in order.waves if set(group.members) <= set(wave)]
        assert set(itertools.pairwise(group.circle)) <= pairs
        assert set(group.circle) <= set(group.members)


@given(models(), st.randoms(use_true_random=False))
def test_the_order_in_which_a_model_was_written_does_not_matter(
    model: Model, random: object
) -> None:
    components, dependencies = list(model.components), list(model.dependencies)
    random.shuffle(components)  # type: ignore[attr-defined]
    random.shuffle(dependencies)  # type: ignore[attr-defined]
    other = checked(components, dependencies, model.groups)
    assert recovery_order(other).waves == recovery_order(model).waves


def test_what_most_others_need_comes_first_and_a_soft_dependency_comes_before() -> None:
    model = model_of(
        need("x", "b"), need("y", "b"), need("x", "a"), need("b", "c", soft=True), names="abcxy"
    )
    assert recovery_order(model).waves == (("a", "c", "b"), ("x", "y"))


def test_a_circle_of_soft_dependencies_stops_nobody() -> None:
    model = model_of(need("a", "b", soft=True), need("b", "a", soft=True))
    assert recovery_order(model).waves == (("a", "b"),)


def test_a_circle_while_serving_comes_up_together_and_one_before_serving_never() -> None:
    model = model_of(
        need("a", "b"), need("b", "a"), need("c", "d", START), need("d", "c"), need("e", "d")
    )
    order = recovery_order(model)
    assert order.waves == (("a", "b"),)
    assert [one.circle for one in order.together] == [("a", "b", "a")]
    assert order.never == ("c", "d", "e")
    assert order.deadlocks == (("c", "d", "c"),)
    assert order.path("e") == ("e", "d", "c", "d")


def test_a_group_is_met_by_the_alternative_outside_the_circle() -> None:
    lines = [
        need("a", "b", START, group="store"),
        need("a", "s", START, group="store"),
        need("b", "a", START),
    ]
    groups = [Group(component="a", name="store", at_least=1)]
    assert recovery_order(model_of(*lines, groups=groups)).waves == (("s",), ("a",), ("b",))
    both = [Group(component="a", name="store", at_least=2)]
    assert recovery_order(model_of(*lines, groups=both)).never == ("a", "b")


def test_what_is_needed_at_other_times_does_not_count() -> None:
    model = model_of(need("a", "b", Phase.BUILD), need("b", "a", Phase.DEPLOY))
    assert recovery_order(model).never == ("a", "b")
    assert recovery_order(model, at=(START, RUN)).waves == (("a", "b"),)


@pytest.mark.parametrize("early", [True, False])
def test_a_long_chain_and_a_long_circle_are_no_trouble(early: bool) -> None:
    names = [f"c{number:05}" for number in range(3000)]
    when = START if early else RUN
    chain = [need(above, below, when) for below, above in itertools.pairwise(names)]
    components = [Component(name=name) for name in names]
    assert recovery_order(checked(components, chain)).waves == tuple((name,) for name in names)
    ring = recovery_order(checked(components, [*chain, need(names[0], names[-1], RUN)]))
    assert ring.waves == (() if early else (tuple(names),))
    assert len(ring.never) == (len(names) if early else 0)


def test_an_empty_model_has_no_wave() -> None:
    assert recovery_order(checked([], [])).waves == ()


def test_the_order_is_found_without_numpy() -> None:
    program = (
        "import sys, drystone.l05_graph.recovery; print({'numpy', 'scipy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
