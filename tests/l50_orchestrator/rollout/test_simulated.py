"""Rollouts as they would go: how often a good canary is taken back, and how soon a bad one is. Every run has a seed of its own."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from benchmarks.rollout.judges import Bets, Fisher, Kayenta, Threshold, is_high
from benchmarks.rollout.trials import (
    EQUAL,
    WORSE,
    Case,
    alarms,
    blast,
    outage_errors,
    slow_alarms,
    slow_user_alarms,
    user_alarms,
)
from benchmarks.rollout.worlds import Users

from drystone.l50_orchestrator.rollout.firsts import Firsts, Request

RARE, SOME, _, _, BURSTS, OUT = WORSE


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.name)
def test_a_canary_as_good_as_stable_is_left_alone(case: Case) -> None:
    assert alarms(case, Bets, runs=10).alarms == 0


def test_so_it_is_where_few_users_make_most_errors_if_they_are_counted_once() -> None:
    assert user_alarms(20, 30, 500, 0.01, 1.0)["users"].alarms == 0


@pytest.mark.parametrize("case", [RARE, SOME, BURSTS, OUT], ids=lambda case: case.name)
def test_a_canary_that_fails_more_often_is_found(case: Case) -> None:
    assert alarms(case, Bets, runs=8, minutes=15).alarms >= 7 / 8


def test_a_slower_canary_is_found_and_one_as_quick_is_not() -> None:
    assert slow_alarms(3, 15, 20.0, 1.2, 0.0).alarms == 1
    assert slow_alarms(3, 15, 20.0, 1.0, 0.0).alarms == 0


def test_who_always_waits_longer_is_no_sign_of_a_slower_canary() -> None:
    assert slow_user_alarms(20, 30, 1000, 1.0).alarms == 0


def test_an_outage_takes_three_errors_where_a_tenth_of_the_traffic_goes_to_it() -> None:
    assert max(outage_errors(0.1, 10, even=True)) == 3
    assert median(outage_errors(0.1, 10, even=False)) == 3


@pytest.mark.slow
def test_so_it_does_where_chance_sends_requests_in_nearly_all_rollouts() -> None:
    for share, least in ((0.01, 1.0), (0.05, 0.99), (0.1, 0.97)):
        errors = outage_errors(share, 400, even=False)
        assert sum(one <= 3 for one in errors) >= least * len(errors)


def test_the_platform_costs_users_less_than_other_judges() -> None:
    bets, back = blast(SOME, Bets, 4, 10)
    assert back == 1
    assert bets < blast(SOME, lambda: Kayenta(5), 4, 60)[0]
    assert bets < blast(SOME, Threshold, 4, 60)[0]


@pytest.mark.slow
@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.name)
def test_false_alarms_are_as_rare_as_promised(case: Case) -> None:
    assert alarms(case, Bets, runs=1000).alarms <= 0.01


@pytest.mark.slow
def test_false_alarms_by_users_are_as_rare_as_promised() -> None:
    for number in (200, 2000):
        assert user_alarms(400, 60, number, 0.01, 1.0)["users"].alarms <= 0.01


@pytest.mark.slow
def test_what_is_to_be_found_is_found_in_time() -> None:
    assert alarms(RARE, Bets, 1000, 15).within(15) >= 0.95
    assert alarms(SOME, Bets, 4000, 15).within(15) >= 0.99
    for share in (0.01, 0.05, 0.1):
        assert max(outage_errors(share, 300, even=True)) <= 3


def test_users_are_counted_as_the_platform_counts_them() -> None:
    """The simulation counts all users of a minute at once; the platform reads requests."""
    users = Users(40, 2.0, 0.05, 3.0, 1.0, np.random.default_rng(3))
    bad, asked = users._drawn(5)
    there = users.trace.random(40) < 0.5
    failed = users.trace.binomial(asked, np.minimum(1, bad)[:, None])
    _, by_users = Users.counted(asked, failed, there)
    firsts = Firsts("r1")
    for minute, expected in enumerate(by_users):
        requests = [
            Request(str(who), is_canary=bool(there[who]), is_bad=number < failed[who, minute])
            for who in range(40)
            for number in range(asked[who, minute])
        ]
        firsts, counted = firsts.after(requests)
        assert (counted.canary, counted.stable) == (expected.canary, expected.stable)


def test_the_other_judges_do_what_is_known_of_them() -> None:
    quiet, worse = [0.0] * 20, [0.0] * 18 + [0.01] * 2
    assert not is_high(quiet, quiet)
    assert not is_high(worse, quiet)
    assert is_high([0.02 + one / 1e4 for one in range(20)], [one / 1e4 for one in range(20)])
    assert alarms(RARE, lambda: Kayenta(30, only=True), 5, 30).alarms == 0
    assert alarms(EQUAL[1], Threshold, 5, 30).alarms == 1
    assert alarms(SOME, Fisher, 3, 15).alarms == 1
