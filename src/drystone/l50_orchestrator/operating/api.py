"""What runs, seen and changed by what one may do: each call is allowed by the gate, and each change written into the audit log before it begins.

A stream ends within a second when its reader may read it no more, and there are so many at once and no more
(:class:`~drystone.l50_orchestrator.operating.errors.TooManyStreams`). All of it is offered over a network, but for :class:`EnteringApi`.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l25_deployer import errors
from drystone.l25_deployer.api import (
    ExecOutput,
    HistoryEvent,
    LogRecord,
    PlatformStatus,
    Progress,
    ServiceSummary,
    ServiceView,
)
from drystone.l25_deployer.backups.api import BackupsApi, ResourceBackups
from drystone.l25_deployer.jobs.api import JobsApi, RunOutput, RunView
from drystone.l25_deployer.operations.api import Forwarding
from drystone.l35_mesh.observed.api import Refusals
from drystone.l50_orchestrator.operating.errors import OperatedElsewhere, TooManyStreams


class WatchingApi(Api):
    """See what runs on this platform."""

    name: ClassVar[str] = "watching"
    errors = (errors.ServiceNotFound, OperatedElsewhere, TooManyStreams)

    @call("GET", "/v1/operating/status")
    @abc.abstractmethod
    async def status(self, ctx: Context) -> PlatformStatus:
        """Tell how the platform is, without what is of its machine alone: folders, processes and addresses of engines.

        Raises:
            Denied: Who asks has no role anywhere; so for the list of services.
        """

    @call("GET", "/v1/operating/services")
    @abc.abstractmethod
    async def services(
        self,
        ctx: Context,
        *,
        environment: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceSummary]:
        """List services; see :meth:`~drystone.l25_deployer.api.DeployerApi.services`."""

    @call("GET", "/v1/operating/environments/{environment}/services/{service}")
    @abc.abstractmethod
    async def show(self, ctx: Context, *, environment: str, service: str) -> ServiceView:
        """Tell everything about one service; see :meth:`~drystone.l25_deployer.api.DeployerApi.show`.

        Raises:
            Denied: Who asks may not see the service there; so for all that follows.
            OperatedElsewhere: The environment is another platform's; likewise.
        """

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/refusals")
    @abc.abstractmethod
    async def refusals(self, ctx: Context, *, environment: str, service: str) -> Refusals:
        """Tell what it was refused; see :meth:`~drystone.l35_mesh.observed.api.ObservedApi.refusals`."""

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/history")
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
        """List what happened to it, newest first."""

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/events")
    @abc.abstractmethod
    def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        """Stream what happens to it; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.events`."""

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/logs")
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
        """Stream what it writes; see :meth:`~drystone.l25_deployer.api.DeployerApi.logs`."""


class OperatingApi(Api):
    """Operate services by what one may do."""

    name: ClassVar[str] = "operating"
    errors = (
        errors.ServiceNotFound,
        errors.NoInstance,
        errors.NumberRefused,
        errors.QuotaExceeded,
        errors.ScalingFailed,
        errors.RestartFailed,
        errors.RotationRefused,
        errors.RotationFailed,
        errors.NotRenewable,
        errors.DeployAborted,
        errors.NothingToAbort,
        OperatedElsewhere,
        TooManyStreams,
    )

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/scale")
    @abc.abstractmethod
    def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Set how many instances a group has; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.scale`.

        Raises:
            Denied: Who asks may not steer the service there; so for all of these.
            OperatedElsewhere: The environment is another platform's; likewise.
        """

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/restart")
    @abc.abstractmethod
    def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        """Replace instances; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.restart`."""

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/rotate")
    @abc.abstractmethod
    def rotate(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        """Replace credentials; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.rotate`."""

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/abort")
    @abc.abstractmethod
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        """End what is under way on a service; see :meth:`~drystone.l25_deployer.api.DeployerApi.abort`."""


class KeepingApi(Api):
    """Make backups, prove them and bring them back, by what one may do."""

    name: ClassVar[str] = "keeping"
    errors = (*BackupsApi.errors, errors.ServiceNotFound, OperatedElsewhere, TooManyStreams)

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/backups")
    @abc.abstractmethod
    async def backups(
        self, ctx: Context, *, environment: str, service: str
    ) -> list[ResourceBackups]:
        """List the backups of a service; see :meth:`~drystone.l25_deployer.backups.api.BackupsApi.backups`.

        In which folder they lie is told to the owner of the home alone.

        Raises:
            Denied: Who asks may not see the service there.
        """

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/backups")
    @abc.abstractmethod
    def take(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        """Make a backup; see :meth:`~drystone.l25_deployer.backups.api.BackupsApi.take`.

        Raises:
            Denied: Who asks may not back the service up there, which its deployers may; so for a trial.
        """

    @call(
        "POST",
        "/v1/operating/environments/{environment}/services/{service}/resources/{resource}/restore",
    )
    @abc.abstractmethod
    def restore(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
        at: datetime | None = None,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> AsyncIterator[Progress]:
        """Put a backup in the place of the data in use; see :meth:`~drystone.l25_deployer.backups.api.BackupsApi.restore`.

        It goes on when who asks leaves, and when the right to ask for it is taken away meanwhile.

        Raises:
            Denied: Who asks is no owner of the service there.
        """

    @call(
        "POST",
        "/v1/operating/environments/{environment}/services/{service}/resources/{resource}/restore-test",
    )
    @abc.abstractmethod
    def prove(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Restore a backup into a scratch place and compare it; see :meth:`~drystone.l25_deployer.backups.api.BackupsApi.prove`."""


class JobbingApi(Api):
    """Run jobs of services, by what one may do."""

    name: ClassVar[str] = "jobbing"
    errors = (*JobsApi.errors, OperatedElsewhere, TooManyStreams)

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/jobs/{job}/runs")
    @abc.abstractmethod
    async def run(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        job: str,
        arguments: list[str] | None = None,
    ) -> RunView:
        """Have a job run; see :meth:`~drystone.l25_deployer.jobs.api.JobsApi.run`.

        Of the arguments nothing is written into the audit log: one may be a secret.

        Raises:
            Denied: Who asks may not deploy the service there, which is to run code as it.
        """

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/jobs")
    @abc.abstractmethod
    async def runs(self, ctx: Context, *, environment: str, service: str) -> list[RunView]:
        """List runs; see :meth:`~drystone.l25_deployer.jobs.api.JobsApi.runs`.

        Raises:
            Denied: Who asks may not see the service there; so for the output of a run.
        """

    @call("GET", "/v1/operating/environments/{environment}/services/{service}/runs/{run}/output")
    @abc.abstractmethod
    def output(
        self, ctx: Context, *, environment: str, service: str, run: str, follow: bool = False
    ) -> AsyncIterator[RunOutput]:
        """Stream what a run writes; see :meth:`~drystone.l25_deployer.jobs.api.JobsApi.output`."""

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/runs/{run}/stop")
    @abc.abstractmethod
    async def stop(
        self, ctx: Context, *, environment: str, service: str, run: str, reason: str = ""
    ) -> RunView:
        """Have a run stop; see :meth:`~drystone.l25_deployer.jobs.api.JobsApi.stop`.

        Raises:
            Denied: Who asks may not operate the service there.
        """


class EnteringApi(Api):
    """Reach into services by what one may do. It opens ports and runs programs of this machine, so nobody comes to it over a network."""

    name: ClassVar[str] = "entering"
    errors = (
        errors.ServiceNotFound,
        errors.NoInstance,
        errors.TargetNotFound,
        errors.PortTaken,
        OperatedElsewhere,
        TooManyStreams,
    )

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/exec")
    @abc.abstractmethod
    def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        """Run a one-off command; see :meth:`~drystone.l25_deployer.api.DeployerApi.execute`.

        Of the command only the program is written down: what follows may be a secret.

        Raises:
            Denied: Who asks may not deploy the service there, which is to run code as it; so for a forward.
        """

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/forward")
    @abc.abstractmethod
    def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        """Open a port to an instance or a resource; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.forward`."""
