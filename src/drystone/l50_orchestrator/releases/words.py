"""What the keeper of releases is told, and what it tells."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import msgspec

from drystone.l25_deployer.api import PlanView
from drystone.l50_orchestrator.ports import Finding

Kind: TypeAlias = Literal["deploy", "promotion", "rollback", "adopted"]
State: TypeAlias = Literal[
    "queued",
    "waiting",
    "starting",
    "rolling",
    "settling",
    "withdrawing",
    "served",
    "failed",
    "refused",
    "aborted",
    "rolled-back",
]
Verb: TypeAlias = Literal["promote", "pause", "resume", "abort"]


class ReleaseSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a history.

    Attributes:
        id: Unique for all time; the key under which the target knows the release.
        number: In the order of the service's releases in this environment, from 1 on.
        environment: Where.
        service: Which.
        team: Who owned it then.
        kind: A deploy, a promotion, a way back, or what a target had and the record lacked.
        origin: Id of the release whose code and configuration it brings: its own, unless it is a promotion or a way back.
        version: What it is called.
        state: How far it is, or how it ended: ``served`` is the good end.
        why: Why it is in this state.
        author: Who wanted it.
        message: What for.
        asked_at: When.
        ended_at: When it ended; None while it has not.
        is_serving: Whether it serves now.
        is_kept: Whether somebody can return to it.
    """

    id: str
    number: int
    environment: str
    service: str
    team: str
    kind: Kind
    origin: str
    version: str
    state: State
    why: str
    author: str
    message: str
    asked_at: datetime
    ended_at: datetime | None
    is_serving: bool
    is_kept: bool


class Happened(msgspec.Struct, frozen=True):
    """One thing that happened to a release.

    Attributes:
        number: Rises; where to go on reading.
        at: When, by the clock of the database.
        step: As the target names its steps, or one of ``admit``, ``wait``, ``rollout``, ``order``, ``approval``, ``end``.
        state: ``began``, ``ended``, ``failed`` or ``info``.
        text: For people.
    """

    number: int
    at: datetime
    step: str
    state: str
    text: str


class ApprovalView(msgspec.Struct, frozen=True):
    """The word of one person."""

    by: str
    agrees: bool
    message: str
    at: datetime


class CurvePoint(msgspec.Struct, frozen=True):
    """One look of a rollout.

    Attributes:
        at: Since the rollout began.
        share: Of the traffic that the new release had.
        evidence: That it is worse, a natural logarithm; the rollout goes back at ``alarm``.
        good: That it is not much worse, likewise.
        bad: By metric, how many on the new release and on the old one were bad since the point before.
    """

    at: timedelta
    share: float
    evidence: float
    good: float
    bad: dict[str, tuple[int, int]]


class RolloutView(msgspec.Struct, frozen=True, kw_only=True):
    """A progressive rollout, with its evidence.

    Attributes:
        phase: ``rising``, ``held``, ``paused``, ``alarmed``, ``promoted``, ``rolled-back`` or ``aborted``.
        share: Of the traffic that the new release is to have.
        step: Which step, from 1 on.
        steps: How many there are.
        verdict: What is known of it: ``quiet``, ``good`` or ``bad``.
        why: Why it is as it is.
        alarm: The evidence that proves a release bad, a natural logarithm.
        proof: What ``good`` must reach for it to be proven good, likewise.
        turns: What happened: how long after the beginning, and why.
        curve: The looks, thinned where there are many.
        examples: Things that went wrong on the new release.
        counted: By metric: bad and all on the new release, bad and all on the old one.
        by: Of what these are: ``request``, or ``user``, ``tenant`` or ``visitor``.
        unmeasured: By metric that is to be watched, why nothing is known of it.
    """

    phase: str
    share: float
    step: int
    steps: int
    verdict: str
    why: str
    alarm: float
    proof: float
    turns: list[tuple[timedelta, str]]
    curve: list[CurvePoint]
    examples: list[str]
    counted: dict[str, tuple[int, int, int, int]]
    by: str = "request"
    unmeasured: dict[str, str] = {}


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True):
    """All that is recorded of a release.

    Attributes:
        summary: One line of it.
        descriptor: The text.
        descriptor_digest: SHA-256 of it.
        file: What the descriptor's file was called.
        artefact: Digest of what it runs, as the target told it; empty while it is not known.
        stacks: What the descriptor says for this environment, compiled: resources, configuration, instances, surroundings, route.
        plan: What it was to change; None where it was not planned.
        findings: What policies said.
        approve: Who has to agree.
        approvals: Who said what.
        at_target: The target's number of it; 0 where the target has none.
        before: Id of the release that served when this one was brought up; empty where none did.
        rest: Environments that follow by themselves.
        steps: When each step began or ended, and the like.
        rollout: How a progressive one went.
    """

    summary: ReleaseSummary
    descriptor: str
    descriptor_digest: str
    file: str
    artefact: str
    stacks: dict[str, Any]
    plan: PlanView | None
    findings: list[Finding]
    approve: list[str]
    approvals: list[ApprovalView]
    at_target: int
    before: str
    rest: list[str]
    steps: list[Happened]
    rollout: RolloutView | None


class Difference(msgspec.Struct, frozen=True):
    """One field in which two releases differ.

    Attributes:
        path: Stack and field, or ``code``, ``version``, ``environment``.
        old: Its value in the first, as text; None where it has none.
        new: Its value in the second, likewise.
    """

    path: str
    old: str | None
    new: str | None


class Disagreement(msgspec.Struct, frozen=True):
    """A service of which target and record say different things. Nothing is done about it by itself.

    Attributes:
        service: Which.
        recorded: Id of the release that serves by the record; empty where none does.
        present: Key of the one that serves at the target; empty where it came without one, or none serves.
        version: What the one at the target is called.
        text: What it is, and what can be done.
    """

    service: str
    recorded: str
    present: str
    version: str
    text: str


class Answer(msgspec.Struct, frozen=True):
    """What became of an order.

    Attributes:
        release: Which release.
        state: In which state the order found it.
        text: What follows.
    """

    release: str
    state: State
    text: str
