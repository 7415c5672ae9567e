"""Bets that aim at a sum: they win no more than it, nothing on average, and never less than bets that aim at nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import aiming, purse
from drystone.l50_orchestrator.rollout.looks import Arm, Counted
from drystone.l50_orchestrator.rollout.race import Race

AIM = math.log(100)
LEAST = 1e-9

moneys = st.lists(st.floats(-20.0, AIM - 3), min_size=3, max_size=3)
ratios = st.lists(st.floats(0.0, 7.0), min_size=2, max_size=2)
errors = st.integers(1, 20)
chances = st.floats(0.001, 0.999)


def wins(money: Sequence[float], ratios: Sequence[float], chance: float, both: int) -> list[float]:
    """By what all the money is multiplied for each number of errors on the canary."""
    found = []
    for there in range(both + 1):
        more = aiming.more(tuple(money), ratios, chance=chance, there=there, both=both, aim=AIM)
        played = [
            one + there * ratio - both * math.log1p(chance * math.expm1(ratio)) + more
            for one, ratio in zip(money, ratios, strict=True)
        ]
        found.append(math.exp(purse.total(played) - purse.total(money)))
    return found


@given(moneys, ratios, chances, errors, st.floats(0.0, 1.0))
def test_nothing_is_won_on_average_by_aiming(
    money: Sequence[float], ratios: Sequence[float], chance: float, both: int, smaller: float
) -> None:
    won = wins(money, (0.0, *ratios), chance, both)
    for real in (chance, smaller * chance):
        likely = (
            math.comb(both, one) * real**one * (1 - real) ** (both - one) for one in range(both + 1)
        )
        average = math.fsum(one * other for one, other in zip(likely, won, strict=True))
        assert average <= 1 + 1e-7


@given(moneys, ratios, chances, errors)
def test_what_does_not_reach_the_aim_wins_no_less_and_nothing_wins_more_than_the_aim(
    money: Sequence[float], ratios: Sequence[float], chance: float, both: int
) -> None:
    given_ = (0.0, *ratios)
    aimed = wins(money, given_, chance, both)
    whole = purse.total(money)
    for there, one in enumerate(aimed):
        played = [
            before + there * ratio - both * math.log1p(chance * math.expm1(ratio))
            for before, ratio in zip(money, given_, strict=True)
        ]
        reached = purse.total(played)
        enough = AIM + aiming.HAIR
        assert whole + math.log(one) >= min(reached, enough) - LEAST
        if enough - whole > aiming.NEAR:
            assert whole + math.log(one) <= enough + LEAST


def test_one_error_that_would_prove_too_much_needs_less_money_before() -> None:
    """With a tenth on the canary, an error there pays ten for one at most; what is wanted here is 6 for one."""
    money = purse.split((1.0, 1.0, 3.0))
    money = tuple(one + AIM - math.log(6) for one in money)
    won = wins(money, (0.0, math.log(3), math.log(1000)), 0.1, 1)
    assert won[1] == pytest.approx(6)
    assert won[0] == pytest.approx(4 / 9)


def test_with_very_many_errors_bets_win_what_they_win() -> None:
    race = Race(aim=AIM).after(Counted(Arm(5000, 4000), Arm(50_000, 50), 0.1))
    assert race.log_e > 1000


def test_a_race_that_aims_ends_where_it_aims_and_one_that_does_not_goes_on() -> None:
    aimed, free = Race(aim=AIM), Race()
    for _ in range(4):
        seen = Counted(canary=Arm(1, 1), share=0.1)
        aimed, free = aimed.after(seen), free.after(seen)
        if aimed.log_e >= AIM:
            break
    assert aimed.log_e == pytest.approx(AIM, abs=0.01)
    assert free.log_e >= AIM - 1
