"""From what a target counted to looks of a rollout. Pure.

A target counts from the rollout's beginning; a look has what came since the one before. Errors count once for each user where the
plan says so and the target tells users apart; then errors would part as those users do who had met none, if both releases were
equally good. Lines of logs name nobody, so that one user can write as many as there are: where users count they do not.
Of calls that a release makes itself, a user's first one that fails counts then, as far as the target knows whose they are. Where requests count, calls are held against
calls: a release may call without being asked, as often at a share of nothing as at a half. Where the old release calls nobody, each of its requests stands for a
call that went well.
Restarts are held against time, which passes for both sides alike, whatever their share of the traffic.
"""

from __future__ import annotations

from datetime import timedelta

from drystone.l50_orchestrator.rollout import looks
from drystone.l50_orchestrator.rollout.looks import Counted, Event, Look, Timings
from drystone.l50_orchestrator.rollout.plan import (
    DEPENDENCY_ERRORS,
    ERRORS,
    LOG_ERRORS,
    SLOW,
    Plan,
)
from drystone.l50_orchestrator.target import Arm, Signals

NAMELESS = "lines of logs name nobody, and errors are counted by {}"

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
    by_user = plan.watch.by != "request" and now.by != "request"
    unmeasured = {one: why for one, why in now.unmeasured.items() if one in watched}
    if by_user and LOG_ERRORS in watched:
        unmeasured[LOG_ERRORS] = NAMELESS.format(plan.watch.by)
    counts = {}
    at_risk = _at_risk(now.canary, now.stable)
    if ERRORS in watched and by_user:
        counts[ERRORS] = Counted(_users(canary), _users(stable), at_risk)
    elif ERRORS in watched:
        counts[ERRORS] = Counted(_part(canary, canary.errors), _part(stable, stable.errors))
    if "restarts" in watched:
        tried = length + max(canary.restarts, stable.restarts)
        counts["restarts"] = Counted(
            looks.Arm(tried, canary.restarts), looks.Arm(tried, stable.restarts)
        )
    if LOG_ERRORS in watched and LOG_ERRORS not in unmeasured:
        counts[LOG_ERRORS] = Counted(
            _part(canary, canary.log_errors), _part(stable, stable.log_errors)
        )
    if DEPENDENCY_ERRORS in watched and DEPENDENCY_ERRORS not in unmeasured and by_user:
        counts[DEPENDENCY_ERRORS] = Counted(_callers(canary), _callers(stable), at_risk)
    elif DEPENDENCY_ERRORS in watched and DEPENDENCY_ERRORS not in unmeasured:
        beside = _calls(stable) if now.stable.calls else looks.Arm(stable.requests)
        counts[DEPENDENCY_ERRORS] = Counted(_calls(canary), beside)
    return Look(
        at=now.at,
        counts=counts,
        timings=_timings(now.bounds, canary, stable) if SLOW in watched else None,
        requests=Counted(_part(canary, canary.errors), _part(stable, stable.errors)),
        events=_events(before, now),
        unmeasured=unmeasured,
        turned=now.canary.users_turned if by_user else 0,
        crossed=_crossed(now) if by_user else {},
    )


def _since(before: Arm, now: Arm) -> Arm:
    """Return what was counted between two readings of one side."""
    if now.requests < before.requests or now.restarts < before.restarts:
        return now
    times = now.times
    if len(before.times) == len(now.times):
        risen = tuple(b - a for a, b in zip(before.times, now.times, strict=True))
        times = risen if min(risen, default=0) >= 0 else now.times
    return Arm(
        requests=now.requests - before.requests,
        errors=max(0, now.errors - before.errors),
        times=times,
        restarts=now.restarts - before.restarts,
        log_errors=max(0, now.log_errors - before.log_errors),
        calls=max(0, now.calls - before.calls),
        dependency_errors=max(0, now.dependency_errors - before.dependency_errors),
        users_in_failed_call=max(0, now.users_in_failed_call - before.users_in_failed_call),
        users=max(0, now.users - before.users),
        users_in_error=max(0, now.users_in_error - before.users_in_error),
        users_tried=max(0, now.users_tried - before.users_tried),
        users_at_risk=now.users_at_risk,
    )


def _calls(arm: Arm) -> looks.Arm:
    return looks.Arm(max(arm.calls, arm.dependency_errors), arm.dependency_errors)


def _callers(arm: Arm) -> looks.Arm:
    return looks.Arm(max(arm.users_tried, arm.users_in_failed_call), arm.users_in_failed_call)


def _users(arm: Arm) -> looks.Arm:
    return looks.Arm(max(arm.users_tried, arm.users_in_error), arm.users_in_error)


def _at_risk(canary: Arm, stable: Arm) -> float | None:
    """Return the canary's part of the users who may still meet a first error."""
    both = canary.users_at_risk + stable.users_at_risk
    return canary.users_at_risk / both if canary.users_at_risk and stable.users_at_risk else None


def _crossed(now: Signals) -> dict[str, tuple[int, int]]:
    """Return what those got of both since, who get nothing but errors of the canary."""
    stable, canary = now.stable.torn, now.canary.torn
    return {who: (stable.get(who, 0), bad) for who, bad in canary.items()}


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
        Event(now.at, _kind(text), text[: looks.MOST_TEXT]) for text in new[-looks.MOST_EVENTS :]
    )


def _kind(text: str) -> str:
    """Part lines of logs and sums from failed requests: of each kind so many are kept, and none is to push out another."""
    if " log: " in text[:20]:
        return LOG_ERRORS
    if " its call to " in text[:30] or text.endswith(" more of its calls failed"):
        return DEPENDENCY_ERRORS
    return "attempts" if text.endswith("attempts at it failed") else ERRORS
