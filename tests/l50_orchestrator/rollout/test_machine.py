"""A rollout from its first step to its end, whatever is seen and ordered."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.errors import ObservationUnfit, PlanUnfit
from drystone.l50_orchestrator.rollout.evidence import MOST_EXAMPLES, MOST_POINTS
from drystone.l50_orchestrator.rollout.looks import Arm, Counted, Event, Look
from drystone.l50_orchestrator.rollout.machine import (
    FEW,
    FIRST,
    FOOTHOLD,
    MOST_TURNS,
    Order,
    State,
    Verb,
)
from drystone.l50_orchestrator.rollout.plan import Plan, Step, Watch
from l50_orchestrator.rollout.samples import HOLD, Input, follow, inputs, look, order, plans

VERBS: tuple[Verb, ...] = ("promote", "pause", "resume", "abort")
NOTHING = ((0, 0), (0, 0))
GOOD = ((1000, 0), (9000, 40))
BAD = ((100, 50), (900, 1))


def plan(**watch: Any) -> Plan:
    steps = (Step(0.1, HOLD), Step(0.5, HOLD), Step(1.0))
    return Plan(steps=steps, watch=Watch(**watch))


def as_journal(state: State) -> State:
    return msgspec.json.decode(msgspec.json.encode(state), type=State)


@given(plans(), inputs)
@settings(max_examples=25)
def test_the_same_inputs_give_the_same_state_also_when_it_is_stored_between(
    plan: Plan, inputs: list[Input]
) -> None:
    kept = stored = machine.begin(plan)
    for one in inputs:
        kept, stored = follow(kept, one), follow(as_journal(stored), one)
    assert stored == kept == as_journal(kept)


@given(plans(), inputs)
@settings(max_examples=25)
def test_the_share_rises_by_steps_or_falls_to_nothing_and_rises_no_more_once_proven_bad(
    plan: Plan, inputs: list[Input]
) -> None:
    state = machine.begin(plan)
    shares = [step.share for step in plan.steps]
    for one in inputs:
        before, state = state, follow(state, one)
        if state.share == before.share:
            continue
        if isinstance(one, Order):
            assert (one.verb, state.share) in {("promote", 1.0), ("abort", 0.0)}
        elif state.share > before.share:
            assert before.verdict != "bad"
            begins = state.number == 0 and before.share == FOOTHOLD
            assert state.share == shares[0 if begins else before.number + 1]
        else:
            assert (state.share, state.verdict, state.phase) == (0.0, "bad", "rolled-back")


@given(plans(), inputs)
@settings(max_examples=25)
def test_an_order_to_promote_or_abort_is_carried_out_in_every_state(
    plan: Plan, inputs: list[Input]
) -> None:
    state = follow(machine.begin(plan), *inputs)
    promoted, aborted = (follow(state, order(verb)) for verb in ("promote", "abort"))
    assert (promoted.share, promoted.phase) == (1.0, "promoted")
    assert (aborted.share, aborted.phase) == (0.0, "aborted")
    assert follow(promoted, order("abort")).share == 0.0
    assert follow(aborted, order("promote")).share == 1.0
    for ended in (promoted, aborted):
        later = follow(ended, look(1e4, *BAD), order("pause"), order("resume"))
        assert (later.share, later.phase) == (ended.share, ended.phase)


@given(plans(), inputs)
@settings(max_examples=25)
def test_what_is_not_held_ends_by_itself_when_nothing_is_seen(
    plan: Plan, inputs: list[Input]
) -> None:
    state = follow(machine.begin(plan), *inputs)
    minute = state.at / timedelta(minutes=1)
    quiet = (look(minute + 10 * (number + 1), *NOTHING) for number in range(len(plan.steps) + 1))
    ended = follow(state, order("resume", minute), *quiet)
    waits = ended.phase in {"alarmed", "held"}
    assert ended.is_over or waits
    if ended.phase == "held":
        assert plan.watch.quiet == "hold" or plan.watch.budget is not None


@given(plans(), inputs)
@settings(max_examples=20)
def test_everything_of_it_can_be_shown(plan: Plan, inputs: list[Input]) -> None:
    state = follow(machine.begin(plan), *inputs)
    assert state.why
    assert math.isfinite(state.evidence.highest)
    for point in state.evidence.curve:
        assert all(map(math.isfinite, [point.evidence, point.good, *point.by_metric.values()]))
    assert b"null" not in msgspec.json.encode(state.evidence)


def test_a_good_canary_goes_up_step_by_step() -> None:
    state = machine.begin(plan())
    assert (state.share, state.phase) == (0.1, "rising")
    state = follow(state, look(1, *NOTHING), look(4.9, (600, 1), (5400, 9)))
    assert state.share == 0.1
    state = follow(state, look(5, *NOTHING))
    assert state.share == 0.5
    assert "nothing proven against it at step 1 of 3" in state.why
    state = follow(state, look(10, *NOTHING))
    assert (state.share, state.phase, state.wanted.header) == (1.0, "promoted", None)


def test_a_large_first_step_begins_with_little_until_some_answers_are_known() -> None:
    begun = machine.begin(Plan(steps=(Step(0.5, HOLD), Step(1.0))))
    assert begun.share == FOOTHOLD
    known = requests(0.1, (FEW, 0), (200, 0))
    paused = follow(begun, order("pause", 0.05), known)
    for state in (follow(begun, known), follow(paused, order("resume", 1), look(1.1, *NOTHING))):
        assert (state.share, state.number, state.phase) == (0.5, 0, "rising")
    assert paused.share == FOOTHOLD
    assert follow(begun, look(0.2, *NOTHING)).share == FOOTHOLD
    late = follow(begun, look(FIRST / timedelta(minutes=1), *NOTHING))
    assert late.share == 0.5
    assert "begun with step 1 of 2" in late.why
    assert follow(begun, requests(0.1, (3, 3), (57, 0))).phase == "rolled-back"
    for alone in (0.1, 1.0):
        steps = (Step(alone, HOLD), *([Step(1.0)] if alone < 1 else []))
        assert machine.begin(Plan(steps=steps)).share == alone


def test_proven_good_goes_on_before_its_time_unless_it_may_not() -> None:
    state = follow(machine.begin(plan()), look(1, *GOOD))
    assert (state.share, state.verdict) == (0.5, "quiet")
    assert "proven good: not 2 times as bad as the stable release, errors: 0 of 1,000" in state.why
    late = follow(machine.begin(plan(early=False)), look(1, *GOOD))
    assert (late.share, late.verdict) == (0.1, "good")
    assert follow(late, look(5, *NOTHING)).share == 0.5


def test_what_was_proven_at_one_step_is_to_be_proven_again_at_the_next() -> None:
    state = follow(machine.begin(plan()), look(1, *GOOD), look(1.1, (500, 0), (500, 1)))
    assert state.share == 0.5


def test_proven_bad_is_rolled_back_and_says_why() -> None:
    state = follow(machine.begin(plan()), look(1, *BAD))
    assert (state.share, state.phase, state.verdict) == (0.0, "rolled-back", "bad")
    assert "errors: 50 of 100 on the canary, 1 of 900 on the stable release" in state.why
    assert "were it no worse, this would happen in fewer than 1 of" in state.why
    assert follow(state, look(2, *GOOD)) == state


def test_proven_bad_may_be_left_to_a_person() -> None:
    begun = machine.begin(plan(on_alarm="pause"))
    state = follow(begun, look(1, *BAD))
    assert (state.share, state.phase) == (0.1, "alarmed")
    later = follow(state, look(9, *GOOD), look(20, *GOOD), order("resume", 21), order("pause", 22))
    assert (later.share, later.phase, later.verdict) == (0.1, "alarmed", "bad")
    assert "promote it all the same, or abort it" in later.why
    barely = follow(begun, look(1, (4, 4), (36, 0)), *[look(2, *GOOD)] * 20)
    assert (barely.phase, barely.verdict) == ("alarmed", "bad")
    assert barely.evidence.curve[-1].evidence < 0
    assert "although it is proven bad" in follow(later, order("promote", 23)).why


def test_a_pause_stops_the_steps_but_not_the_alarm() -> None:
    paused = follow(machine.begin(plan()), order("pause", 1))
    assert follow(paused, look(60, *GOOD)).share == 0.1
    assert follow(paused, look(60, *BAD)).phase == "rolled-back"
    resumed = follow(paused, look(60, *NOTHING), order("resume", 61))
    assert follow(resumed, look(65, *NOTHING)).share == 0.1
    assert follow(resumed, look(66, *NOTHING)).share == 0.5


def test_quiet_may_hold_until_something_is_proven() -> None:
    state = follow(machine.begin(plan(quiet="hold")), look(6, *NOTHING), look(60, *NOTHING))
    assert (state.share, state.phase) == (0.1, "held")
    assert len(state.turns) == 2
    assert follow(state, look(61, *GOOD)).share == 0.5
    assert follow(state, look(61, *BAD)).phase == "rolled-back"


def test_what_cannot_be_looked_at_goes_nowhere() -> None:
    blind = [Look(at=timedelta(minutes=minute)) for minute in range(1, 60)]
    state = follow(machine.begin(plan()), *blind)
    assert (state.share, state.phase, state.evidence.curve) == (0.1, "rising", ())


def test_a_clock_that_goes_back_has_stood_still() -> None:
    state = follow(machine.begin(plan()), look(4, *NOTHING), look(-900, *NOTHING))
    assert (state.at, state.share) == (timedelta(minutes=4), 0.1)
    assert follow(state, look(4.9, *NOTHING)).share == 0.1
    assert follow(state, look(5, *NOTHING)).share == 0.5


def requests(minute: float, canary: tuple[int, int], stable: tuple[int, int]) -> Look:
    seen = Counted(Arm(*canary), Arm(*stable))
    at = timedelta(minutes=minute)
    return Look(at=at, counts={"errors": seen}, requests=seen)


def test_where_stable_is_the_broken_one_the_objective_decides() -> None:
    repaired = requests(1, (20_000, 1), (9000, 4000))
    state = follow(machine.begin(plan(budget=0.001)), repaired)
    assert state.share == 0.5
    assert "it keeps the objective, which the stable release breaks" in state.why


def test_both_broken_waits_and_a_canary_that_is_worse_is_taken_back() -> None:
    begun = machine.begin(plan(budget=0.001))
    both = follow(begun, requests(6, (1000, 400), (9000, 4000)), look(30, *NOTHING))
    assert (both.share, both.phase) == (0.1, "held")
    assert "both releases break the objective" in both.why
    assert follow(begun, requests(1, (1000, 900), (9000, 1000))).phase == "rolled-back"


def test_a_stable_release_that_fails_at_once_is_no_yardstick_for_speed() -> None:
    begun = machine.begin(plan(budget=0.001, early=False))
    watch = begun.plan.watch
    for canary, is_good in (((20_000, 1), True), ((1000, 800), False)):
        standing = follow(begun, requests(1, canary, (9000, 8000))).standing
        assert standing.slow is not None
        hasty = standing.slow.races[0].after(Counted(Arm(900, 900), Arm(900, 0)))
        quick = msgspec.structs.replace(standing.slow, races=(hasty,) * 3)
        finding = msgspec.structs.replace(standing, slow=quick).finding(watch)
        assert finding.evidence > watch.alarm
        assert (finding.is_bad, finding.is_good, finding.is_over) == (False, is_good, not is_good)


def test_a_canary_that_turns_bad_late_is_found() -> None:
    long = Plan(steps=(Step(0.1, timedelta(days=1)), Step(1.0)), watch=Watch(early=False))
    state = follow(
        machine.begin(long), *(look(one, (1000, 10), (9000, 90)) for one in range(1, 101))
    )
    state = follow(state, *(look(one, (1000, 30), (9000, 90)) for one in (101, 102)))
    assert state.phase == "rolled-back"


def test_what_comes_to_one_side_at_a_time_counts_also_late() -> None:
    state = follow(machine.begin(plan(quiet="hold")), *(look(one, *NOTHING) for one in range(20)))
    for number in range(4):
        minute = 20 + number / 10
        state = follow(state, look(minute, (0, 0), (20, 0)), look(minute + 0.05, (2, 2), (0, 0)))
    assert state.phase == "rolled-back"


def test_what_one_side_had_minutes_ago_is_not_held_against_the_other() -> None:
    quiet = [look(minute, (0, 0), (1000, 0)) for minute in range(1, 5)]
    failing = look(4.5, (10, 5), (100, 50))
    state = follow(machine.begin(plan()), *quiet, failing)
    assert state.evidence.highest < math.log(2)


def test_what_is_kept_is_bounded_and_keeps_its_last_look_and_its_sums() -> None:
    steps = (Step(0.1, timedelta(days=9)), Step(1.0))
    long = Plan(steps=steps, watch=Watch(early=False))
    state = machine.begin(long)
    event = Event(timedelta(), "errors", "GET /orders 500")
    for number in range(1200):
        seen = look(number / 60, (10, 1), (90, 9))
        state = follow(state, msgspec.structs.replace(seen, events=(event,)))
    curve = state.evidence.curve
    assert len(curve) <= MOST_POINTS
    assert curve[-1].at == state.at
    assert sum(point.bad["errors"][1] for point in curve) == 1200 * 9
    assert len(state.evidence.examples) == MOST_EXAMPLES
    for _ in range(MOST_TURNS + 5):
        state = follow(state, order("pause", 21))
    assert len(state.turns) == MOST_TURNS


def test_a_look_that_cannot_be_changes_nothing() -> None:
    state = machine.begin(plan())
    with pytest.raises(ObservationUnfit):
        follow(state, look(1, (1, 2), (0, 0)))
    assert state == machine.begin(plan())


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("last", VERBS)
def test_every_order_says_what_it_did(verb: Verb, last: Verb) -> None:
    state = follow(machine.begin(plan()), order(last), order(verb), order(verb))
    assert len(state.turns) == 4
    assert "by ann" in state.why


@pytest.mark.parametrize(
    ("unfit", "message"),
    [
        (Plan(steps=()), "1 to 100 steps, not 0"),
        (Plan(steps=(Step(0.1), Step(0.5))), "rise from above 0 to 1"),
        (Plan(steps=(Step(0.5), Step(0.1), Step(1.0))), "rise from above 0 to 1"),
        (Plan(steps=(Step(math.nan), Step(1.0))), "rise from above 0 to 1"),
        (Plan(steps=(Step(1.0, timedelta(-1)),)), "less than no time"),
        (plan(weights={}), "at least one metric"),
        (plan(weights={"errors": math.nan}), "weight above 0"),
        (plan(false_alarm=0.0), "false_alarm is 0: write a number from"),
        (plan(tolerate=0.5), "tolerate is 0.5: write a number from 1 to 10"),
        (plan(tolerate=math.nan), "tolerate is nan"),
        (plan(budget=0.0), "budget is 0"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(unfit: Plan, message: str) -> None:
    with pytest.raises(PlanUnfit) as refused:
        machine.begin(unfit)
    assert message in refused.value.message
