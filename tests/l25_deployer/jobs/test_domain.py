"""What becomes of a run, whatever happens to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.jobs.domain import (
    ENDED,
    Attempt,
    Run,
    attempt_over,
    begun,
    forgettable,
    next_up,
    stopping,
)
from drystone.l25_deployer.stacks.provided import BatchJob

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)


def a_run(number: int = 0, *, retries: int = 0) -> Run:
    limits = BatchJob(("true",), 1, 1024**2, 60, retries, 1, 5)
    return Run(
        id=f"r{number:03}",
        environment="dev",
        service="shop",
        job="report",
        command=("true",),
        by="tester",
        asked=AT + timedelta(seconds=number),
        limits=limits,
    )


def attempt(number: int) -> Attempt:
    return Attempt(f"i{number}", 1, "processes", AT)


@given(
    st.integers(0, 4),
    st.lists(st.one_of(st.none(), st.integers(0, 255)), max_size=12),
    st.one_of(st.none(), st.integers(0, 12)),
)
def test_a_run_is_tried_as_often_as_it_may_be_and_then_has_ended(
    retries: int, codes: list[int | None], stopped_at: int | None
) -> None:
    run = a_run(retries=retries)
    for number, code in enumerate(codes):
        if run.has_ended:
            break
        run = begun(run, attempt(number))
        if stopped_at == number:
            run = stopping(run, "enough")
        run = attempt_over(run, code=code, reason="it ended", at=AT)
        assert len(run.attempts) <= retries + 1
        assert all(one.ended is not None for one in run.attempts)
        assert (run.state == "succeeded") == (code == 0)
        if code != 0 and stopped_at == number:
            assert (run.state, run.reason) == ("stopped", "enough")
        elif code != 0:
            assert (run.state == "waiting") == (len(run.attempts) <= retries)


def test_a_run_that_waits_is_stopped_at_once_and_one_that_has_ended_stays_as_it_is() -> None:
    run = stopping(a_run(), "enough")
    assert (run.state, run.reason) == ("stopped", "enough")
    assert stopping(run, "again") == run
    over = attempt_over(begun(a_run(), attempt(0)), code=0, reason="", at=AT)
    assert stopping(over, "too late") == over


@given(
    st.lists(st.sampled_from(["waiting", "running", "succeeded", "failed"]), max_size=12),
    st.integers(1, 4),
)
def test_no_more_run_than_may_and_the_oldest_begin_first(states: list[str], parallel: int) -> None:
    runs = [_in(a_run(number), state) for number, state in enumerate(states)]
    chosen = next_up(reversed(runs), parallel)
    running = states.count("running")
    assert len(chosen) == min(states.count("waiting"), max(0, parallel - running))
    waiting = [run for run in runs if run.state == "waiting"]
    assert chosen == waiting[: len(chosen)]


@given(st.lists(st.sampled_from(["waiting", "running", "succeeded", "failed"]), max_size=12))
def test_only_the_oldest_that_have_ended_are_forgotten(states: list[str]) -> None:
    runs = [_in(a_run(number), state) for number, state in enumerate(states)]
    over = [run for run in runs if run.state in ENDED]
    assert forgettable(runs, 3) == over[: max(0, len(over) - 3)]


def _in(run: Run, state: str) -> Run:
    if state == "waiting":
        return run
    run = begun(run, attempt(0))
    if state == "running":
        return run
    return attempt_over(run, code=0 if state == "succeeded" else 1, reason="", at=AT)
