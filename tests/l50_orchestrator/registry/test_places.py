"""Which environments and targets fit together."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.registry.api import TargetSaid
from drystone.l50_orchestrator.registry.errors import EnvironmentUnfit, TargetUnfit
from drystone.l50_orchestrator.registry.places import check_environment, check_target

DEV = Environment("dev", "dev")
STAGING = Environment("staging", "staging", after="dev")
PROD = Environment("prod", "prod", after="staging")
ALL = {one.name: one for one in (DEV, STAGING, PROD)}


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (Environment("Dev", "dev"), "no name of an environment"),
        (Environment("x", "dev", region="EU west"), "no name of a region"),
        (Environment("x", "dev", keep=0), "keep 1 to 100"),
        (Environment("x", "dev", target="hre"), "did you mean 'here'"),
        (Environment("x", "prod", after="stagin"), "did you mean 'staging'"),
        (Environment("x", "prod", after="x"), "x after x"),
        (Environment("dev", "dev", after="prod"), "dev after prod after staging after dev"),
        (Environment("x", "dev", after="prod"), "releases go from"),
        (Environment("staging", "local", after="dev"), "'staging' of type local"),
        (Environment("dev", "prod"), "'staging' of type staging cannot come after 'dev'"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(new: Environment, why: str) -> None:
    with pytest.raises(EnvironmentUnfit, match=why):
        check_environment(new, ALL, {"here"})


TYPES: list[Literal["local", "dev", "staging", "prod"]] = ["local", "dev", "staging", "prod"]
ENVIRONMENTS = st.builds(
    Environment,
    st.sampled_from("abcde"),
    st.sampled_from(TYPES),
    after=st.sampled_from(["", *"abcde"]),
)


@given(st.lists(ENVIRONMENTS, max_size=20))
def test_whatever_is_asked_for_releases_find_a_way_to_each_environment(
    asked: list[Environment],
) -> None:
    known: dict[str, Environment] = {}
    for one in asked:
        try:
            check_environment(one, known, {"here"})
        except EnvironmentUnfit:
            continue
        known[one.name] = one
    for one in known.values():
        way = [one]
        while way[-1].after:
            way.append(known[way[-1].after])
            assert len(way) <= len(known)
        ranks = [TYPES.index(step.type) for step in way]
        assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://other.example",
        "https://",
        "https://user:word@other.example/",
        "https://other.example/path",
        "https://other.example?x",
        "https://other.example:0",
        "https://other.example:99999",
        "https://[::1",
        "https://OTHER.example",
        "https://othér.example",
        "https://other.example/\n",
        "https://" + "a" * 400,
    ],
)
def test_a_platform_is_reached_by_https_and_by_nothing_else(url: str) -> None:
    with pytest.raises(TargetUnfit):
        check_target("west", TargetSaid("platform", url), {}, simulated_allowed=False)


@pytest.mark.parametrize(
    "url",
    ["https://other.example", "https://10.0.0.1:8443/", "http://orchestrator.localhost:8400/"],
)
def test_a_platform_has_a_name_or_an_address(url: str) -> None:
    check_target("west", TargetSaid("platform", url), {}, simulated_allowed=False)


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("here", TargetSaid("platform", "https://x.example"), "cannot be set"),
        ("West", TargetSaid("platform", "https://x.example"), "no name"),
        ("west", TargetSaid("simulated"), "tests alone"),
        ("west", TargetSaid("here", "https://x.example"), "remove it"),
    ],
)
def test_a_target_that_cannot_be_is_refused(name: str, said: TargetSaid, why: str) -> None:
    with pytest.raises(TargetUnfit, match=why):
        check_target(name, said, {}, simulated_allowed=False)
