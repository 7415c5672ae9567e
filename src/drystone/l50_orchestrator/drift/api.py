"""What the finder of drift promises: it tells what serves and should not, and brings it back when somebody says so."""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l25_deployer import errors as deployer
from drystone.l50_orchestrator.drift import errors
from drystone.l50_orchestrator.releases import errors as releases
from drystone.l50_orchestrator.releases.api import ReleaseSummary

Repair: TypeAlias = Literal["repair", "adopt"]
"""Bring back what should serve, or take over what does."""


class DriftView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be.

    Attributes:
        environment: Where.
        service: Of which service.
        field: ``service`` when only one of the two sides has it, ``release``, ``version``, ``artefact``, ``shares``, ``hosts``, a field of
            the stacks such as ``stacks.deployment.groups.web.instances``; what an engine has otherwise, such as
            ``engines.db.role.superuser``; of the configuration ``team`` and ``region``.
        wanted: What should be, as text; None for nothing.
        found: What is, likewise.
        since: From when on, as far as anybody knows.
        by: Who did it, as the target knows that one; empty where nobody knows.
        how: What that was: a deploy, rollback, settle or destroy past the orchestrator; empty where nobody knows.
        repairs: What brings both together, the likelier one first; none where the descriptor, or the configuration, has to change.
    """

    environment: str
    service: str
    field: str
    wanted: str | None
    found: str | None
    since: datetime
    by: str
    how: str
    repairs: tuple[Repair, ...]


class DriftApi(Api):
    """Find what serves and should not, and bring it back."""

    name: ClassVar[str] = "drift"
    errors = (
        errors.NothingDrifted,
        errors.OnlyAdopted,
        releases.ReleaseUnderWay,
        releases.ReleaseNotKept,
        releases.RequestUnfit,
        deployer.DescriptorRefused,
    )

    @call("GET", "/v1/drift")
    @abc.abstractmethod
    async def find(
        self, ctx: Context, *, service: str | None = None, environment: str | None = None
    ) -> list[DriftView]:
        """Compare now what serves with the releases on record and with the configuration; by environment, service and field.

        What is being released is left out: it is neither one nor the other yet.

        Args:
            ctx: Who asks.
            service: Of this one alone.
            environment: In this one alone.

        Raises:
            Denied: The caller may not see that.
            NotFound: There is no such environment.
            Unavailable: A target does not answer.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/repair")
    @abc.abstractmethod
    async def repair(
        self, ctx: Context, *, environment: str, service: str, message: str = ""
    ) -> ReleaseSummary:
        """Bring back what serves by the record, as a release of its own; data is never touched.

        Where the target still has that release beside another one, it goes back to it. Otherwise the descriptor on record is
        deployed anew and must come to the same artefact; policies, approvals and windows hold for that as for every deploy.

        Raises:
            Denied: The caller may not deploy there.
            NothingDrifted: It is as it should be.
            OnlyAdopted: The record has nothing to bring back.
            ReleaseUnderWay: One of its releases has not ended.
        """
