"""How many instances a group should have: laws, and the course of whole days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drystone.l25_deployer.scaling.decision import (
    TOLERANCE,
    Bounds,
    Course,
    Decision,
    Metric,
    decide,
    wanted_by,
)

HOUR = Bounds(2, 20, timedelta(seconds=60))
VALUES = st.one_of(st.none(), st.floats(0, 1e6))


def metric(value: float | None, aim: float = 50, **more: float) -> Metric:
    return Metric("requests", aim, value, f"requests {value} of {aim}", **more)


@st.composite
def bounds(draw: st.DrawFn) -> Bounds:
    least = draw(st.integers(1, 30))
    return Bounds(
        least, least + draw(st.integers(0, 30)), timedelta(seconds=draw(st.integers(0, 600)))
    )


@st.composite
def metrics(draw: st.DrawFn) -> list[Metric]:
    return [
        Metric(
            f"m{i}",
            draw(st.floats(0.01, 1000)),
            draw(VALUES),
            "",
            draw(st.one_of(st.none(), st.floats(0.1, 1000))),
            draw(st.one_of(st.none(), st.floats(1, 4))),
        )
        for i in range(draw(st.integers(0, 4)))
    ]


@given(bounds(), metrics(), st.integers(0, 80), st.integers(0, 80), st.floats(0, 1e6))
def test_the_number_stays_between_its_bounds(
    given_bounds: Bounds, seen: list[Metric], count: int, measured: int, now: float
) -> None:
    made = decide(
        given_bounds,
        seen,
        count=count,
        measured=min(count, measured),
        course=Course(0.0, ((0.0, 3),)),
        now=now,
    )
    assert given_bounds.least <= made.count <= given_bounds.most


@given(bounds(), metrics(), st.integers(0, 30), st.floats(0, 1e6))
def test_of_several_metrics_the_one_that_wants_most_wins(
    given_bounds: Bounds, seen: list[Metric], more: int, now: float
) -> None:
    count = min(given_bounds.least + more, given_bounds.most)

    def made(some: list[Metric]) -> int:
        course = Course(now)
        return decide(given_bounds, some, count=count, measured=count, course=course, now=now).count

    assert made(seen) >= max([made([one]) for one in seen if one.value is not None], default=0)


@given(bounds(), metrics(), st.integers(0, 30), st.integers(0, 60), st.floats(0, 1e6))
def test_no_instance_goes_while_something_is_not_known(
    given_bounds: Bounds, seen: list[Metric], more: int, measured: int, now: float
) -> None:
    count = min(given_bounds.least + more, given_bounds.most)
    measured = min(measured, count)
    made = decide(
        given_bounds,
        seen,
        count=count,
        measured=measured,
        course=Course(now - 1e5, ((now - 1, 1),)),
        now=now,
    )
    assert set(made.unknown) == {one.name for one in seen if one.value is None}
    if made.unknown or measured < count or not seen:
        assert made.count >= count


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 100), st.floats(0.01, 1e4))
def test_a_higher_value_never_wants_fewer(
    one: float, other: float, measured: int, aim: float
) -> None:
    low, high = sorted((one, other))
    # What is near enough to the aim wants as many as there are, a little less than it might.
    slack = TOLERANCE * measured + 1
    wanted = [wanted_by(metric(value, aim), measured) or 0 for value in (low, high)]
    assert wanted[0] <= wanted[1] + slack


@example([110.0, 0.0], 1)
@given(st.lists(st.floats(0, 500), min_size=2, max_size=300), st.integers(0, 120))
def test_within_a_cooldown_nothing_goes_that_was_wanted_in_it(
    loads: list[float], cooldown: int
) -> None:
    given_bounds = msgspec.structs.replace(HOUR, cooldown=timedelta(seconds=cooldown))
    count, course, wants, changes = 2, Course(0.0), list[int](), list[tuple[int, int]]()
    for now, load in enumerate(loads):
        shown = metric(load / count)
        wants.append(wanted_by(shown, count) or 0)
        made = decide(
            given_bounds, [shown], count=count, measured=count, course=course, now=float(now)
        )
        if made.count < count:
            assert made.count >= min(20, max(wants[max(0, now - cooldown) :]))
            assert made.count >= count // 2
            assert all(now - when >= cooldown for when, _ in changes)
        if made.count != count:
            changes.append((now, made.count))
        count, course = made.count, made.course


def played(load: Callable[[int], float], seconds: int, given_bounds: Bounds = HOUR) -> list[int]:
    """Let a load meet instances that each take 50 a second at their aim; return how many there were."""
    count, course, numbers = given_bounds.least, Course(0.0), []
    for now in range(seconds):
        made: Decision = decide(
            given_bounds,
            [metric(load(now) / count)],
            count=count,
            measured=count,
            course=course,
            now=float(now),
        )
        count, course = made.count, made.course
        numbers.append(count)
    return numbers


def test_a_step_is_followed_at_once_and_left_by_halves() -> None:
    numbers = played(lambda now: 900 if 10 <= now < 40 else 90, 300)
    assert numbers[:12] == [2] * 10 + [18, 18]
    assert numbers[99] == 18  # 60 s of calm begin at 40 s
    assert numbers[101:103] == [9, 9]
    assert sorted(set(numbers[100:])) == [2, 3, 5, 9]


def test_a_metric_that_flaps_keeps_the_number_at_its_highest() -> None:
    numbers = played(lambda now: 500 if now % 7 < 2 else 50, 600)
    assert set(numbers[8:]) == {10}


def test_what_is_near_enough_changes_nothing() -> None:
    assert set(played(lambda now: 100 + 9.9 * (-1) ** now, 300)) == {2}


def test_a_metric_at_its_ceiling_doubles_the_number() -> None:
    full = Metric("cpu", 0.7, 0.99, "cpu 99 % of 70 %", ceiling=1.0)
    made = decide(HOUR, [full], count=4, measured=4, course=Course(0.0), now=1.0)
    assert (made.count, made.reason, made.at_most) == (8, "cpu 99 % of 70 %", False)


def test_a_latency_at_most_doubles_it() -> None:
    slow = Metric("latency", 0.1, 9.0, "latency 9000 ms of 100 ms", most=2.0)
    assert decide(HOUR, [slow], count=3, measured=3, course=Course(0.0), now=1.0).count == 6


def test_more_than_there_may_be_is_told() -> None:
    made = decide(HOUR, [metric(90)], count=20, measured=20, course=Course(0.0), now=1.0)
    assert (made.count, made.at_most) == (20, True)


@pytest.mark.parametrize(("count", "brought"), [(1, 2), (40, 20)])
def test_a_number_beyond_its_bounds_is_brought_back_at_once(count: int, brought: int) -> None:
    made = decide(HOUR, [metric(None)], count=count, measured=0, course=Course(0.0), now=1.0)
    assert (made.count, made.reason) == (brought, "between 2 and 20")


def test_a_metric_that_came_back_is_watched_anew() -> None:
    course, fell = Course(0.0), []
    for now in range(120):
        value = None if now == 50 else 0.0
        made = decide(HOUR, [metric(value)], count=10, measured=10, course=course, now=now)
        course = made.course
        if made.count != 10:
            fell.append(now)
            break
    assert fell == [110]


@given(st.lists(st.floats(0, 500), max_size=400))
def test_what_is_remembered_is_bounded_by_the_numbers_there_may_be(loads: list[float]) -> None:
    course = Course(0.0)
    for now, load in enumerate(loads):
        made = decide(
            HOUR, [metric(load / 10)], count=10, measured=10, course=course, now=float(now)
        )
        course = made.course
        times, numbers = zip(*course.wanted, strict=True) if course.wanted else ((), ())
        assert list(times) == sorted(times)
        assert list(numbers) == sorted(numbers, reverse=True)
        assert len(numbers) == len(set(numbers))
