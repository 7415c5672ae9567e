from __future__ import annotations

import math
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings

from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.errors import ComponentNotFound
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l05_graph.reach import impact
from drystone.l05_graph.sampling import sampled
from drystone.l05_graph.words import Phase
from l05_graph.models import models


def share(model: Model, name: str) -> float:
    said = model.by_name[name].availability
    return 1.0 if said is None else said


def is_met(model: Model, name: str, works: set[str]) -> bool:
    """Tell whether what a component needs while it serves works, by what the survey says of it."""
    mine = [one for one in model.needs.get(name, ()) if Phase.RUN in one.at]
    groups = {group.name: group.at_least for group in model.groups if group.component == name}
    for group, at_least in groups.items():
        members = [one for one in mine if one.group == group]
        if any(one.is_hard for one in members):
            enough = min(at_least, len(members))
            if sum(one.target in works for one in members) < enough:
                return False
    return all(one.target in works for one in mine if one.group is None and one.is_hard)


def working(model: Model, up: set[str]) -> set[str]:
    """Find what works of what is up: take away what lacks something, until nothing more goes."""
    works = set(up)
    while lacking := {name for name in works if not is_met(model, name, works)}:
        works -= lacking
    return works


def by_every_state(model: Model, name: str) -> float:
    """Add up the probabilities of all states in which it works (the definition, slowly)."""
    names = list(model.by_name)
    total = 0.0
    for state in product([True, False], repeat=len(names)):
        up = {one for one, is_up in zip(names, state, strict=True) if is_up}
        if name in working(model, up):
            total += math.prod(
                share(model, one) if one in up else 1 - share(model, one) for one in names
            )
    return total


@given(models(most=7, most_edges=14, rich=False))
def test_the_highest_availability_is_that_of_all_states_together(model: Model) -> None:
    every = Availabilities(model)
    for name in model.by_name:
        found = every.of(name)
        assert found.is_exact
        assert found.highest == pytest.approx(by_every_state(model, name), rel=1e-9)
        assert found.highest <= every.bound(name) * (1 + 1e-12)


@given(models(most=7, most_edges=14, rich=False))
def test_a_single_point_of_failure_is_one_whose_failure_alone_is_enough(model: Model) -> None:
    every = Availabilities(model)
    for name in model.by_name:
        singles = {
            one for one in model.by_name if name not in working(model, set(model.by_name) - {one})
        }
        assert set(every.single_points(name)) == singles
        assert singles == {
            one for one in model.by_name if name in {one, *impact(model, [one]).falls}
        }


@given(models(most=6, most_edges=12, rich=False))
def test_a_share_is_what_would_be_saved_if_the_component_never_failed(model: Model) -> None:
    name = next(iter(model.by_name))
    found = Availabilities(model).of(name)
    for one, part in found.shares:
        always = survey_with(model, one)
        saved = by_every_state(always, name) - by_every_state(model, name)
        assert part * (1 - found.highest) == pytest.approx(saved, rel=1e-6, abs=1e-12)


def survey_with(model: Model, name: str) -> Model:
    components = tuple(
        msgspec.structs.replace(one, availability=1.0) if one.name == name else one
        for one in model.components
    )
    return msgspec.structs.replace(model, components=components)


@settings(max_examples=25)
@given(models(most=9, most_edges=20, rich=False))
def test_trials_agree_with_the_exact_number(model: Model) -> None:
    every = Availabilities(model)
    for name in list(model.by_name)[:3]:
        found = sampled(model, name, trials=20_000)
        assert abs(found.value - every.of(name).highest) <= 4 * found.error + 1e-12


@given(models(most=7, most_edges=14, rich=False))
def test_two_numbers_lie_around_the_one_that_is_too_large_to_find(model: Model) -> None:
    rough, exact = Availabilities(model, most_nodes=0), Availabilities(model)
    for name in model.by_name:
        around, found = rough.of(name), exact.of(name).highest
        assert around.lowest <= found * (1 + 1e-9)
        assert found <= around.highest * (1 + 1e-9)


SHARED = """
defaults: {component: {availability: 0.99}, dependency: {strength: hard}}
components:
  shop: {availability: 1, slo: 0.995, needs: {users: , orders: , mail: soft}}
  users: {availability: 1, needs: {database: }}
  orders:
    availability: 1
    groups: {card: 1}
    needs: {database: , one: {group: card}, two: {group: card}}
  database:
  one:
  two: {availability: ~}
  mail: {availability: 0.5}
"""


def test_a_shared_dependency_counts_once_and_a_soft_one_not_at_all() -> None:
    found = Availabilities(survey.read(SHARED)).of("shop")
    assert found.highest == pytest.approx(0.99)
    assert found.single_points == ("shop", "database", "orders", "users")
    assert dict(found.shares) == pytest.approx({"database": 1.0})
    assert found.unsaid == ("two",)
    assert found.can_hold is False


def test_alternatives_fail_together_only() -> None:
    model = survey.read(SHARED.replace("two: {availability: ~}", "two:"))
    found = Availabilities(model).of("orders")
    assert found.highest == pytest.approx(0.99 * (1 - 0.01**2))
    assert dict(found.shares)["one"] == pytest.approx(0.99 * 0.01 * 0.01 / (1 - found.highest))
    assert found.can_hold is None


def test_a_chain_of_thousands_and_thousands_of_alternatives_are_no_matter() -> None:
    size = 1100
    lines = [
        f"  c{n}: {{groups: {{g: 1}}, needs: {{c{n + 1}: hard, a{n}: {{strength: hard, group: g}},"
        f" b{n}: {{strength: hard, group: g}}}}}}\n  a{n}:\n  b{n}:"
        for n in range(size)
    ]
    text = "\n".join(
        ["defaults: {component: {availability: 0.999}}", "components:", *lines, f"  c{size}:"]
    )
    found = Availabilities(survey.read(text)).of("c0")
    assert found.is_exact
    assert found.highest == pytest.approx(0.999 ** (size + 1) * (1 - 1e-6) ** size)


def test_what_is_not_there_has_no_availability() -> None:
    with pytest.raises(ComponentNotFound):
        Availabilities(survey.read(SHARED)).of("shopp")
