"""From cumulated counts to looks: nothing is counted twice, nothing is lost, and every look can have been seen so."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.releases.looking import NOTHING, look_of
from drystone.l50_orchestrator.rollout.looks import check
from drystone.l50_orchestrator.rollout.plan import SLOW, Plan, Watch
from drystone.l50_orchestrator.target import Arm, Signals

PLAN = Plan(watch=Watch(by="request"))
BOUNDS = (timedelta(milliseconds=10), timedelta(seconds=1))
COUNTS = st.integers(min_value=0, max_value=10**9)
ARMS = st.builds(
    Arm,
    requests=COUNTS,
    errors=COUNTS,
    times=st.tuples(COUNTS, COUNTS, COUNTS),
    restarts=st.integers(0, 100),
    log_errors=COUNTS,
    users=COUNTS,
    users_in_error=COUNTS,
    users_tried=COUNTS,
    users_at_risk=COUNTS,
    dependency_errors=COUNTS,
)
EVENTS = st.lists(st.text(max_size=600), max_size=100).map(tuple)
SIGNALS = st.builds(
    Signals,
    st.timedeltas(timedelta(), timedelta(hours=9)),
    ARMS,
    ARMS,
    st.sampled_from([(), BOUNDS]),
    EVENTS,
)


@given(SIGNALS, SIGNALS, st.sampled_from(["request", "user"]))
def test_whatever_a_target_tells_becomes_a_look_that_can_be(
    before: Signals, now: Signals, by: str
) -> None:
    plan = Plan(watch=Watch(by=by))  # type: ignore[arg-type]
    check(look_of(plan, before, now), frozenset(plan.watch.weights) - {SLOW})


STEPS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=8)


@given(STEPS)
def test_looks_add_up_to_what_the_target_counted(steps: list[tuple[int, int]]) -> None:
    seen, total, bad = NOTHING, 0, 0
    looked_n = looked_bad = 0
    for number, (good, errors) in enumerate(steps, 1):
        total, bad = total + good + errors, bad + errors
        arm = Arm(requests=total, errors=bad)
        now = Signals(timedelta(seconds=number), Arm(), arm)
        look = look_of(PLAN, seen, now)
        looked_n += look.counts["errors"].canary.n
        looked_bad += look.counts["errors"].canary.bad
        seen = now
    assert (looked_n, looked_bad) == (total, bad)


def test_a_counter_that_fell_was_begun_anew() -> None:
    before = Signals(timedelta(seconds=9), Arm(), Arm(requests=100, errors=5))
    now = Signals(timedelta(seconds=12), Arm(), Arm(requests=7, errors=1))
    arm = look_of(PLAN, before, now).counts["errors"].canary
    assert (arm.n, arm.bad) == (7, 1)


def test_users_count_where_the_target_tells_them_apart() -> None:
    arm = Arm(requests=50, errors=20, users=10, users_in_error=2, users_tried=30)
    for by, bad in (("user", 2), ("request", 20)):
        plan = Plan(watch=Watch(by=by))  # type: ignore[arg-type]
        look = look_of(plan, NOTHING, Signals(timedelta(seconds=3), Arm(), arm))
        assert look.counts["errors"].canary.bad == bad
        assert look.requests is not None
        assert look.requests.canary.bad == 20


def test_an_event_is_told_once() -> None:
    first = Signals(timedelta(seconds=1), Arm(), Arm(), events=("a", "b"))
    second = Signals(timedelta(seconds=2), Arm(), Arm(), events=("a", "b", "c"))
    assert [one.text for one in look_of(PLAN, first, second).events] == ["c"]
