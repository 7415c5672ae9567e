"""Repairing makes drift empty, and touches nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.guardrails.drift import Key, Standing, drift, repaired

KEYS = st.tuples(st.sampled_from(["dev", "prod"]), st.sampled_from(["orders", "mail", "web"]))
STANDINGS = st.builds(
    Standing,
    release=st.integers(1, 4),
    version=st.sampled_from(["a", "b"]),
    artefact=st.sampled_from(["", "sha256:1", "sha256:2"]),
    shares=st.dictionaries(st.integers(1, 4), st.sampled_from([0.0, 0.25, 1.0]), max_size=2),
    settings=st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
    stacks=st.none()
    | st.fixed_dictionaries({"environment": st.fixed_dictionaries({"tier": st.integers(0, 2)})}),
)
SIDES = st.dictionaries(KEYS, STANDINGS, max_size=5)
Side = dict[Key, Standing]


@given(SIDES)
def test_what_is_the_same_has_no_drift(one: Side) -> None:
    assert drift(one, dict(one)) == []


@given(SIDES, SIDES, st.randoms(use_true_random=False))
def test_every_choice_of_repairs_makes_drift_empty(
    ours: Side, theirs: Side, chance: object
) -> None:
    found = {(d.environment, d.service): d.repairs for d in drift(ours, theirs)}
    chosen = [(key, chance.choice(repairs)) for key, repairs in found.items()]  # type: ignore[attr-defined]
    assert drift(*repaired(ours, theirs, chosen)) == []


@given(SIDES, SIDES)
def test_a_repair_touches_its_own_service_alone(ours: Side, theirs: Side) -> None:
    found = drift(ours, theirs)
    if found:
        key = (found[0].environment, found[0].service)
        left = drift(*repaired(ours, theirs, [(key, found[0].repairs[0])]))
        assert left == [d for d in found if (d.environment, d.service) != key]


@given(SIDES, SIDES)
def test_both_sides_see_the_same_differences(ours: Side, theirs: Side) -> None:
    there = [(d.environment, d.service, d.field, d.found, d.believed) for d in drift(theirs, ours)]
    assert there == [
        (d.environment, d.service, d.field, d.believed, d.found) for d in drift(ours, theirs)
    ]


def test_each_kind_of_difference_is_named() -> None:
    key = ("prod", "orders")
    stacks = {"environment": {"tier": 1, "public": False}, "route": {"keep": 5}}
    ours = Standing(7, "a", "sha256:1", {7: 1.0}, {"URL": "x"}, stacks)
    tampered = {"environment": {"tier": 1, "public": True}, "route": {"keep": 5, "smoke": None}}
    theirs = Standing(8, "b", "sha256:2", {8: 0.5, 7: 0.5}, {"URL": "y"}, tampered)
    assert [(d.field, d.repairs[0]) for d in drift({key: ours}, {key: theirs})] == [
        ("release", "adopt"),
        ("version", "adopt"),
        ("artefact", "adopt"),
        ("shares", "deploy again"),
        ("settings.URL", "deploy again"),
        ("stacks.environment.public", "deploy again"),
    ]


def test_what_only_one_of_the_two_knows_has_one_repair() -> None:
    one = {("prod", "orders"): Standing(7, "a")}
    assert [(d.field, d.repairs) for d in drift(one, {})] == [("service", ("deploy again",))]
    assert [(d.field, d.repairs) for d in drift({}, one)] == [("service", ("adopt",))]
    with pytest.raises(ValueError, match="it is not there"):
        repaired({}, one, [(("prod", "orders"), "deploy again")])
