"""Whether a release may be brought up now, must wait, or never may: all that it waits for, in one pure function."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from drystone.l50_orchestrator.releases import windows

APPROVED_WITHIN = timedelta(days=7)
"""So long a release waits for approvals."""

WAITS_FOR_WORDS = "waits for the approval of "
"""How the reason begins why a release waits for people."""

_LONGEST = timedelta(hours=1)
_SHORTEST = timedelta(seconds=1)
"""Bounds of one wait. Whoever changes something tells the release, so that looking again only mends a lost word."""


class Approval(msgspec.Struct, frozen=True):
    """The word of one person.

    Attributes:
        by: Who.
        teams: That one's, when it was given.
        agrees: Yes or no.
        message: Why.
    """

    by: str
    teams: frozenset[str]
    agrees: bool
    message: str = ""


class Interval(msgspec.Struct, frozen=True):
    """A time in which something served; until now where ``until`` is None."""

    since: datetime
    until: datetime | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a release before it is brought up. All times are the database's.

    Attributes:
        now: The present.
        asked_at: When it was asked for.
        is_way_back: Whether it returns to a release that served: that waits for nothing.
        order: The last one that was given.
        after: The environment in which the same must have served; empty where in none.
        soak: For how long.
        served_there: When it did.
        approve: People and teams who must agree.
        approvals: Those who said something.
        windows: When it may be brought up.
        counted: The present as far as a soak goes, counted on since somebody first looked; ``now`` where it is None.
    """

    now: datetime
    asked_at: datetime
    is_way_back: bool = False
    order: Literal["", "promote", "pause", "resume", "abort"] = ""
    order_by: str = ""
    after: str = ""
    soak: timedelta | None = None
    served_there: tuple[Interval, ...] = ()
    approve: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()
    windows: tuple[windows.Window, ...] = ()
    counted: datetime | None = None


class Next(msgspec.Struct, frozen=True):
    """What follows.

    Attributes:
        what: Bring it up, look again, or end it.
        why: In words.
        within: When to look again at the latest.
        state: How it ends.
    """

    what: Literal["go", "wait", "end"]
    why: str = ""
    within: timedelta = _LONGEST
    state: Literal["refused", "aborted"] = "refused"


def weigh(facts: Facts) -> Next:
    """Tell what follows; of several reasons to wait, the first that somebody has to act on."""
    by = f" by {facts.order_by}" if facts.order_by else ""
    if facts.order == "abort":
        return Next("end", f"aborted{by} before anything was brought up", state="aborted")
    if facts.order == "pause":
        return Next("wait", f"paused{by}: resume it, or abort it")
    if facts.is_way_back:
        return Next("go")
    for step in (_there, _approved, _in_window):
        said = step(facts)
        if said is not None:
            return said
    return Next("go")


def missing(facts: Facts) -> tuple[str, ...]:
    """Return who must still agree."""
    yes = [one for one in facts.approvals if one.agrees]
    return tuple(
        name for name in facts.approve if not any(name == y.by or name in y.teams for y in yes)
    )


def soaked(served: tuple[Interval, ...], now: datetime) -> timedelta:
    """Return for how long something served in one piece: the longest time, or the present one."""
    lengths = [max(timedelta(), (one.until or now) - one.since) for one in served]
    return max(lengths, default=timedelta())


def _there(facts: Facts) -> Next | None:
    if not facts.after:
        return None
    if not facts.served_there:
        return Next(
            "end",
            f"the same release has not served in {facts.after}, which comes before: deploy it there, then promote it",
        )
    left = (facts.soak or timedelta()) - soaked(facts.served_there, facts.counted or facts.now)
    if left <= timedelta():
        return None
    if all(one.until is not None for one in facts.served_there):
        return Next(
            "end",
            f"it served in {facts.after} for less than {_said(facts.soak)} and serves there no more: promote what does",
        )
    return _wait(f"it has to serve in {facts.after} for another {_said(left)}", left)


def _approved(facts: Facts) -> Next | None:
    for one in facts.approvals:
        if not one.agrees:
            why = f": {one.message}" if one.message else ""
            return Next("end", f"rejected by {one.by}{why}")
    names = missing(facts)
    if not names:
        return None
    left = APPROVED_WITHIN - (facts.now - facts.asked_at)
    if left <= timedelta():
        return Next(
            "end", f"{', '.join(names)} did not agree within {_said(APPROVED_WITHIN)}: ask again"
        )
    return _wait(f"{WAITS_FOR_WORDS}{', '.join(names)}", left)


def _in_window(facts: Facts) -> Next | None:
    opens = windows.opens_at(facts.windows, facts.now)
    if opens == facts.now:
        return None
    if opens is None:
        return Next("end", "no window of deploy.windows ever opens: mend the descriptor")
    return _wait(
        f"waits for its window, which opens at {opens:%Y-%m-%d %H:%M} UTC", opens - facts.now
    )


def _wait(why: str, left: timedelta) -> Next:
    return Next("wait", why, min(max(left, _SHORTEST), _LONGEST))


def _said(length: timedelta | None) -> str:
    seconds = round((length or timedelta()).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} s"
