"""What the pages show: plain data, wherever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from drystone.l25_deployer.api import (
    HistoryEvent,
    LogRecord,
    PlanChange,
    ServiceSummary,
    ServiceView,
)
from drystone.l35_mesh.observed.api import CallTimes

Verb = Literal["promote", "pause", "resume", "abort", "approve", "reject", "roll-back"]
VERBS: frozenset[Verb] = frozenset(
    ["promote", "pause", "resume", "abort", "approve", "reject", "roll-back"]
)


class Rolling(msgspec.Struct, frozen=True):
    """A release on its way.

    Attributes:
        id: Of the release; empty where it has no page.
        share: Of the traffic that the new release gets, 0 to 1; None where it is not there yet.
        state: What it does, in a word.
        version: What it is called.
    """

    id: str
    share: float | None
    state: str
    version: str = ""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Services of every environment.

    Attributes:
        services: Some of them, by environment and name.
        changed: The last change of each, by environment and name.
        rolling: What is on its way, likewise.
        next: Cursor of the next page; None on the last.
        problems: What is wrong with the platform.
        environment: Only this one is shown; all are where empty.
        search: Only what holds this in its name or owner is shown.
    """

    services: list[ServiceSummary]
    changed: Mapping[tuple[str, str], HistoryEvent] = {}
    rolling: Mapping[tuple[str, str], Rolling] = {}
    next: str | None = None
    problems: list[str] = []
    environment: str = ""
    search: str = ""


class Traffic(msgspec.Struct, frozen=True):
    """What the edge answered for one service.

    Attributes:
        since: From when on.
        requests: How many.
        errors: Answers of 5xx, and requests that got none.
        p50: Half of them took at most so long; None without requests.
        p95: So did 95 of 100.
        p99: So did 99 of 100.
    """

    since: datetime
    requests: int = 0
    errors: int = 0
    p50: timedelta | None = None
    p95: timedelta | None = None
    p99: timedelta | None = None


class ReleaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """A release as a line of a list.

    Attributes:
        id: Of its page.
        environment: Where.
        service: Which.
        version: What it is called.
        kind: A deploy, a way back, a promotion.
        state: Where it stands.
        by: Who wanted it.
        at: When.
        why: What they said.
    """

    id: str
    environment: str
    service: str
    version: str
    kind: str
    state: str
    by: str
    at: datetime
    why: str = ""


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """Some of all releases.

    Attributes:
        lines: Newest first.
        next: Cursor of those before these; None on the last page.
        environment: Only there.
        service: Only of this one.
        is_open: Only those that have not ended.
    """

    lines: list[ReleaseLine]
    next: str | None = None
    environment: str = ""
    service: str = ""
    is_open: bool = False


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service.

    Attributes:
        view: What the deployer tells.
        history: What happened, newest first.
        traffic: What the edge answered for it; None where nobody can say.
        calls: Calls to it and by it, as the proxies time them.
        rolling: What is on its way.
        releases: As the orchestrator recorded them, newest first; empty where it is off.
        may_roll_back: Whether there is somebody to ask for the way back.
        drift: Sentences on what serves and should not.
    """

    view: ServiceView
    history: list[HistoryEvent]
    traffic: Traffic | None = None
    calls: list[CallTimes] = []
    rolling: Rolling | None = None
    releases: list[ReleaseLine] = []
    may_roll_back: bool = False
    drift: list[str] = []


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of a service.

    Attributes:
        environment: Where.
        service: Which.
        records: The lines.
        group: Only this one is shown; all are where empty.
        groups: Those that there are.
        lines: How many of each instance.
    """

    environment: str
    service: str
    records: list[LogRecord]
    group: str = ""
    groups: tuple[str, ...] = ()
    lines: int = 200


class Point(msgspec.Struct, frozen=True):
    """One look at a rollout.

    Attributes:
        at: Since it began.
        share: Of the traffic that the new release gets, 0 to 1.
        evidence: That it is worse, a natural logarithm.
        good: That it is not much worse, likewise.
    """

    at: timedelta
    share: float
    evidence: float
    good: float


class Turn(msgspec.Struct, frozen=True):
    """A change of a rollout, and why; share and phase where they are known."""

    at: timedelta
    why: str
    phase: str = ""
    share: float | None = None


class Counts(msgspec.Struct, frozen=True):
    """What was counted of one metric: how many, and how many of these were bad."""

    metric: str
    canary: int
    canary_bad: int
    stable: int
    stable_bad: int


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout as a picture.

    Attributes:
        points: In the order of the looks.
        turns: What happened.
        alarm: From here on it is proven bad, a natural logarithm.
        proof: From here on it is proven good, likewise; None where that is not known.
        phase: What it does.
        share: Of the traffic that the new release gets now.
        at: How long it has lasted.
        counts: Of each metric, so far.
        events: Examples of what went wrong.
        unmeasured: By metric, why nothing is known of it.
    """

    points: tuple[Point, ...]
    turns: tuple[Turn, ...] = ()
    alarm: float
    proof: float | None = None
    phase: str
    share: float
    at: timedelta
    counts: tuple[Counts, ...] = ()
    events: tuple[str, ...] = ()
    unmeasured: tuple[tuple[str, str], ...] = ()


class Step(msgspec.Struct, frozen=True):
    """A step of a release."""

    name: str
    state: str
    text: str = ""
    at: datetime | None = None
    seconds: float | None = None


class Judged(msgspec.Struct, frozen=True):
    """What a policy or the dependency check says of a release.

    Attributes:
        policy: Which.
        effect: ``refuse``, ``warn``, ``excepted`` or ``note``.
        text: What is wrong and what to do.
        line: Of the descriptor; 0 when it is about no line.
        exception: Whose exception, and until when.
    """

    policy: str
    effect: str
    text: str
    line: int = 0
    exception: str = ""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release.

    Attributes:
        line: The same as in lists.
        ended: When it was over; None while it is not.
        outcome: How it ended, in words.
        artefact: Digest of what it runs.
        steps: What was done.
        changes: What it changes, field by field.
        findings: What was said about it.
        descriptor: Its lines, for the changes and findings that name one.
        curve: Its rollout; None where it has none.
        verbs: What can be done about it now.
    """

    line: ReleaseLine
    ended: datetime | None = None
    outcome: str = ""
    artefact: str = ""
    steps: list[Step] = []
    changes: list[PlanChange] = []
    findings: list[Judged] = []
    descriptor: str = ""
    curve: Curve | None = None
    verbs: tuple[Verb, ...] = ()


class Waiting(msgspec.Struct, frozen=True):
    """A release that waits for somebody to approve it."""

    line: ReleaseLine
    since: datetime
    reason: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A line of the audit log."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    fields: Mapping[str, str] = {}


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the audit log.

    Attributes:
        entries: Newest first.
        next: Cursor of the page before these; None on the last.
        actor: Only what this one did.
        action: Only this.
        subject: Only what was done to this.
    """

    entries: list[Entry]
    next: str | None = None
    actor: str = ""
    action: str = ""
    subject: str = ""
