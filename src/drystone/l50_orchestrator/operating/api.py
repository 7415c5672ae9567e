"""Operations on services that run, each allowed by the gate and written into the audit log before it begins."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l25_deployer import errors
from drystone.l25_deployer.api import ExecOutput, Progress
from drystone.l25_deployer.operations.api import Forwarding


class OperatingApi(Api):
    """Operate services by what one may do."""

    name: ClassVar[str] = "operating"
    errors = (
        errors.ServiceNotFound,
        errors.NoInstance,
        errors.NumberRefused,
        errors.ScalingFailed,
        errors.RestartFailed,
        errors.TargetNotFound,
        errors.PortTaken,
        errors.DeployAborted,
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
            Denied: Who asks may not steer the service there; so for a restart.
        """

    @call("POST", "/v1/operating/environments/{environment}/services/{service}/restart")
    @abc.abstractmethod
    def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        """Replace instances; see :meth:`~drystone.l25_deployer.operations.api.OperationsApi.restart`."""

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
