"""Repairing makes drift empty, and touches nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.api import DeviationView
from drystone.l50_orchestrator.drift.domain import (
    Key,
    can_go_back,
    drift,
    repaired,
    unlike_configured,
)
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.target import Standing

KEYS = st.tuples(st.sampled_from(["dev", "prod"]), st.sampled_from(["orders", "mail", "web"]))
STANDINGS = st.builds(
    Standing,
    release=st.integers(1, 4),
    version=st.sampled_from(["a", "b"]),
    artefact=st.sampled_from(["", "sha256:1", "sha256:2"]),
    shares=st.dictionaries(st.integers(1, 4), st.sampled_from([0.0, 0.25, 1.0]), max_size=2),
    key=st.sampled_from(["", "k"]),
    hosts=st.sampled_from([(), ("a",), ("b",)]),
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


def test_what_an_engine_has_otherwise_is_told_of_services_that_both_know_and_only_repaired() -> (
    None
):
    key, there = ("dev", "orders"), Standing(release=1, version="a")
    changed = msgspec.structs.replace(
        there, deviations=(DeviationView("db", "role.superuser", "no", "yes"),)
    )
    (found,) = drift({key: there}, {key: changed})
    assert (found.field, found.believed, found.found, found.repairs) == (
        "engines.db.role.superuser",
        "no",
        "yes",
        ("repair",),
    )
    assert [one.field for one in drift({}, {key: changed})] == ["service"]


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
    tampered = {"environment": {"tier": 1, "public": True}, "route": {"keep": 5, "smoke": None}}
    ours = Standing(
        release=7, version="a", artefact="sha256:1", shares={7: 1.0}, hosts=("x",), stacks=stacks
    )
    theirs = Standing(
        release=8,
        version="b",
        artefact="sha256:2",
        shares={8: 0.5, 7: 0.5},
        hosts=("y",),
        stacks=tampered,
    )
    found = [(d.field, d.repairs) for d in drift({key: ours}, {key: theirs})]
    assert found == [
        ("release", ("repair", "adopt")),
        ("version", ("repair", "adopt")),
        ("artefact", ("repair", "adopt")),
        ("hosts", ("repair",)),
        ("stacks.environment.public", ("repair",)),
    ]


def test_traffic_that_is_parted_by_hand_is_told() -> None:
    key = ("prod", "orders")
    ours = {key: Standing(release=7, version="a", shares={7: 1.0})}
    theirs = {key: Standing(release=7, version="a", shares={7: 0.5, 8: 0.5})}
    assert [(d.field, d.repairs) for d in drift(ours, theirs)] == [("shares", ("repair",))]


def test_what_came_under_a_key_is_rather_adopted() -> None:
    key = ("prod", "orders")
    ours = {key: Standing(release=7, version="a")}
    found = drift(ours, {key: Standing(release=8, version="a", key="lost")})
    assert [d.repairs for d in found] == [("adopt", "repair")]


def test_what_only_one_of_the_two_knows_has_one_repair() -> None:
    one = {("prod", "orders"): Standing(release=7, version="a")}
    assert [(d.field, d.repairs) for d in drift(one, {})] == [("service", ("repair",))]
    assert [(d.field, d.repairs) for d in drift({}, one)] == [("service", ("adopt",))]
    with pytest.raises(ValueError, match="it is not there"):
        repaired({}, one, [(("prod", "orders"), "repair")])


def test_what_serves_is_held_against_the_configuration_too() -> None:
    stacks = {"environment": {"owner": "shop", "region": None}}
    found = Standing(release=7, version="a", stacks=stacks)
    place = Environment("prod", "prod", region="eu")
    told = unlike_configured(("prod", "orders"), found, place, "money")
    assert [(d.field, d.believed, d.found, d.repairs) for d in told] == [
        ("team", "money", "shop", ()),
        ("region", "eu", None, ()),
    ]
    here = Environment("prod", "prod")
    assert unlike_configured(("prod", "orders"), found, here, "shop") == []
    assert unlike_configured(("prod", "orders"), None, here, "shop") == []


def test_where_going_back_helps() -> None:
    assert can_go_back(Standing(release=8, version="b", kept=(6, 7)), 7)
    assert not can_go_back(Standing(release=8, version="b", kept=(6,)), 7)
    assert can_go_back(Standing(release=7, version="a", shares={7: 0.5, 8: 0.5}), 7)
    assert not can_go_back(Standing(release=7, version="a", shares={7: 1.0}, kept=(6,)), 7)
