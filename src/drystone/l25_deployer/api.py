"""What the deployer promises: one descriptor in, one running service out, and a way back.

The deployer needs nothing above its layer and keeps no database. Long operations answer with a stream of
:class:`Progress`; closing the stream leaves the operation running, :meth:`DeployerApi.abort` ends it.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l25_deployer import errors
from drystone.l25_deployer.absence_words import AbsenceView
from drystone.l25_deployer.held_words import Arm, CanaryView, Outcome, Signals
from drystone.l25_deployer.scaling_words import ScalingView
from drystone.l25_deployer.standing_words import DeviationView, StandingView
from drystone.l25_deployer.words import (
    AcceptedRisk,
    CameUp,
    DependencyFinding,
    DependencyModel,
    EngineView,
    ExecOutput,
    HistoryEvent,
    InstanceView,
    LogRecord,
    PathStep,
    PlanChange,
    PlanView,
    PlatformStatus,
    Progress,
    ReleaseView,
    ResourceView,
    ServiceSummary,
    ServiceView,
    Source,
    StartupStep,
)

__all__ = [
    "AbsenceView",
    "AcceptedRisk",
    "Arm",
    "CameUp",
    "CanaryView",
    "DependencyFinding",
    "DependencyModel",
    "DeployerApi",
    "DeviationView",
    "EngineView",
    "ExecOutput",
    "HistoryEvent",
    "InstanceView",
    "LogRecord",
    "Outcome",
    "PathStep",
    "PlanChange",
    "PlanView",
    "PlatformStatus",
    "Progress",
    "ReleaseView",
    "ResourceView",
    "ScalingView",
    "ServiceSummary",
    "ServiceView",
    "Signals",
    "Source",
    "StandingView",
    "StartupStep",
]


class DeployerApi(Api):
    """Deploy services on this machine and look after them."""

    name: ClassVar[str] = "deployer"
    errors = (*errors.OF_DEPLOYS, DiskFull)

    @call("GET", "/v1/status")
    @abc.abstractmethod
    async def status(self, ctx: Context) -> PlatformStatus:
        """Tell how the platform is."""

    @call("GET", "/v1/startup")
    @abc.abstractmethod
    def startup(self, ctx: Context) -> AsyncIterator[StartupStep]:
        """Stream the steps of the start-up, from the first; ends when the platform is ready or failed."""

    @call("POST", "/v1/stop")
    @abc.abstractmethod
    def stop(self, ctx: Context, *, drain: bool = False) -> AsyncIterator[StartupStep]:
        """Stop every service, every engine and then the agent, from the top layer down. Data stays.

        Args:
            ctx: Who asks.
            drain: Let each service answer first what it has, as long as its descriptor gives it.
        """

    @call("POST", "/v1/plans")
    @abc.abstractmethod
    async def plan(
        self, ctx: Context, *, source: Source, environment: str, version: str | None = None
    ) -> PlanView:
        """Tell what a deploy would change, and change nothing.

        Raises:
            DescriptorRefused: The descriptor has mistakes; the message holds all of them.
        """

    @call("POST", "/v1/deploys")
    @abc.abstractmethod
    def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        confirm: list[str] | None = None,
        wait: bool = True,
        key: str | None = None,
        hold: bool = False,
        artifact: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Deploy a descriptor. The old release serves until the new one has proved itself.

        Args:
            ctx: Who asks.
            source: The descriptor.
            environment: Where to.
            version: What to call the release; a number that counts up when omitted.
            confirm: Names of resources whose data may be deleted.
            wait: Wait for another operation on the same service; otherwise refuse.
            key: 1 to 200 printable characters. Under one key a deploy happens once: a repeat waits for the first and tells what
                became of it.
            hold: Bring the release up beside the one that serves, and give it no requests until they are shifted to it. Where
                nothing serves yet, it serves at once.
            artifact: Digest of the artefact that it must be, as a release that served elsewhere has it; any when omitted.

        Raises:
            CanaryHeld: A release is held already.
            Invalid: The key has other characters; or what is to be held is a cutover.
            DescriptorRefused: The descriptor has mistakes.
            PlanRefused: Data would be deleted and the resource's name was not given.
            DeployInProgress: Another operation runs and ``wait`` is false.
            DiskFull: A disk of the platform has too little room; nothing has changed.
            DeployFailed: The release did not come up, or is another artefact; the message says why.
            DeployAborted: Somebody aborted it.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/rollback")
    @abc.abstractmethod
    def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        key: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Return to the release that served before: code, configuration and resources' settings.

        A release that is held is withdrawn; unless another one than the one that serves is named, nothing else happens.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            release: Number of a release that is kept and has served; the one before when omitted.
            key: See :meth:`deploy`.

        Raises:
            ServiceNotFound: It is not deployed there.
            ReleaseNotFound: The release is not kept.
            NothingToRollBackTo: No earlier release is kept, or the one that was named never served.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/outcome")
    @abc.abstractmethod
    async def outcome(self, ctx: Context, *, environment: str, service: str, key: str) -> Outcome:
        """Tell what became of a deploy or rollback that was given a key; ``unknown`` where there is no such service."""

    @call("POST", "/v1/environments/{environment}/services/{service}/shift")
    @abc.abstractmethod
    async def shift(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        share: float,
        cohort: str = "request",
        header: str | None = None,
        by: str | None = None,
    ) -> None:
        """Give a held release a share of the requests; returns when the proxy parts them so.

        Whoever was on it stays on it while the share grows, in every cohort but ``request``.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            key: Of the deploy with the hold.
            share: 0 to 1, in steps of a hundredth of a percent; 0 and 1 are exact.
            cohort: What stays on one release: ``user`` (by ``x-drystone-user``, or ``x-user-id``), ``tenant`` (by
                ``x-drystone-tenant``, or ``x-tenant-id``), ``visitor`` (by a cookie that the edge sets) or ``request``
                (nothing). Who cannot be told from others is given to either release by chance.
            header: Name of a header, in lower case, in which a request chooses ``canary`` while that gets any, or ``stable``.
            by: Who is told apart when errors are counted: one of the cohorts, and the one given when None. A visitor is known
                by the cookie that is set where visitors are the cohort.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoCanary: Nothing is held under this key.
            Invalid: There is no such share, cohort or header.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/settle")
    @abc.abstractmethod
    def settle(
        self, ctx: Context, *, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        """Give a held release all requests, for good. A repeat under the same key tells that it serves.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoCanary: Nothing is held under this key.
            DeployFailed: It is not healthy; it stays held.
            DeployAborted: It was aborted before the switch; it stays held.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/withdraw")
    @abc.abstractmethod
    def withdraw(
        self, ctx: Context, *, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        """Take a held release away: the one before serves, with its resources' settings. A repeat does nothing.

        A deploy with this key that is in progress is aborted.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            key: Of the deploy with the hold.
            reason: Why, for the record of the release and the history; never a secret.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoCanary: It was settled.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/signals")
    @abc.abstractmethod
    async def signals(self, ctx: Context, *, environment: str, service: str, key: str) -> Signals:
        """Tell what both releases answered since the new one is held.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoCanary: Nothing is held under this key.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/abort")
    @abc.abstractmethod
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        """Stop the operation in progress; returns what serves now, in words.

        Where none is and a release is held, that is withdrawn.

        Raises:
            NothingToAbort: No operation is in progress.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/destroy")
    @abc.abstractmethod
    def destroy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        confirm: list[str] | None = None,
        final_backup: bool = True,
    ) -> AsyncIterator[Progress]:
        """Remove the service, and the data of the resources whose names are given.

        Resources whose names are not given keep their data. Of data that goes a last backup is kept, where its type has
        backups, unless ``final_backup`` is false; what cannot be backed up then stays.

        Raises:
            ServiceNotFound: It is not deployed there.
            PlanRefused: Another service cannot run without it.
        """

    @call("GET", "/v1/dependencies")
    @abc.abstractmethod
    async def dependencies(self, ctx: Context) -> DependencyModel:
        """Tell what needs what on this platform, in which order it starts, and how the last start went."""

    @call("GET", "/v1/services")
    @abc.abstractmethod
    async def services(
        self,
        ctx: Context,
        *,
        environment: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceSummary]:
        """List services, by environment and name."""

    @call("GET", "/v1/environments/{environment}/services/{service}")
    @abc.abstractmethod
    async def show(self, ctx: Context, *, environment: str, service: str) -> ServiceView:
        """Tell everything about one service.

        Raises:
            ServiceNotFound: It is not deployed there.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/standing")
    @abc.abstractmethod
    async def standing(
        self, ctx: Context, *, environment: str, service: str, engines: bool = False
    ) -> StandingView | None:
        """Tell what serves as it is written down and routed, to compare it with what should; None where nothing does.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            engines: Ask the engines of its resources, too, whether they have these as they were made.

        Raises:
            ServiceNotFound: It is not deployed there.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/history")
    @abc.abstractmethod
    async def history(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[HistoryEvent]:
        """List what happened to a service, newest first."""

    @call("GET", "/v1/environments/{environment}/services/{service}/logs")
    @abc.abstractmethod
    def logs(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        group: str | None = None,
        release: int | None = None,
        lines: int = 100,
        follow: bool = False,
        instance: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[LogRecord]:
        """Stream the last lines of a service's instances and, when following, every further line.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            group: Only ``web`` or this worker.
            release: Only this release; the active one and those after it when omitted.
            lines: How many past lines per instance.
            follow: Go on until the caller closes the stream; follows new releases and instances too.
            instance: Only this one, by its id.
            since: No line that was written before, to some seconds; aware.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/exec")
    @abc.abstractmethod
    def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        """Run a one-off command with the code, settings and resources of the active release.

        Raises:
            NoInstance: Nothing is deployed to take them from.
        """
