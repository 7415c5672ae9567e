"""Somebody's errors follow the release, or do not: a lot tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.crossing import (
    ANSWERS,
    AWAY,
    MOST_DONE,
    SETTLING,
    STAKE,
    Crossing,
    lot,
)
from drystone.l50_orchestrator.rollout.looks import Counted, Look
from drystone.l50_orchestrator.rollout.machine import Order, State
from drystone.l50_orchestrator.rollout.plan import Plan, Step, Watch

PERIODS = 5
WHO = ("a", "b")
HOUR = timedelta(hours=1)
A_MOMENT = timedelta(seconds=1)

Broken = Callable[[tuple[bool, ...]], bool]
"""Whether somebody is broken in the next period, after such lots."""


def told(got: dict[str, list[int]]) -> dict[str, tuple[int, int]]:
    return {who: (stable, canary) for who, (stable, canary) in got.items()}


def tried(lots: tuple[bool, ...], broken: dict[str, Broken]) -> Crossing:
    """Try those for as many periods as there are lots, of whom each is broken or well by itself."""
    at, got = timedelta(), {who: [0, 0] for who in broken}
    state = Crossing().begun(told(got), at)
    for number, is_there in enumerate((False, *lots)):
        for who, is_broken in broken.items():
            if number and who in got and is_broken(lots[: number - 1]) != is_there:
                del got[who]  # a good answer of the canary, or a bad one of stable
        drawn = (*lots, True)[number]
        for _ in range(2):
            at += SETTLING
            state = state.after(told(got), at, is_there=drawn)
            for counts in got.values():
                counts[is_there] += ANSWERS
        at += A_MOMENT
        state = state.after(told(got), at, is_there=drawn)
    return state


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=2 * 2**PERIODS, max_size=2 * 2**PERIODS))
def test_nothing_is_won_on_average_with_who_breaks_and_recovers_by_itself_whatever_came_before(
    drawn: list[bool],
) -> None:
    def of(at: int) -> Broken:
        return lambda lots: drawn[at + sum(one << n for n, one in enumerate((*lots, True)))]

    broken = {who: of(number * 2**PERIODS) for number, who in enumerate(WHO)}
    worth = 0.0
    for lots in product((False, True), repeat=PERIODS):
        ended = tried(lots, broken).ended()
        worth += ended.money
    assert worth / 2**PERIODS <= 1 + 1e-9


def following(lots: tuple[bool, ...], past: tuple[bool, ...]) -> bool:
    """Be broken where the next lot leads to the canary, which nobody knows who is broken by itself."""
    return lots[len(past)]


def test_the_stake_doubles_with_each_period_in_which_the_errors_follow_the_release() -> None:
    for lots in product((False, True), repeat=3):
        state = tried(lots, {"a": partial(following, lots)})
        assert state.ended().money == pytest.approx(1 - STAKE + STAKE * 2**3)


def test_one_of_two_who_recovers_by_itself_takes_its_half_with_it() -> None:
    lots = (True, False)
    both: dict[str, Broken] = {"a": partial(following, lots), "b": lambda _: True}
    assert tried(lots, both).ended().money == pytest.approx(1 - STAKE + STAKE * 4 / 2)


def test_who_was_tried_is_not_tried_again_and_the_next_has_what_is_left() -> None:
    first = tried((True,), {"a": lambda _: False})
    assert first.trial is None
    assert first.money == pytest.approx(1 - STAKE)
    assert first.begun({"a": (0, 0)}, HOUR) == first
    second = first.begun({"a": (0, 0), "c": (0, 0)}, HOUR)
    assert second.trial is not None
    assert second.trial.tried == ("c",)
    assert second.trial.stake == pytest.approx(STAKE * (1 - STAKE))


def test_of_very_many_some_are_tried_and_no_more_ever() -> None:
    many = {f"{number:03}": (0, 5) for number in range(500)}
    begun = Crossing().begun(many, timedelta())
    assert begun.trial is not None
    assert len(begun.trial.tried) == MOST_DONE
    assert begun.ended().begun(many, HOUR) == begun.ended()


def test_who_fails_on_stable_at_once_costs_no_stake() -> None:
    begun = Crossing().begun({"a": (0, 5), "b": (0, 5)}, timedelta())
    assert begun.trial is not None
    assert not begun.trial.is_there
    one = begun.after({"b": (9, 5)}, SETTLING, is_there=True)
    assert one.trial is not None
    assert one.trial.tried == ("b",)
    nobody = one.after({}, SETTLING, is_there=True)
    assert (nobody.money, nobody.trial, nobody.lots) == (1.0, None, 0)


def test_lots_are_even() -> None:
    assert abs(sum(lot(7, number) for number in range(4000)) - 2000) < 200


def rollout(seed: int, **watch: Any) -> State:
    chosen = Watch(weights={"errors": 1.0}, by="tenant", **watch)
    plan = Plan(steps=(Step(0.08, HOUR), Step(1.0)), cohort="tenant", watch=chosen)
    return machine.begin(plan, seed=seed)


def looked(state: State, got: tuple[int, int] | None) -> State:
    look = Look(
        at=state.at + A_MOMENT,
        counts={},
        requests=Counted(),
        turned=got is not None,
        crossed={"a": got} if got is not None else {},
    )
    return machine.looked(state, look)


def followed(state: State, most: int, *, follows: bool = True) -> State:
    """Look on while a tenant gets nothing but errors on the canary: on it alone, or wherever it is."""
    good, bad = 0, 5
    for _ in range(most):
        is_there = state.share > AWAY
        bad += is_there
        good += not is_there
        state = looked(state, (good, bad) if follows or is_there else None)
        if state.is_over:
            break
    return state


@pytest.mark.parametrize("seed", range(5))
def test_a_tenant_whose_errors_follow_the_release_takes_it_back(seed: int) -> None:
    state = followed(rollout(seed), 120)
    assert (state.phase, state.share, state.verdict) == ("rolled-back", 0.0, "bad")
    assert "errors of 1 tenant alone: sent to the canary and back by lot 11 times" in state.why
    assert "fewer than 1 of 18" in state.why
    assert {turn.share for turn in state.turns} == {0.08, 0.0}
    assert {point.share for point in state.evidence.curve} == {0.08, AWAY}


def test_a_tenant_that_is_broken_itself_is_found_out_and_the_rollout_goes_on() -> None:
    state = followed(rollout(3), 60, follows=False)
    assert (state.phase, state.share) == ("rising", 0.08)
    assert "the errors of the tenant do not follow the release" in state.why
    later = machine.looked(state, Look(at=2 * HOUR, requests=Counted()))
    assert later.phase == "promoted"


def test_a_tenant_that_does_not_come_again_leaves_it_to_a_person() -> None:
    state = rollout(3)
    for _ in range(70):
        state = looked(state, (0, 5))
    assert (state.phase, state.share) == ("rising", 0.08)
    assert "too few requests of the tenant" in state.why
    silent = Look(at=2 * HOUR, requests=Counted(), turned=1, crossed={"a": (0, 5)})
    state = machine.looked(state, silent)
    assert (state.phase, state.share) == ("held", 0.08)


def test_orders_are_taken_in_the_midst_of_a_trial() -> None:
    away = followed(rollout(1), 1)
    assert away.share == AWAY
    for verb, phase, share in (
        ("pause", "paused", 0.08),
        ("promote", "promoted", 1.0),
        ("abort", "aborted", 0.0),
    ):
        state = machine.ordered(away, Order(away.at, verb, "ann"))  # type: ignore[arg-type]
        assert (state.phase, state.share) == (phase, share)
        later = looked(state, (9, 9))
        assert (later.phase, later.share) == (phase, share)


def test_a_trial_goes_on_from_a_journal() -> None:
    state = followed(rollout(2), 9)
    stored = msgspec.json.decode(msgspec.json.encode(state), type=State)
    assert followed(stored, 100) == followed(state, 100)
