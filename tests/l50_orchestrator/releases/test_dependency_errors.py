"""Failed calls of a release, from what is counted to what is decided: found where they are its own, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from msgspec import structs

from drystone.l50_orchestrator.releases.looking import look_of
from drystone.l50_orchestrator.rollout import looks, machine
from drystone.l50_orchestrator.rollout.plan import Plan, Step, Watch
from drystone.l50_orchestrator.target import Arm, Signals

WATCH = Watch(
    weights={
        "errors": 0.6,
        "slow": 0.2,
        "restarts": 0.1,
        "log-errors": 0.1,
        "dependency-errors": 0.1,
    },
    quiet="hold",
    early=False,
)
Part = Callable[[Random, int], tuple[int, int]]
"""What one release does in a second with so many requests: its calls, and those that fail and count."""


def rolled(
    seed: int, canary: Part, stable: Part, *, share: float, rate: int = 40, seconds: int = 120
) -> str:
    """Return the phase in which a rollout ends whose requests are all answered well."""
    random = Random(seed)  # noqa: S311 - a simulation
    plan = Plan(steps=(Step(share, timedelta(hours=1)), Step(1.0)), watch=WATCH)
    state, before = machine.begin(plan), Signals(timedelta(), Arm(), Arm())
    new, old = Arm(), Arm()
    for second in range(1, seconds + 1):
        asked = sum(random.random() < share for _ in range(rate))
        new = _more(new, asked, canary(random, asked))
        old = _more(old, rate - asked, stable(random, rate - asked))
        now = Signals(timedelta(seconds=second), old, new)
        state = machine.looked(state, look_of(plan, before, now))
        before = now
        if state.is_over:
            break
    return state.phase


def _more(arm: Arm, requests: int, made: tuple[int, int]) -> Arm:
    return structs.replace(
        arm,
        requests=arm.requests + requests,
        calls=arm.calls + made[0],
        dependency_errors=arm.dependency_errors + made[1],
    )


def failing(part: float) -> Part:
    """Each request makes one call, of which a part fails."""

    def made(random: Random, requests: int) -> tuple[int, int]:
        return requests, sum(random.random() < part for _ in range(requests))

    return made


def background(part: float) -> Part:
    """Twenty calls a second are made without any request, as many by each release, beside one for each request."""

    def made(random: Random, requests: int) -> tuple[int, int]:
        return requests + 20, sum(random.random() < part for _ in range(requests + 20))

    return made


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_release_whose_calls_fail_is_taken_back_although_it_answers_well(share: float) -> None:
    found = [rolled(seed, failing(0.2), failing(0.0), share=share) for seed in range(10)]
    assert found == ["rolled-back"] * 10


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("both", [failing(1.0), failing(0.05), background(1.0), background(0.1)])
def test_a_dependency_that_fails_for_both_takes_nothing_back(share: float, both: Part) -> None:
    found = [rolled(seed, both, both, share=share, seconds=60) for seed in range(10)]
    assert found == ["rising"] * 10


def test_where_the_old_release_calls_nobody_its_requests_stand_for_calls() -> None:
    none: Part = lambda _random, _requests: (0, 0)  # noqa: E731
    assert rolled(1, failing(1.0), none, share=0.1) == "rolled-back"
    assert rolled(1, failing(0.0), none, share=0.1) == "rising"
    assert rolled(1, none, failing(1.0), share=0.1) == "rising"


def test_calls_are_held_against_calls_or_users_against_users() -> None:
    canary = Arm(requests=2, calls=30, dependency_errors=3)
    stable = Arm(requests=18, calls=300, dependency_errors=1)
    now = Signals(timedelta(seconds=3), stable, canary)
    look = look_of(Plan(watch=WATCH), Signals(timedelta(), Arm(), Arm()), now)
    counted = look.counts["dependency-errors"]
    assert (counted.canary, counted.stable) == (looks.Arm(30, 3), looks.Arm(300, 1))
    assert counted.share is None
    by_user = Plan(cohort="user", watch=structs.replace(WATCH, by="user"))
    users = {"users_tried": 40, "users_at_risk": 1}
    now = Signals(
        timedelta(seconds=3),
        structs.replace(stable, users_tried=80, users_at_risk=3, users_in_failed_call=1),
        structs.replace(canary, **users, users_in_failed_call=2),
        by="user",
    )
    counted = look_of(by_user, Signals(timedelta(), Arm(), Arm()), now).counts["dependency-errors"]
    assert (counted.canary, counted.stable) == (looks.Arm(40, 2), looks.Arm(80, 1))
    assert counted.share == 0.25


def test_a_thousand_failed_calls_for_one_user_are_one() -> None:
    plan = Plan(cohort="user", watch=structs.replace(WATCH, by="user"))
    canary = Arm(requests=1000, calls=1000, dependency_errors=1000, users=1)
    canary = structs.replace(canary, users_tried=9, users_at_risk=1, users_in_failed_call=1)
    stable = Arm(requests=9000, calls=9000, users=9, users_tried=90, users_at_risk=9)
    storm = Signals(timedelta(seconds=9), stable, canary, by="user")
    look = look_of(plan, Signals(timedelta(), Arm(), Arm()), storm)
    assert machine.looked(machine.begin(plan), look).phase == "rising"
    many = structs.replace(canary, users_tried=30, users_at_risk=9, users_in_failed_call=30)
    look = look_of(plan, Signals(timedelta(), Arm(), Arm()), structs.replace(storm, canary=many))
    assert machine.looked(machine.begin(plan), look).phase == "rolled-back"
