"""What the keeper of releases promises: every deploy is written down, and ends in exactly one state, whatever dies meanwhile."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l25_deployer import errors as deployer
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l50_orchestrator.ports import Finding
from drystone.l50_orchestrator.releases import errors
from drystone.l50_orchestrator.rollout.errors import PlanUnfit

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


class ReleasesApi(Api):
    """Deploy, promote, steer, go back, and look up what was."""

    name: ClassVar[str] = "releases"
    errors = (
        errors.ReleaseUnknown,
        errors.RequestUnfit,
        errors.NothingServes,
        errors.NothingBefore,
        errors.ReleaseNotKept,
        errors.PromotionUnderWay,
        errors.CannotBePromoted,
        errors.NoApprovalAsked,
        errors.NotAnApprover,
        errors.NothingToAdopt,
        errors.ReleaseUnderWay,
        deployer.DescriptorRefused,
        PlanUnfit,
    )

    @call("POST", "/v1/releases")
    @abc.abstractmethod
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        message: str = "",
        confirm: list[str] | None = None,
    ) -> ReleaseSummary:
        """Ask for a deploy; it is carried out whether somebody waits or not, after those that were asked for before.

        Asked twice under one idempotency key, it is asked for once.

        Args:
            ctx: Who asks.
            source: The descriptor.
            environment: Where to. A type whose environments are regions means these, one after the other.
            version: What to call the release; its number when omitted.
            message: What for.
            confirm: Names of resources whose data may be deleted.

        Raises:
            DescriptorRefused: The descriptor has mistakes, of which the message has all, or more than a mebibyte.
            Denied: The caller may not, or the service is another team's.
            NotFound: There is no such environment, or no such team.
        """

    @call("POST", "/v1/promotions")
    @abc.abstractmethod
    async def promote(
        self,
        ctx: Context,
        *,
        service: str,
        to: str,
        release: str | None = None,
        message: str = "",
    ) -> ReleaseSummary:
        """Bring a release to the next environment: the very same artefact and descriptor.

        Args:
            ctx: Who asks.
            service: Which.
            to: Where to.
            release: Which release; the one that serves in the environment before, when omitted.
            message: What for.

        Raises:
            NothingServes: Nothing serves in the environment before.
            CannotBePromoted: It did not serve, or has no descriptor on record.
            PromotionUnderWay: The same one is on its way there.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/rollback")
    @abc.abstractmethod
    async def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        message: str = "",
    ) -> ReleaseSummary:
        """Return to a release: code, configuration and settings of resources, never losing data.

        Without a number, what is under way is aborted; where nothing is, the release before the one that serves comes
        back. It waits for no window, approval or freeze.

        Raises:
            NothingBefore: There is none.
            ReleaseNotKept: The target has removed it.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/end")
    @abc.abstractmethod
    def destroy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        confirm: list[str] | None = None,
        message: str = "",
    ) -> AsyncIterator[Progress]:
        """Remove a service from an environment, and the data of the resources that are named; its releases stay on record.

        Cut short, it is asked for again: what is gone already is no mistake.

        Raises:
            ReleaseUnderWay: One of its releases has not ended.
        """

    @call("POST", "/v1/releases/{release}/orders")
    @abc.abstractmethod
    async def steer(self, ctx: Context, *, release: str, verb: Verb, message: str = "") -> Answer:
        """Promote, pause, resume or abort a release; every order is taken in every state, and the answer says what follows."""

    @call("POST", "/v1/releases/{release}/approvals")
    @abc.abstractmethod
    async def approve(
        self, ctx: Context, *, release: str, agrees: bool, message: str = ""
    ) -> ReleaseSummary:
        """Agree to a release that waits for it, or reject it. The last word of each person counts.

        Raises:
            NoApprovalAsked: It waits for nobody.
            NotAnApprover: The caller is its author or made its author's token, is no person, or is not among those asked.
        """

    @call("GET", "/v1/releases/{release}")
    @abc.abstractmethod
    async def show(self, ctx: Context, *, release: str) -> ReleaseView:
        """Tell everything that is recorded of a release; by its id, or ``<environment>/<service>/<number>``."""

    @call("GET", "/v1/releases")
    @abc.abstractmethod
    async def history(
        self,
        ctx: Context,
        *,
        service: str | None = None,
        environment: str | None = None,
        team: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        open_only: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ReleaseSummary]:
        """List releases, the latest first; with ``open_only`` those that have not ended."""

    @call("GET", "/v1/releases/{release}/differences")
    @abc.abstractmethod
    async def diff(self, ctx: Context, *, release: str, other: str) -> list[Difference]:
        """Tell in which fields, code and configuration ``other`` differs from ``release``."""

    @call("GET", "/v1/releases/{release}/progress")
    @abc.abstractmethod
    def follow(self, ctx: Context, *, release: str, after: int = 0) -> AsyncIterator[Happened]:
        """Stream what happens to a release, from behind a number on, until it has ended."""

    @call("GET", "/v1/environments/{environment}/disagreements")
    @abc.abstractmethod
    async def disagreements(self, ctx: Context, *, environment: str) -> list[Disagreement]:
        """Compare the record with what serves, as after a restore of the database."""

    @call("POST", "/v1/environments/{environment}/services/{service}/adopt")
    @abc.abstractmethod
    async def adopt(
        self, ctx: Context, *, environment: str, service: str, message: str = ""
    ) -> ReleaseSummary:
        """Write down that what serves at the target serves; nothing is deployed.

        Raises:
            NothingToAdopt: The record says the same, or nothing serves.
        """
