"""What the keeper of releases promises: every deploy is written down, and ends in exactly one state, whatever dies meanwhile."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l25_deployer import errors as deployer
from drystone.l25_deployer.api import Progress, Source
from drystone.l50_orchestrator.releases import errors
from drystone.l50_orchestrator.releases.words import (
    Answer,
    ApprovalView,
    CurvePoint,
    Difference,
    Disagreement,
    Happened,
    Kind,
    ReleaseSummary,
    ReleaseView,
    RolloutView,
    State,
    Verb,
)
from drystone.l50_orchestrator.rollout.errors import PlanUnfit

__all__ = [
    "Answer",
    "ApprovalView",
    "CurvePoint",
    "Difference",
    "Disagreement",
    "Happened",
    "Kind",
    "ReleaseSummary",
    "ReleaseView",
    "ReleasesApi",
    "RolloutView",
    "State",
    "Verb",
]


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
