"""What the deployer promises: one descriptor in, one running service out, and a way back.

The deployer needs nothing above its layer and keeps no database. Long operations answer with a stream of
:class:`Progress`; closing the stream leaves the operation running, :meth:`DeployerApi.abort` ends it.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l25_deployer import errors
from drystone.l25_deployer.words import (
    AbsenceView,
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
    "CameUp",
    "DependencyFinding",
    "DependencyModel",
    "DeployerApi",
    "EngineView",
    "ExecOutput",
    "HistoryEvent",
    "InstanceView",
    "LogRecord",
    "PathStep",
    "PlanChange",
    "PlanView",
    "PlatformStatus",
    "Progress",
    "ReleaseView",
    "ResourceView",
    "ServiceSummary",
    "ServiceView",
    "Source",
    "StartupStep",
]


class DeployerApi(Api):
    """Deploy services on this machine and look after them."""

    name: ClassVar[str] = "deployer"
    errors = (
        errors.ServiceNotFound,
        errors.ReleaseNotFound,
        errors.DescriptorRefused,
        errors.PlanRefused,
        errors.DeployInProgress,
        errors.NothingToRollBackTo,
        errors.NothingToAbort,
        errors.DeployFailed,
        errors.DeployAborted,
        errors.NoInstance,
        errors.BuildFailed,
        errors.ArtefactRefused,
        DiskFull,
    )

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
    def stop(self, ctx: Context) -> AsyncIterator[StartupStep]:
        """Stop every service, every engine and then the agent, from the top layer down. Data stays."""

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
    ) -> AsyncIterator[Progress]:
        """Deploy a descriptor. The old release serves until the new one has proved itself.

        Args:
            ctx: Who asks.
            source: The descriptor.
            environment: Where to.
            version: What to call the release; a number that counts up when omitted.
            confirm: Names of resources whose data may be deleted.
            wait: Wait for another operation on the same service; otherwise refuse.

        Raises:
            DescriptorRefused: The descriptor has mistakes.
            PlanRefused: Data would be deleted and the resource's name was not given.
            DeployInProgress: Another operation runs and ``wait`` is false.
            DiskFull: A disk of the platform has too little room; nothing has changed.
            DeployFailed: The release did not come up; the message says why.
            DeployAborted: Somebody aborted it.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/rollback")
    @abc.abstractmethod
    def rollback(self, ctx: Context, *, environment: str, service: str) -> AsyncIterator[Progress]:
        """Return to the release that served before: code, configuration and resources' settings.

        Raises:
            ServiceNotFound: It is not deployed there.
            NothingToRollBackTo: No earlier release is kept.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/abort")
    @abc.abstractmethod
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        """Stop the operation in progress; returns what serves now, in words.

        Raises:
            NothingToAbort: No operation is in progress.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/destroy")
    @abc.abstractmethod
    def destroy(
        self, ctx: Context, *, environment: str, service: str, confirm: list[str] | None = None
    ) -> AsyncIterator[Progress]:
        """Remove the service, and the data of the resources whose names are given.

        Resources whose names are not given keep their data.

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
    ) -> AsyncIterator[LogRecord]:
        """Stream the last lines of a service's instances and, when following, every further line.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            group: Only ``web`` or this worker.
            release: Only this release; the active one and those after it when omitted.
            lines: How many past lines per instance.
            follow: Go on until the caller closes the stream; follows new releases too.
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
