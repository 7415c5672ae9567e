"""From cumulated counts to looks: nothing is counted twice, nothing is lost, and every look can have been seen so."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from drystone.l50_orchestrator.releases import views
from drystone.l50_orchestrator.releases.looking import NOTHING, look_of
from drystone.l50_orchestrator.rollout import looks, machine
from drystone.l50_orchestrator.rollout.looks import Counted, check
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
    users_turned=COUNTS,
    dependency_errors=COUNTS,
    torn=st.dictionaries(st.sampled_from("abc"), st.integers(-5, 10**9)),
)
EVENTS = st.lists(st.text(max_size=600), max_size=100).map(tuple)
SIGNALS = st.builds(
    Signals,
    st.timedeltas(timedelta(), timedelta(hours=9)),
    ARMS,
    ARMS,
    st.sampled_from([(), BOUNDS]),
    EVENTS,
    by=st.sampled_from(["request", "user"]),
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


def test_lines_of_a_log_push_out_no_failed_request() -> None:
    logged = [f"12:00:{n:02} log: line {n}" for n in range(60)]
    summed = [f"12:00:{n:02} 9 of 9 attempts at it failed" for n in range(30)]
    first = Signals(timedelta(seconds=1), Arm(), Arm(), events=(*logged, *summed))
    then = Signals(timedelta(seconds=2), Arm(), Arm(), events=("12:01:00 GET / answered 500",))
    state = machine.looked(machine.begin(PLAN), look_of(PLAN, NOTHING, first))
    state = machine.looked(state, look_of(PLAN, first, then))
    assert views.rollout(state).examples[-1] == "12:01:00 GET / answered 500"


def test_times_that_are_counted_by_users_from_now_on_begin_anew() -> None:
    before = Arm(requests=100, times=(60, 30, 10))
    now = Arm(requests=120, times=(3, 1, 0))
    look = look_of(
        PLAN,
        Signals(timedelta(seconds=1), before, before, BOUNDS),
        Signals(timedelta(seconds=2), now, now, BOUNDS),
    )
    assert look.timings is not None
    assert look.timings.canary == (3, 1, 0)


def test_users_count_where_the_target_tells_them_apart() -> None:
    arm = Arm(requests=50, errors=20, users=10, users_in_error=2, users_tried=30)
    for by, bad in (("user", 2), ("request", 20)):
        plan = Plan(watch=Watch(by=by))  # type: ignore[arg-type]
        look = look_of(plan, NOTHING, Signals(timedelta(seconds=3), Arm(), arm, by="user"))
        assert look.counts["errors"].canary.bad == bad
        assert look.requests is not None
        assert look.requests.canary.bad == 20


def test_an_event_is_told_once() -> None:
    first = Signals(timedelta(seconds=1), Arm(), Arm(), events=("a", "b"))
    second = Signals(timedelta(seconds=2), Arm(), Arm(), events=("a", "b", "c"))
    assert [one.text for one in look_of(PLAN, first, second).events] == ["c"]


def test_before_any_user_is_known_no_request_counts_in_their_place() -> None:
    """Proxies write down once a second who asked, and count each request at once."""
    storm = Signals(timedelta(seconds=1), Arm(requests=9), Arm(requests=9, errors=9), by="user")
    plan = Plan(cohort="user", watch=Watch(by="user"))
    look = look_of(plan, NOTHING, storm)
    assert look.counts["errors"].canary == looks.Arm()
    assert machine.looked(machine.begin(plan), look).phase == "rising"


def test_errors_of_users_part_as_those_at_risk_do_and_lines_of_logs_are_not_held_against_them() -> (
    None
):
    canary = Arm(requests=900, errors=800, log_errors=800, users=4, users_in_error=1)
    canary = structs.replace(canary, users_tried=30, users_at_risk=4)
    stable = Arm(requests=900, users=36, users_tried=300, users_at_risk=36)
    plan = Plan(cohort="user", watch=Watch(by="user"))
    look = look_of(plan, NOTHING, Signals(timedelta(seconds=3), stable, canary, by="user"))
    assert look.counts["errors"] == Counted(looks.Arm(30, 1), looks.Arm(300, 0), 0.1)
    assert "log-errors" not in look.counts
    assert "counted by user" in look.unmeasured["log-errors"]
    state = machine.looked(machine.begin(plan), look)
    assert state.phase == "rising"
    assert "log-errors" not in views.rollout(state).counted


def test_what_a_target_cannot_measure_is_said_to_be_so_and_bet_on_by_nobody() -> None:
    watch = Watch(weights={"errors": 0.6, "dependency-errors": 0.1})
    now = Signals(timedelta(seconds=3), Arm(requests=9), Arm(requests=9, dependency_errors=9))
    measured = look_of(Plan(watch=watch), NOTHING, now)
    assert measured.counts["dependency-errors"].canary == looks.Arm(9, 9)
    blind = structs.replace(now, unmeasured={"dependency-errors": "why", "slow": "not asked for"})
    look = look_of(Plan(watch=watch), NOTHING, blind)
    assert "dependency-errors" not in look.counts
    assert look.unmeasured == {"dependency-errors": "why"}
