"""What is seen of both releases between two looks: counts, times of answers, and single events."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from drystone.l50_orchestrator.rollout.errors import ObservationUnfit

MOST = 2**53
"""Counts beyond this are not whole numbers any more where others read them as floating point."""

MOST_BOUNDS = 1_000
MOST_EVENTS = 100
MOST_TEXT = 500


class Arm(msgspec.Struct, frozen=True):
    """What one release did.

    Attributes:
        n: How many were counted: requests, users that had no error yet, instances.
        bad: How many of these were bad.
    """

    n: int = 0
    bad: int = 0

    def plus(self, other: Arm) -> Arm:
        """Return both together."""
        return Arm(self.n + other.n, self.bad + other.bad)


class Counted(msgspec.Struct, frozen=True):
    """One metric of both releases since the look before.

    Attributes:
        canary: What it did.
        stable: What the other one did.
        share: Where it is known apart from these counts: which part of those that might have been bad was the canary's, above 0,
            below 1. Errors would part so if both releases were equally good.
    """

    canary: Arm = Arm()
    stable: Arm = Arm()
    share: float | None = None

    def plus(self, other: Counted) -> Counted:
        """Return both together; the share is told of one look alone."""
        return Counted(self.canary.plus(other.canary), self.stable.plus(other.stable))


class Timings(msgspec.Struct, frozen=True):
    """How long answers took since the look before, as histograms over the same bounds.

    Attributes:
        bounds: The upper bounds of all classes but the last, which has none; rising.
        canary: How many answers are in each class; one more than bounds.
        stable: The same of the stable release.
    """

    bounds: tuple[timedelta, ...]
    canary: tuple[int, ...]
    stable: tuple[int, ...]


class Event(msgspec.Struct, frozen=True):
    """Something that happened on the canary, to be shown to people: a failed request, a restart, a line of a log.

    Attributes:
        at: Since the rollout began.
        metric: The metric that it counts for.
        text: What it was. Nothing secret.
    """

    at: timedelta
    metric: str
    text: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen since the look before.

    A look without counts and timings says that nothing could be read, which is not the same as counts of zero.

    Attributes:
        at: Since the rollout began, by the clock of whoever drives it.
        counts: By metric.
        timings: Of answers.
        requests: All requests and failures, whoever they came from: what an objective speaks of. None where there is none.
        events: Examples of what was bad on the canary.
        unmeasured: By metric that is to be watched, why nothing is known of it.
        turned: How many users were well on stable, and got nothing but errors since they are on the canary.
        crossed: Of those who got nothing but errors of the canary, and none of stable: good answers of stable and bad ones of the
            canary since then, by a digest.
    """

    at: timedelta
    counts: dict[str, Counted] = {}
    timings: Timings | None = None
    requests: Counted | None = None
    events: tuple[Event, ...] = ()
    unmeasured: dict[str, str] = {}
    turned: int = 0
    crossed: dict[str, tuple[int, int]] = {}

    @property
    def is_blind(self) -> bool:
        """Whether nothing could be read."""
        return not self.counts and self.timings is None and self.requests is None


def check(look: Look, metrics: frozenset[str]) -> None:
    """Hold a look against what can be.

    Raises:
        ObservationUnfit: A number is no count, more were bad than there were, a metric is not watched, a histogram does not
            fit its bounds, or an event says too much.
    """
    for metric in look.counts.keys() - metrics:
        raise ObservationUnfit(
            f"{metric!r} is not watched: count one of {', '.join(sorted(metrics))}"
        )
    all_requests = {} if look.requests is None else {"requests": look.requests}
    for metric, counted in [*look.counts.items(), *all_requests.items()]:
        for name, arm in (("canary", counted.canary), ("stable", counted.stable)):
            _check_arm(f"{metric} of {name}", arm)
        if counted.share is not None and not 0 < counted.share < 1:
            raise ObservationUnfit(
                f"{metric}: a share of {counted.share:g} is none between 0 and 1"
            )
    if look.timings is not None:
        _check_timings(look.timings)
    if len(look.events) > MOST_EVENTS:
        raise ObservationUnfit(f"{len(look.events)} events in one look: hand in {MOST_EVENTS}")
    for event in look.events:
        if len(event.text) > MOST_TEXT:
            raise ObservationUnfit(f"an event of {event.metric!r} is longer than {MOST_TEXT} signs")


def since(before: Arm, now: Arm) -> Arm:
    """Return what was counted between two readings of counters that only rise.

    A counter that fell was begun anew, by a restart of who counts; then all that it shows is since then.
    """
    if now.n < before.n or now.bad < before.bad:
        return now
    return Arm(now.n - before.n, now.bad - before.bad)


def _check_arm(what: str, arm: Arm) -> None:
    for number in (arm.n, arm.bad):
        _check_count(what, number)
    if arm.bad > arm.n:
        raise ObservationUnfit(
            f"{what}: {arm.bad} bad of {arm.n}; count each request, user or instance once"
        )


def _check_timings(timings: Timings) -> None:
    bounds = timings.bounds
    if not 0 < len(bounds) <= MOST_BOUNDS or list(bounds) != sorted(set(bounds)):
        raise ObservationUnfit(f"the bounds of timings must rise, and be 1 to {MOST_BOUNDS}")
    for name, classes in (("canary", timings.canary), ("stable", timings.stable)):
        if len(classes) != len(bounds) + 1:
            raise ObservationUnfit(
                f"timings of {name}: {len(classes)} classes for {len(bounds)} bounds; "
                "there is one more class than bounds"
            )
        for number in classes:
            _check_count(f"timings of {name}", number)


def _check_count(what: str, number: object) -> None:
    if not isinstance(number, int) or not 0 <= number <= MOST:
        raise ObservationUnfit(f"{what}: {number!r} is no count: hand in whole numbers from 0")
