"""Decide how many instances a group should have: target tracking, at once upwards and slowly downwards.

Each metric says by itself how many instances would bring its value to its aim; the one that wants most wins. It is the
rule of Kubernetes' horizontal autoscaler (https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/),
with three differences: a metric at its ceiling doubles the number, since what is hidden behind a ceiling is not known; a latency
at most doubles it, since times do not fall in proportion; and what is given back at once is never more than half.

A number falls only after a whole cool-down in which nothing changed, every metric was known, and fewer were enough at every
look. So a metric that flaps keeps the number at its highest, and one that disappears holds it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

import msgspec

TOLERANCE = 0.1
"""How far a value may be from its aim, as a share of that, without anything being done."""

NEAR_CEILING = 0.95

_ROUNDING = 1e-9


class Bounds(msgspec.Struct, frozen=True):
    """Between which numbers, and how quickly downwards.

    Attributes:
        least: Fewest instances, 1 or more.
        most: Most instances, ``least`` or more.
        cooldown: How long fewer must be enough before instances go.
    """

    least: int
    most: int
    cooldown: timedelta


class Metric(msgspec.Struct, frozen=True):
    """What one metric shows now.

    Attributes:
        name: What is measured.
        aim: The value to aim at, for each instance.
        value: The mean of the instances that were measured; None when it is not known.
        text: Value and aim for people, such as ``cpu 91 % of 70 %``.
        ceiling: The value that it cannot pass; None when there is none.
        most: By which factor it may raise the number at most; None when there is none.
    """

    name: str
    aim: float
    value: float | None
    text: str
    ceiling: float | None = None
    most: float | None = None


class Course(msgspec.Struct, frozen=True):
    """What was decided lately.

    Attributes:
        since: Seconds of a monotonic clock at which the cool-down began that goes on.
        wanted: The highest numbers that were wanted since, as pairs of a time and a number: times rise, numbers fall.
    """

    since: float
    wanted: tuple[tuple[float, int], ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """How many there should be.

    Attributes:
        count: The number.
        reason: Why, for people; empty when nothing changes and there is nothing to tell.
        course: For the next decision.
        at_most: Whether more are wanted than there may be.
        unknown: Metrics of which nothing is known.
    """

    count: int
    reason: str
    course: Course
    at_most: bool = False
    unknown: tuple[str, ...] = ()


def wanted_by(metric: Metric, measured: int) -> int | None:
    """Return how many instances a metric wants; None when it is not known.

    Args:
        metric: What it shows.
        measured: Of how many instances, 1 or more.
    """
    if metric.value is None:
        return None
    ratio = metric.value / metric.aim
    if abs(ratio - 1) <= TOLERANCE:
        return measured
    wanted = measured * ratio
    if metric.ceiling is not None and metric.value >= metric.ceiling * NEAR_CEILING and ratio > 1:
        wanted = max(wanted, 2 * measured)
    if metric.most is not None:
        wanted = min(wanted, measured * metric.most)
    return max(1, math.ceil(wanted - _ROUNDING))


def decide(
    bounds: Bounds,
    metrics: Sequence[Metric],
    *,
    count: int,
    measured: int,
    course: Course,
    now: float,
) -> Decision:
    """Decide how many instances there should be.

    Args:
        bounds: Between which numbers.
        metrics: What is measured of them.
        count: How many there are, those that are not ready yet among them.
        measured: How many of them the metrics tell of; the rest is about to be ready.
        course: What was decided before.
        now: Seconds of the clock of the course.
    """
    unknown = tuple(one.name for one in metrics if one.value is None)
    if not bounds.least <= count <= bounds.most:
        nearest = min(max(count, bounds.least), bounds.most)
        return Decision(
            nearest, f"between {bounds.least} and {bounds.most}", Course(now), False, unknown
        )
    votes = [
        (wanted, one)
        for one in metrics
        if measured and (wanted := wanted_by(one, measured)) is not None
    ]
    if not votes:
        return Decision(count, "", Course(now), False, unknown)
    wanted, cause = max(votes, key=lambda vote: vote[0])
    if wanted > count:
        up = min(wanted, bounds.most)
        changed = _begun(now, up) if up > count else _seen(course, now, wanted, bounds)
        return Decision(up, cause.text, changed, wanted > bounds.most, unknown)
    if unknown or measured < count:  # of the rest nobody knows whether fewer are enough
        return Decision(count, "", Course(now), False, unknown)
    seen = _seen(course, now, wanted, bounds)
    enough = max(number for _, number in seen.wanted)
    if now - seen.since < bounds.cooldown.total_seconds() or enough >= count:
        return Decision(count, "", seen, False, unknown)
    down = max(enough, bounds.least, (count + 1) // 2)
    changed = _begun(now, wanted) if down < count else seen
    return Decision(down, cause.text, changed, False, unknown)


def _begun(now: float, wanted: int) -> Course:
    """Begin a cool-down with what is wanted at that moment."""
    return Course(now, ((now, wanted),))


def _seen(course: Course, now: float, wanted: int, bounds: Bounds) -> Course:
    """Note what is wanted now, and forget what was before the cool-down."""
    wanted = min(wanted, bounds.most)
    oldest = now - bounds.cooldown.total_seconds()
    kept = [(at, number) for at, number in course.wanted if at >= oldest and number > wanted]
    return Course(course.since, (*kept, (now, wanted)))
