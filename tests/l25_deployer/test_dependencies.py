"""The check of dependencies and the order of recovery, held against the plain definition of reachability."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.dependencies import check, hard_needs, path_back
from drystone.l25_deployer.dependency_model import Deployed, Key, waves
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack

NAMES = "abcdef"
EDGES = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda e: e[0] != e[1]),
    st.tuples(
        st.sampled_from(["hard", "soft"]),
        st.sampled_from([("runtime",), ("start",), ("build",), ("recovery",), ("build", "start")]),
    ),
    max_size=14,
)
Edges = dict[tuple[str, str], tuple[Literal["hard", "soft"], tuple[str, ...]]]


def stack(
    service: str,
    needs: dict[str, Dependency] | None = None,
    *,
    tier: int = 3,
    layer: int | None = None,
    environment: str = "dev",
) -> EnvironmentStack:
    return EnvironmentStack(
        service=service,
        name=environment,
        owner="tests",
        tier=tier,
        hosts=(),
        timeout=timedelta(seconds=1),
        public=True,
        layer=layer,
        dependencies=needs or {},
    )


def need(
    needs: Literal["hard", "soft"] = "hard",
    *at: str,
    environment: str | None = None,
) -> Dependency:
    return Dependency(needs, at or ("runtime",), timedelta(seconds=1), environment)


def deployed(edges: Edges, names: str = NAMES) -> dict[Key, EnvironmentStack]:
    return {
        ("dev", name): stack(
            name,
            {to: need(how, *at) for (start, to), (how, at) in edges.items() if start == name},
        )
        for name in names
    }


def hard(every: Deployed) -> set[tuple[Key, Key]]:
    return {(key, to) for key, one in every.items() for to in hard_needs(one)}


def reachable(every: Deployed, start: Key) -> set[Key]:
    """Follow hard needs until nothing new is found."""
    found = {start}
    while new := {to for key, to in hard(every) if key in found and key in every} - found:
        found |= new
    return found


@settings(max_examples=50, deadline=None)
@given(EDGES, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_way_is_found_exactly_when_there_is_one(edges: Edges, start: str, goal: str) -> None:
    every = deployed(edges)

    way = path_back(("dev", start), ("dev", goal), every)

    assert bool(way) == (("dev", goal) in reachable(every, ("dev", start)))
    if way:
        assert (way[0], way[-1]) == (("dev", start), ("dev", goal))
        assert set(itertools.pairwise(way)) <= hard(every)
        assert len(set(way)) == len(way)


@settings(max_examples=50, deadline=None)
@given(EDGES)
def test_every_service_is_in_one_wave_after_what_it_cannot_do_without(edges: Edges) -> None:
    every = deployed(edges)

    order = waves(every)

    height = {key: n for n, wave in enumerate(order) for key in wave}
    assert sorted(key for wave in order for key in wave) == sorted(every)
    for key, to in hard(every):
        in_a_tangle = key in reachable(every, to)
        assert height[to] < height[key] or in_a_tangle


@settings(max_examples=50, deadline=None)
@given(EDGES)
def test_a_service_that_needs_nothing_waits_for_nothing(edges: Edges) -> None:
    every = deployed(edges)

    order = waves(every)

    assert {key for key, one in every.items() if not hard_needs(one)} <= set(order[0])


@settings(max_examples=50, deadline=None)
@given(EDGES)
def test_what_each_deploy_let_in_never_tangles(edges: Edges) -> None:
    every: dict[Key, EnvironmentStack] = {}
    for key, one in deployed(edges).items():
        if not check(one, every).refused:
            every[key] = one
    again = deployed(edges)
    for key, one in again.items():
        if not check(one, every).refused:
            every[key] = one

    for key, to in hard(every):
        assert to not in every or key not in reachable(every, to)


@settings(max_examples=50, deadline=None)
@given(EDGES, st.sampled_from(NAMES))
def test_a_need_of_what_is_not_there_comes_first_only_where_it_is_deployed(
    edges: Edges, missing: str
) -> None:
    every = deployed(edges, NAMES.replace(missing, ""))

    assert ("dev", missing) not in {key for wave in waves(every) for key in wave}


def test_no_services_make_no_waves() -> None:
    assert list(waves({})) == []


def test_a_hard_need_of_what_is_not_deployed_is_refused_with_two_ways_out() -> None:
    findings = check(stack("shop", {"users": need()}), {})

    (refused,) = findings.refused
    assert refused.startswith("shop needs 'users', which is not deployed in dev (hard, at runtime)")
    assert "deploy it first, or make the dependency soft" in refused


@pytest.mark.parametrize(
    "dependency", [need("soft"), need("hard", "build"), need("hard", "recovery")], ids=repr
)
def test_a_need_that_can_wait_is_noted(dependency: Dependency) -> None:
    findings = check(stack("shop", {"users": dependency}), {})

    assert findings.refused == ()
    assert len(findings.notes) == 1


def test_a_service_of_the_same_name_elsewhere_is_not_the_one_that_is_needed() -> None:
    every = {("prod", "users"): stack("users", environment="prod")}

    assert check(stack("shop", {"users": need()}), every).refused
    assert not check(stack("shop", {"users": need(environment="prod")}), every).refused


def test_a_tangle_is_refused_with_the_whole_way_around() -> None:
    every = {
        ("dev", "b"): stack("b", {"c": need()}),
        ("dev", "c"): stack("c", {"a": need()}),
    }

    (refused,) = check(stack("a", {"b": need()}), every).refused

    assert refused.startswith("tangle: a → b → c → a;")


def test_a_soft_edge_makes_no_tangle() -> None:
    every = {("dev", "b"): stack("b", {"a": need("soft")})}

    assert check(stack("a", {"b": need()}), every).refused == ()


@pytest.mark.parametrize(
    ("mine", "others", "is_refused"),
    [(10, 9, False), (10, 10, True), (10, 11, True), (None, 11, False), (10, None, False)],
)
def test_a_hard_need_points_to_a_lower_layer(
    mine: int | None, others: int | None, is_refused: bool
) -> None:
    every = {("dev", "b"): stack("b", layer=others)}

    findings = check(stack("a", {"b": need()}, layer=mine), every)

    assert bool(findings.refused) == is_refused
    assert not check(stack("a", {"b": need("soft")}, layer=mine), every).refused


def test_needing_what_promises_less_is_noted() -> None:
    every = {("dev", "b"): stack("b", tier=3)}

    findings = check(stack("a", {"b": need()}, tier=1), every)

    assert findings.notes == ("a (tier 1) needs b, which promises less (tier 3)",)
