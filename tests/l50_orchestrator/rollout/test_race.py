"""The bets: nothing is won on average where there is nothing to be found, and what there is is found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import purse
from drystone.l50_orchestrator.rollout.budget import OVER, WITHIN, Budget
from drystone.l50_orchestrator.rollout.looks import MOST, Arm, Counted
from drystone.l50_orchestrator.rollout.race import BETTER_RATIOS, RATIOS, START, Proof, Race

chances = st.floats(0.0, 1.0)
numbers = st.integers(1, 7)


def likely(n: int, chance: float) -> list[float]:
    """How probable 0, 1, … n bad ones are."""
    return [math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(n + 1)]


def average(
    before: Race | Proof, canary: int, canary_chance: float, stable: int, stable_chance: float
) -> list[float]:
    """By what each bet is multiplied on average, by trying all that can happen."""
    won = [0.0] * len(before.money)
    both = product(
        enumerate(likely(canary, canary_chance)), enumerate(likely(stable, stable_chance))
    )
    for (canary_bad, one), (stable_bad, other) in both:
        after = before.after(Counted(Arm(canary, canary_bad), Arm(stable, stable_bad)))
        for place, (now, then) in enumerate(zip(after.money, before.money, strict=True)):
            won[place] += one * other * math.exp(now - then)
    return won


@given(
    canary=numbers,
    stable=numbers,
    stable_chance=chances,
    part=chances,
    tolerate=st.floats(1.0, 10.0),
)
def test_no_bet_against_a_canary_that_is_good_enough_wins_on_average(
    canary: int, stable: int, stable_chance: float, part: float, tolerate: float
) -> None:
    canary_chance = part * min(1.0, tolerate * stable_chance)
    won = average(Race(tolerate), canary, canary_chance, stable, stable_chance)
    assert max(won) <= 1 + 1e-9


@given(canary=numbers, stable=numbers, canary_chance=chances, part=chances)
def test_no_bet_for_a_canary_that_is_bad_wins_on_average(
    canary: int, stable: int, canary_chance: float, part: float
) -> None:
    worse = 2.0
    won = average(Proof(worse), canary, canary_chance, stable, part * canary_chance / worse)
    assert max(won) <= 1 + 1e-9


@given(n=st.integers(0, 30), allowed=st.floats(0.001, 0.999), part=chances)
def test_no_bet_on_an_objective_wins_on_average_where_it_is_not_so(
    n: int, allowed: float, part: float
) -> None:
    before = Budget(allowed)
    kept, broken = part * allowed, allowed + part * (1 - allowed)
    for name, chance in (("over", kept), ("within", broken)):
        won = [0.0] * len(getattr(before, name))
        for bad, probable in enumerate(likely(n, chance)):
            now = getattr(before.after(Arm(n, bad)), name)
            for place, (one, then) in enumerate(zip(now, getattr(before, name), strict=True)):
                won[place] += probable * math.exp(one - then)
        assert max(won) <= 1 + 1e-9


@given(
    share=st.floats(0.001, 0.999),
    smaller=chances,
    stable_chance=chances,
    part=chances,
    tolerate=st.floats(1.0, 10.0),
)
def test_no_bet_by_a_known_share_wins_on_average_also_where_the_share_is_smaller(
    share: float, smaller: float, stable_chance: float, part: float, tolerate: float
) -> None:
    """All that one request can do: it falls on either side by chance, and is bad or not."""
    canary_chance = part * min(1.0, tolerate * stable_chance)
    there = share * smaller
    can_be = [
        (there * canary_chance, Counted(canary=Arm(1, 1), share=share)),
        (there * (1 - canary_chance), Counted(canary=Arm(1), share=share)),
        ((1 - there) * stable_chance, Counted(stable=Arm(1, 1), share=share)),
        ((1 - there) * (1 - stable_chance), Counted(stable=Arm(1), share=share)),
    ]
    before = Race(tolerate)
    for place in range(len(START)):
        won = sum(
            probable * math.exp(before.after(seen).money[place] - before.money[place])
            for probable, seen in can_be
        )
        assert won <= 1 + 1e-9


def test_by_a_known_share_errors_count_before_stable_has_had_a_request() -> None:
    race = Race()
    for _ in range(3):
        race = race.after(Counted(canary=Arm(1, 1), share=0.1))
    assert race.log_e >= math.log(100 / 0.6)
    assert race.waiting.canary == Arm(3, 3)


def test_bets_win_where_they_are_right() -> None:
    won = average(Race(), 6, 0.3, 6, 0.1)
    assert max(won[1:-1]) > 1.3
    assert average(Race(), 6, 0.95, 6, 0.02)[-1] > 1_000
    assert max(average(Proof(2.0), 6, 0.1, 6, 0.1)) > 1.05


@given(st.lists(st.tuples(st.floats(-1e15, 1e15)), min_size=len(START), max_size=len(START)))
def test_splitting_money_anew_keeps_all_of_it(drawn: Sequence[tuple[float]]) -> None:
    logs = tuple(one for (one,) in drawn)
    spread = purse.spread(logs, START, 0.3)
    assert purse.total(spread) == pytest.approx(purse.total(logs), rel=1e-12, abs=1e-9)
    assert purse.spread(START, START, 1.0) == pytest.approx(START)


def test_what_was_spread_finds_a_canary_that_turns_bad_late() -> None:
    good, bad = Counted(Arm(1000, 10), Arm(9000, 90)), Counted(Arm(1000, 40), Arm(9000, 90))
    kept = spread = Race()
    for _ in range(100):
        kept, spread = kept.after(good), spread.after(good)
    spread = spread.spread(0.1)
    for _ in range(4):
        kept, spread = kept.after(bad), spread.after(bad)
    assert spread.log_e > math.log(100) > 0 > kept.log_e


@pytest.mark.parametrize(("share", "errors"), [(0.01, 2), (0.05, 3), (0.1, 3)])
def test_three_errors_are_enough_where_stable_answers_well(share: float, errors: int) -> None:
    stable = round((1 - share) / share)
    race = Race()
    for _ in range(errors):
        race = race.after(Counted(Arm(1, 1), Arm(stable, 0)))
    assert race.log_e >= math.log(100 / 0.6)


def test_errors_count_although_stable_never_had_any() -> None:
    race = Race()
    for _ in range(5):
        race = race.after(Counted(Arm(120, 1), Arm(1080, 0)))
    assert race.log_e > math.log(100)


@given(
    canary=st.integers(0, MOST),
    stable=st.integers(0, MOST),
    bad=st.tuples(chances, chances),
    tolerate=st.floats(1.0, 10.0),
)
def test_money_stays_a_number_whatever_is_counted(
    canary: int, stable: int, bad: tuple[float, float], tolerate: float
) -> None:
    seen = Counted(Arm(canary, int(bad[0] * canary)), Arm(stable, int(bad[1] * stable)))
    for one in (Race(tolerate), Proof(2 * tolerate)):
        assert all(map(math.isfinite, [*one.after(seen).money, one.after(seen).log_e]))
    budget = Budget(0.001).after(seen.canary)
    assert all(map(math.isfinite, [*budget.over, *budget.within]))


def test_a_side_without_requests_waits_for_one_and_loses_nothing() -> None:
    once = Race().after(Counted(Arm(1, 1), Arm(9, 0)))
    bits = Race()
    for _ in range(9):
        bits = bits.after(Counted(stable=Arm(1, 0)))
        assert bits.money == START
    assert bits.after(Counted(canary=Arm(1, 1))) == once
    assert bits.without_waiting() == Race()


def test_a_release_that_recovers_or_breaks_is_seen_soon() -> None:
    budget = Budget(0.001).after(Arm(100_000, 50_000))
    assert budget.log_over > math.log(100)
    budget = budget.spread(0.1).after(Arm(20_000, 2))
    assert budget.log_over < math.log(2)
    assert budget.log_within > math.log(20)
    budget = budget.spread(0.1).after(Arm(300, 30))
    assert budget.log_over > math.log(100)
    assert budget.log_within < math.log(2)


def test_every_bet_has_its_place() -> None:
    assert len(START) == len(RATIOS) + 2
    assert len(Proof().money) == len(BETTER_RATIOS)
    assert (len(Budget(0.1).over), len(Budget(0.1).within)) == (len(OVER) + 1, len(WITHIN) + 1)
