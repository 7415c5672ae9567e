"""What callers are told of releases that are tried beside the one that serves."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class CanaryView(msgspec.Struct, frozen=True):
    """A release that is tried beside the one that serves.

    Attributes:
        release: Its number.
        key: Of the deploy that brought it up; by it, it is shifted, settled or withdrawn.
        share: Of the requests that it gets, 0 to 1.
        cohort: What stays on one release: ``request`` (nothing), ``user``, ``tenant`` or ``visitor``.
        header: In which a request chooses ``canary`` or ``stable``; none can when None.
        since: When it was up.
    """

    release: int
    key: str
    share: float
    cohort: str
    header: str | None
    since: datetime


class Outcome(msgspec.Struct, frozen=True):
    """What became of an operation that was given a key.

    Attributes:
        state: ``unknown`` where none with this key ever began, or too long ago.
        release: Number of the release that it is about; 0 where there is none.
        detail: Why it failed or was withdrawn, or where it stands; empty where it serves.
    """

    state: Literal["unknown", "running", "holding", "serving", "failed", "withdrawn"]
    release: int = 0
    detail: str = ""


class Arm(msgspec.Struct, frozen=True):
    """What one of two releases answered since the other one is tried.

    Attributes:
        requests: Attempts that the proxy made to let it answer.
        errors: Answers of 5xx, and attempts that got none.
        times: How many answers took so long: one number for each class that the bounds of the signals part.
        restarts: Ends of its instances that nobody wanted.
        log_errors: Lines of its logs at the level error or above.
        calls: Calls of its own to services that it declares: those that were answered below 500, and those that failed and count.
        failed_calls: Those that failed and count: of one request one, as far as its calls carry a trace or its id on; of calls of the new
            release that carry neither on, one in a second to the same service.
        users_in_failed_call: How many users had a failed call, each counted once, on the release where the first one was; where users, tenants or
            visitors are told apart, and a call carries the trace or the id of its request on.
        users: How many users asked it, where users, tenants or visitors are told apart; of more than ten thousand, those of a sample.
        users_in_error: How many of them met an error, each counted once, on the release where that was.
        users_tried: How often one who had met none before asked, once a second at most.
        users_at_risk: How many asked within the last minute who had met none before it. It rises and falls.
        users_turned: Of the new release: how many got twenty good answers and no bad one of the release that serves, and since then five
            bad ones and no good one of this. It rises and falls.
        torn: Of those who got nothing but errors of the new release, five at least, and none of the one that serves: how many answers of
            this one each got since then, by a digest that is salted for each rollout; of 16 of them.
    """

    requests: int = 0
    errors: int = 0
    times: tuple[int, ...] = ()
    restarts: int = 0
    log_errors: int = 0
    calls: int = 0
    failed_calls: int = 0
    users_in_failed_call: int = 0
    users: int = 0
    users_in_error: int = 0
    users_tried: int = 0
    users_at_risk: int = 0
    users_turned: int = 0
    torn: dict[str, int] = {}


class Signals(msgspec.Struct, frozen=True):
    """Both releases, as they were counted since the new one is tried.

    Attributes:
        at: Since when, in seconds.
        stable: The release that serves.
        canary: The one that is tried.
        bounds: Upper bounds in seconds of all classes of ``times`` but the last, rising.
        events: Words of the latest things that went wrong with the new one, the latest last: failed attempts with method, path
            without its query, status and time, and lines of its log beside them, in which what looks like a secret is left out.
        unmeasured: By metric, why nothing is known of it.
        by: Who is told apart: ``user``, ``tenant``, ``visitor``, or ``request`` for nobody.
    """

    at: float
    stable: Arm
    canary: Arm
    bounds: tuple[float, ...] = ()
    events: tuple[str, ...] = ()
    unmeasured: dict[str, str] = {}
    by: str = "request"
