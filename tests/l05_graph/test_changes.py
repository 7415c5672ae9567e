from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from drystone.l05_graph.changes import (
    AlterDependency,
    Change,
    RemoveComponent,
    Scenario,
    Which,
    applied,
    apply,
    diff,
    sentence,
)
from drystone.l05_graph.errors import ModelInvalid, ScenarioStale
from drystone.l05_graph.forms import scenario, survey
from drystone.l05_graph.model import Model
from drystone.l05_graph.words import Phase, Risk, Strength
from l05_graph.models import models

BEFORE = """
components:
  shop:
    tier: 2
    needs:
      users: [{strength: hard}, {strength: hard, risk: auth}]
      mail: hard
  users:
  mail:
"""


@given(models(), models())
def test_applying_the_difference_gives_the_other_model(a: Model, b: Model) -> None:
    result = apply(a, diff(a, b))
    assert result.digest == b.digest
    assert result.parent == a.digest


@given(models())
def test_a_model_does_not_differ_from_itself(model: Model) -> None:
    assert diff(model, model) == ()


@given(models(), models())
def test_a_scenario_that_was_written_is_read_as_the_same(a: Model, b: Model) -> None:
    wanted = Scenario(title="x: y", author="me", parent=a.digest, changes=diff(a, b))
    assert scenario.read(scenario.dump(wanted)) == wanted
    assert all(sentence(change) for change in wanted.changes)


def test_a_scenario_reads_as_it_is_meant() -> None:
    found = scenario.read("""
title: A small registry
author: platform
changes:
  - add: {component: registry, tier: 0}
  - add: {source: shop, target: registry, at: deploy, group: source}
  - add: {group: source, of: shop}
  - alter: {source: shop, target: mail, strength: soft}
  - alter: {source: shop, target: users, of: {risk: auth}, at: [start, run]}
  - alter: {component: shop, tier: ~, note: smaller}
  - remove: {source: shop, target: users, of: {risk: other, at: run}}
""")
    model = applied(survey.read(BEFORE), found)
    assert (model.title, model.parent) == ("A small registry", survey.read(BEFORE).digest)
    expected = survey.read("""
components:
  shop:
    note: smaller
    groups: {source: 1}
    needs:
      users: {strength: hard, risk: auth, at: [start, run]}
      mail: soft
      registry: {at: deploy, group: source}
  users:
  mail:
  registry: {tier: 0}
""")
    assert model.digest == expected.digest


def test_a_component_goes_with_all_that_hangs_on_it() -> None:
    model = apply(survey.read(BEFORE), [RemoveComponent("users")])
    assert [one.target for one in model.dependencies] == ["mail"]


def test_every_change_that_does_not_fit_is_told() -> None:
    soft = (("strength", Strength.SOFT),)
    changes: list[Change] = [
        RemoveComponent("user"),
        AlterDependency(Which("shop", "users"), soft),
        AlterDependency(Which("shop", "users", Risk.DATA), soft),
        AlterDependency(Which("mail", "users"), soft),
        AlterDependency(Which("shop", "users", Risk.AUTH), (("risk", Risk.OTHER),)),
    ]
    with pytest.raises(ModelInvalid) as refused:
        apply(survey.read(BEFORE), changes)
    assert [one.sentence() for one in refused.value.mistakes] == [
        "change 1: there is no component 'user'; did you mean 'users'?",
        "change 2: shop → users: there are several; say risk and at of one of (other, run), (auth, run)",
        "change 3: shop → users (data): there is no dependency; say risk and at of one of"
        " (other, run), (auth, run)",
        "change 4: mail → users: there is no dependency",
        "change 5: shop → users (hard, at run, other) is there already; alter it",
    ]


def test_a_scenario_for_another_model_is_refused() -> None:
    wanted = Scenario(title="old", parent="0" * 64)
    with pytest.raises(ScenarioStale, match="'old' was made for the model 000000000000"):
        applied(survey.read(BEFORE), wanted)
    assert applied(survey.read(BEFORE), msgspec.structs.replace(wanted, parent=None)).title == "old"


def test_what_is_wrong_with_a_scenario_is_told_with_its_place() -> None:
    with pytest.raises(ModelInvalid) as refused:
        scenario.read("""
changes:
  - ad: {component: x}
  - add: {source: x, strenght: hard}
  - alter: {group: g, of: x}
  - remove: {}
  - [x]
""")
    assert [one.sentence() for one in refused.value.mistakes] == [
        "scenario.yaml:2:1: the scenario has no title; say what it tries",
        "scenario.yaml:3:5: a change has no 'ad'; did you mean add?",
        "scenario.yaml:4:5: add does not say target",
        "scenario.yaml:4:22: add has no 'strenght'; did you mean strength?",
        "scenario.yaml:5:5: alter does not say at_least",
        "scenario.yaml:6:5: remove does not say component",
        "scenario.yaml:7:5: a change is a list; write a mapping",
        "scenario.yaml:7:5: a change is one of add, alter and remove",
    ]


def test_a_phase_can_be_changed() -> None:
    change = AlterDependency(Which("shop", "mail"), (("at", (Phase.START,)),))
    model = apply(survey.read(BEFORE), [change])
    assert [one.at for one in model.needs["shop"] if one.target == "mail"] == [(Phase.START,)]
