"""What a service needs and is not deployed: refused where it is needed now, noted where it can wait."""

from __future__ import annotations

import pytest

from drystone.l25_deployer.dependencies.missing import check_missing
from drystone.l25_deployer.dependencies.model import declared
from drystone.l25_deployer.stacks.model import Dependency
from l25_deployer.dependencies.landscapes import deployed, need, stack


def test_a_hard_need_of_what_is_not_deployed_is_refused_with_two_ways_out() -> None:
    (refused,) = check_missing(deployed(), stack("shop", {"users": need()})).refused

    assert refused.startswith("shop needs 'users', which is not deployed in dev (hard, at runtime)")
    assert "deploy it first, or make the dependency soft" in refused


@pytest.mark.parametrize(
    "one", [need("soft"), need("hard", "build"), need("hard", "recovery")], ids=str
)
def test_a_need_that_can_wait_is_noted(one: Dependency) -> None:
    found = check_missing(deployed(), stack("shop", {"users": one}))

    assert found.refused == ()
    assert len(found.notes) == 1


def test_of_alternatives_enough_have_to_be_deployed() -> None:
    cards = {name: need(group="pay") for name in ("one", "two", "three")}
    landscape = deployed(stack("one"))

    assert not check_missing(landscape, stack("shop", cards, groups={"pay": 1})).refused
    assert len(check_missing(landscape, stack("shop", cards, groups={"pay": 2})).refused) == 2


def test_a_service_of_the_same_name_elsewhere_is_not_the_one_that_is_needed() -> None:
    landscape = deployed()
    landscape.put("prod/users", declared(stack("users")))

    assert check_missing(landscape, stack("shop", {"users": need()})).refused
    assert not check_missing(landscape, stack("shop", {"users": need(environment="prod")})).refused
