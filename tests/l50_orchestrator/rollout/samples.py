"""Rollouts to try things on, and what Hypothesis makes of them."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.looks import MOST, Arm, Counted, Event, Look, Timings
from drystone.l50_orchestrator.rollout.machine import Order, State
from drystone.l50_orchestrator.rollout.plan import Plan, Step, Watch

Input = Look | Order

HOLD = timedelta(minutes=5)
BOUNDS = tuple(timedelta(milliseconds=one) for one in (10, 100, 1000))


def look(minute: float, canary: tuple[int, int], stable: tuple[int, int]) -> Look:
    """A look at errors, each side as how many there were and how many of them were bad."""
    return Look(
        at=timedelta(minutes=minute), counts={"errors": Counted(Arm(*canary), Arm(*stable))}
    )


def follow(state: State, *inputs: Input) -> State:
    """Put inputs in, one after the other."""
    for one in inputs:
        state = (
            machine.ordered(state, one) if isinstance(one, Order) else machine.looked(state, one)
        )
    return state


def order(verb: machine.Verb, minute: float = 0) -> Order:
    return Order(timedelta(minutes=minute), verb, "ann")


times = st.timedeltas(timedelta(days=-1), timedelta(days=30))


@st.composite
def arms(draw: st.DrawFn) -> Arm:
    n = draw(st.integers(0, 40) | st.integers(0, 10**9) | st.just(MOST))
    return Arm(n, draw(st.sampled_from((0, 0, min(n, 3), n // 100, n)) | st.integers(0, n)))


counted = st.builds(Counted, arms(), arms())


@st.composite
def timings(draw: st.DrawFn) -> Timings:
    classes = st.tuples(*[st.integers(0, 500)] * (len(BOUNDS) + 1))
    return Timings(BOUNDS, draw(classes), draw(classes))


looks = st.builds(
    Look,
    at=times,
    counts=st.dictionaries(st.sampled_from(("errors", "restarts")), counted),
    timings=st.none() | timings(),
    requests=st.none() | counted,
    events=st.lists(
        st.builds(Event, times, st.just("errors"), st.text(max_size=9)), max_size=3
    ).map(tuple),
)
orders = st.builds(
    Order, times, st.sampled_from(("promote", "pause", "resume", "abort")), st.text(max_size=5)
)
inputs = st.lists(looks | looks | looks | orders, max_size=12)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    shares = draw(st.sets(st.floats(0.001, 0.999), max_size=3))
    steps = (*(Step(share, HOLD) for share in sorted(shares)), Step(1.0))
    watch = Watch(
        tolerate=draw(st.sampled_from((1.0, 1.5, 10.0))),
        on_alarm=draw(st.sampled_from(("rollback", "pause"))),
        quiet=draw(st.sampled_from(("promote", "hold"))),
        early=draw(st.booleans()),
        budget=draw(st.sampled_from((None, 0.001, 0.5))),
    )
    return Plan(steps=steps, watch=watch)
