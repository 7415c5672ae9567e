"""What is kept of a rollout, to be shown: how the evidence grew, what it grew from, and examples."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from drystone.l50_orchestrator.rollout.looks import Event, Look
from drystone.l50_orchestrator.rollout.standing import Finding

MOST_POINTS = 512
MOST_EXAMPLES = 50


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of the curve.

    Attributes:
        at: Since the rollout began.
        share: Of the canary when it was looked.
        evidence: That the canary is worse, a natural logarithm.
        by_metric: The same of each metric alone.
        good: That it is not much worse.
        bad: How many on the canary and on stable were bad since the look before, by metric.
    """

    at: timedelta
    share: float
    evidence: float
    by_metric: dict[str, float]
    good: float
    bad: dict[str, tuple[int, int]]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept.

    Attributes:
        curve: In the order of the looks. Where there were more than :data:`MOST_POINTS`, every second is left out, and so on;
            the last one is always there, and the counts of what is left out are in the point that follows.
        highest: The highest evidence of all looks.
        examples: The first bad events of each metric, in their order.
    """

    curve: tuple[Point, ...] = ()
    highest: float = 0.0
    examples: tuple[Event, ...] = ()

    def after(self, look: Look, share: float, finding: Finding) -> Evidence:
        """Return what is kept after one more look."""
        bad = {metric: (one.canary.bad, one.stable.bad) for metric, one in look.counts.items()}
        point = Point(
            at=look.at,
            share=share,
            evidence=finding.evidence,
            by_metric=finding.by_metric,
            good=finding.good,
            bad=bad,
        )
        return Evidence(
            curve=_thinned((*self.curve, point)),
            highest=max(self.highest, finding.evidence),
            examples=_first((*self.examples, *look.events)),
        )

    def with_events(self, events: tuple[Event, ...]) -> Evidence:
        """Return what is kept after some events more."""
        return msgspec.structs.replace(self, examples=_first((*self.examples, *events)))


def _thinned(curve: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(curve) <= MOST_POINTS:
        return curve
    *pairs, last = curve  # an even number of them, since the bound is even and one was too many
    return (*(_both(*pairs[at : at + 2]) for at in range(0, len(pairs), 2)), last)


def _both(first: Point, second: Point) -> Point:
    bad = dict(second.bad)
    for metric, (canary, stable) in first.bad.items():
        more = bad.get(metric, (0, 0))
        bad[metric] = (canary + more[0], stable + more[1])
    return msgspec.structs.replace(second, bad=bad)


def _first(events: tuple[Event, ...]) -> tuple[Event, ...]:
    kept: list[Event] = []
    room: dict[str, int] = {}
    for event in events:
        room[event.metric] = room.get(event.metric, 0) + 1
        if room[event.metric] <= MOST_EXAMPLES:
            kept.append(event)
    return tuple(kept)
