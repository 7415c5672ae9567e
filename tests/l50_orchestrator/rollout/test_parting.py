"""The share that was told is believed as long as counts do not speak against it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.looks import Arm, Counted, Look
from drystone.l50_orchestrator.rollout.parting import share_of
from drystone.l50_orchestrator.rollout.plan import Plan, Step, Watch

HOUR = timedelta(hours=1)


@given(st.floats(0.0, 1.0), st.integers(0, 10**6), st.integers(0, 10**6))
def test_errors_are_never_expected_on_the_canary_less_often_than_it_was_told(
    told: float, canary: int, stable: int
) -> None:
    share = share_of(told, Counted(Arm(canary), Arm(stable)))
    assert share is None or told <= share < 1


def test_chance_is_believed_and_a_header_that_many_choose_is_not() -> None:
    assert share_of(0.1, Counted(Arm(4), Arm(0))) == 0.1
    assert share_of(0.1, Counted(Arm(120), Arm(900))) == 0.1
    assert share_of(0.1, Counted(Arm(500), Arm(900))) == 500 / 1400
    assert share_of(0.1, Counted(Arm(500), Arm(0))) is None
    assert share_of(1.0, Counted(Arm(5), Arm(5))) is None


def rollout(by: str) -> machine.State:
    watch = Watch(weights={"errors": 1.0}, by=by)  # type: ignore[arg-type]
    return machine.begin(Plan(steps=(Step(0.1, HOUR), Step(1.0)), cohort=by, watch=watch))  # type: ignore[arg-type]


def seen(canary: Arm) -> Look:
    both = Counted(canary)
    return Look(at=timedelta(seconds=1), counts={"errors": both}, requests=both)


def test_three_failed_requests_before_any_of_stable_end_a_rollout_that_chance_parts() -> None:
    assert machine.looked(rollout("request"), seen(Arm(3, 3))).phase == "rolled-back"
    assert machine.looked(rollout("request"), seen(Arm(30, 3))).phase == "rising"
    assert machine.looked(rollout("user"), seen(Arm(3, 3))).phase == "rising"


def test_users_are_parted_as_those_are_who_may_still_meet_an_error() -> None:
    few = Counted(Arm(3, 3), Arm(1, 0), 0.1)
    half = Counted(Arm(3, 3), Arm(1, 0), 0.6)
    for both, phase in ((few, "rolled-back"), (half, "rising")):
        look = Look(at=timedelta(seconds=1), counts={"errors": both})
        state = machine.looked(rollout("user"), look)
        assert state.phase == phase
        assert ("proven bad by errors by user: 3 of 3" in state.why) == (phase == "rolled-back")


def test_a_canary_of_which_no_answer_was_good_is_not_promoted_for_want_of_proof() -> None:
    """As where one user makes all its requests, who counts once."""
    once = Counted(Arm(1, 1), Arm(5, 0), 0.1)
    all_of = Counted(Arm(40, 40), Arm(400, 0))
    look = Look(at=timedelta(minutes=1), counts={"errors": once}, requests=all_of)
    state = machine.looked(machine.looked(rollout("user"), look), Look(at=2 * HOUR))
    later = Look(at=3 * HOUR, requests=Counted(Arm(1, 1), Arm(10, 0)))
    state = machine.looked(state, later)
    assert (state.phase, state.share) == ("held", 0.1)
    assert "no answer of it was good" in state.why


def test_one_who_was_well_before_and_gets_nothing_but_errors_keeps_a_canary_where_it_is() -> None:
    """As a tenant whose requests the new release cannot answer: one sign, which proves nothing, and nobody is to miss."""
    once = Counted(Arm(9, 1), Arm(90, 0), 0.1)
    look = Look(at=timedelta(minutes=1), counts={"errors": once}, turned=1)
    state = machine.looked(rollout("tenant"), look)
    assert state.phase == "rising"
    later = Look(at=3 * HOUR, requests=Counted(Arm(9), Arm(90)), turned=1)
    state = machine.looked(state, later)
    assert (state.phase, state.share) == ("held", 0.1)
    assert "1 tenant who was well on the stable release got nothing but errors" in state.why
    well = Look(at=4 * HOUR, requests=Counted(Arm(9), Arm(90)))
    assert machine.looked(state, well).phase == "promoted"
