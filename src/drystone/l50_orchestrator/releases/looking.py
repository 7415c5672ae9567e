"""From what a target counted to looks of a rollout. Pure.

A target counts from the rollout's beginning; a look has what came since the one before. Errors count once for each user where the
plan says so and the target tells users apart; how many requests there were stays the measure of how much each side was tried.
Restarts are held against time, which passes for both sides alike, whatever their share of the traffic.
"""

from __future__ import annotations

from datetime import timedelta

from drystone.l50_orchestrator.rollout import looks
from drystone.l50_orchestrator.rollout.looks import Counted, Event, Look, Timings
from drystone.l50_orchestrator.rollout.plan import ERRORS, SLOW, Plan
from drystone.l50_orchestrator.target import Arm, Signals

NOTHING = Signals(timedelta(), Arm(), Arm())


def look_of(plan: Plan, before: Signals, now: Signals) -> Look:
    """Return what came between two readings.

    Args:
        plan: What is watched.
        before: The reading of the look before.
        now: The present one. Counters that fell were begun anew.
    """
    watched = plan.watch.weights
    length = max(1, round((now.at - before.at).total_seconds()))
    stable, canary = _since(before.stable, now.stable), _since(before.canary, now.canary)
    by_user = plan.watch.by != "request" and now.canary.users + now.stable.users > 0
    counts = {}
    if ERRORS in watched:
        counts[ERRORS] = Counted(_errors(canary, by_user=by_user), _errors(stable, by_user=by_user))
    if "restarts" in watched:
        tried = length + max(canary.restarts, stable.restarts)
        counts["restarts"] = Counted(
            looks.Arm(tried, canary.restarts), looks.Arm(tried, stable.restarts)
        )
    if "log-errors" in watched:
        counts["log-errors"] = Counted(
            _part(canary, canary.log_errors), _part(stable, stable.log_errors)
        )
    return Look(
        at=now.at,
        counts=counts,
        timings=_timings(now.bounds, canary, stable) if SLOW in watched else None,
        requests=Counted(_part(canary, canary.errors), _part(stable, stable.errors)),
        events=_events(before, now),
    )


def _since(before: Arm, now: Arm) -> Arm:
    """Return what was counted between two readings of one side."""
    if now.requests < before.requests or now.restarts < before.restarts:
        return now
    times = now.times
    if len(before.times) == len(now.times):
        times = tuple(max(0, b - a) for a, b in zip(before.times, now.times, strict=True))
    return Arm(
        requests=now.requests - before.requests,
        errors=max(0, now.errors - before.errors),
        times=times,
        restarts=now.restarts - before.restarts,
        log_errors=max(0, now.log_errors - before.log_errors),
        dependency_errors=max(0, now.dependency_errors - before.dependency_errors),
        users=max(0, now.users - before.users),
        users_in_error=max(0, now.users_in_error - before.users_in_error),
    )


def _errors(arm: Arm, *, by_user: bool) -> looks.Arm:
    return _part(arm, arm.users_in_error if by_user else arm.errors)


def _part(arm: Arm, bad: int) -> looks.Arm:
    return looks.Arm(arm.requests, min(bad, arm.requests))


def _timings(bounds: tuple[timedelta, ...], canary: Arm, stable: Arm) -> Timings | None:
    classes = len(bounds) + 1
    if not bounds or len(canary.times) != classes or len(stable.times) != classes:
        return None
    return Timings(bounds, canary.times, stable.times)


def _events(before: Signals, now: Signals) -> tuple[Event, ...]:
    """Return the events that the reading before did not have."""
    known = set(before.events)
    new = [text for text in now.events if text not in known]
    return tuple(
        Event(now.at, ERRORS, text[: looks.MOST_TEXT]) for text in new[-looks.MOST_EVENTS :]
    )
