"""What a platform promises another one whose environments it carries out: the port of targets, over a network.

It is less than the deployer's own API: what releases need, and nothing that reads logs, secrets or what else runs. Each call is allowed by a token,
for each service and environment; what brings a release up or gives it traffic takes the right to make exceptions, too.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from typing import ClassVar

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l25_deployer import errors as deployer
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l50_orchestrator.sources.errors import SourceRefused, SourceUnknown
from drystone.l50_orchestrator.target import Doing, Outcome, Present, Signals, Standing
from drystone.l50_orchestrator.targets import errors

_AT = "/v1/target/environments/{environment}/services/{service}"


class TargetApi(Api):
    """Carry out releases that another platform decides about."""

    name: ClassVar[str] = "target"
    errors = (
        errors.TargetElsewhere,
        SourceUnknown,
        SourceRefused,
        DatabaseUnavailable,
        deployer.DescriptorRefused,
        deployer.PlanRefused,
        deployer.ServiceNotFound,
        deployer.NoCanary,
        deployer.DeployFailed,
        deployer.ReleaseNotFound,
    )

    @call("POST", _AT + "/plan")
    @abc.abstractmethod
    async def plan(
        self, ctx: Context, *, environment: str, service: str, source: Source, version: str
    ) -> PlanView:
        """Tell what a deploy would change. The folder of the descriptor is a source that was sent."""

    @call("POST", _AT + "/operations/{key}/deploy")
    @abc.abstractmethod
    def deploy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        source: Source,
        version: str,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        """Bring a release up, once under one key; a repeat follows the first."""

    @call("POST", _AT + "/operations/{key}/rollback")
    @abc.abstractmethod
    def roll_back(
        self, ctx: Context, *, environment: str, service: str, key: str, release: int
    ) -> AsyncIterator[Progress]:
        """Return to a release that is kept."""

    @call("GET", _AT + "/operations/{key}")
    @abc.abstractmethod
    async def outcome(self, ctx: Context, *, environment: str, service: str, key: str) -> Outcome:
        """Tell what became of an operation."""

    @call("GET", "/v1/target/environments/{environment}/present")
    @abc.abstractmethod
    async def present(
        self, ctx: Context, *, environment: str, service: str | None = None
    ) -> list[Present]:
        """Tell what serves: of one service, or of all that the caller may see."""

    @call("GET", _AT + "/standing")
    @abc.abstractmethod
    async def standing(
        self, ctx: Context, *, environment: str, service: str, engines: bool = False
    ) -> Standing | None:
        """Tell how a service stands; None where nothing of it serves."""

    @call("GET", _AT + "/last")
    @abc.abstractmethod
    async def last_doing(self, ctx: Context, *, environment: str, service: str) -> Doing | None:
        """Tell what last made something else serve, or nothing; None where nobody knows."""

    @call("PUT", _AT + "/operations/{key}/share")
    @abc.abstractmethod
    async def shift(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        """Give a held release a share of the traffic, 0 to 1."""

    @call("POST", _AT + "/operations/{key}/settle")
    @abc.abstractmethod
    def settle(
        self, ctx: Context, *, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        """Give a held release all traffic, for good."""

    @call("POST", _AT + "/operations/{key}/withdraw")
    @abc.abstractmethod
    def withdraw(
        self, ctx: Context, *, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        """Take a held release away."""

    @call("POST", _AT + "/destroy")
    @abc.abstractmethod
    def destroy(
        self, ctx: Context, *, environment: str, service: str, confirm: tuple[str, ...] = ()
    ) -> AsyncIterator[Progress]:
        """Remove a service, and the data of the resources that are named."""

    @call("GET", _AT + "/operations/{key}/signals")
    @abc.abstractmethod
    async def signals(self, ctx: Context, *, environment: str, service: str, key: str) -> Signals:
        """Tell what both releases answered since the held one came up."""
