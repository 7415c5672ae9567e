"""What the registry promises: who owns which service, where services may run, and that names are not hoarded.

A service is registered by its first deploy, or beforehand. Its name is its team's as long as it runs, and 90 days longer.
"""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l50_orchestrator.ports import Environment, Registered
from drystone.l50_orchestrator.registry import errors


class ServiceSaid(msgspec.Struct, frozen=True):
    """What somebody says of a service.

    Attributes:
        team: Who owns it.
        description: In a sentence; its descriptor's comes in its place with the next deploy.
        links: ``https`` addresses by what they are: ``runbook``, ``dashboard``.
    """

    team: str
    description: str = ""
    links: dict[str, str] = {}


class ServiceView(msgspec.Struct, frozen=True):
    """A registered service.

    Attributes:
        service: Its owner and words.
        environments: Where it runs.
        offered_to: The team that may take it; empty when it is offered to none.
        retired: When its team gave it up; None while it did not.
        free_from: When others may register the name; None while it runs.
    """

    service: Registered
    environments: tuple[str, ...] = ()
    offered_to: str = ""
    retired: datetime | None = None
    free_from: datetime | None = None


class EnvironmentSaid(msgspec.Struct, frozen=True):
    """What somebody says of an environment.

    Attributes:
        type: Which part of ``environments`` in a descriptor holds there.
        region: Empty where it has none.
        target: Name of the target that it is bound to.
        after: The environment that a release passes before this one; empty when there is none.
        keep: How many releases are kept to go back to, unless a descriptor says otherwise; 1 to 100.
    """

    type: Literal["local", "dev", "staging", "prod"]
    region: str = ""
    target: str = "here"
    after: str = ""
    keep: int = 5


class EnvironmentView(msgspec.Struct, frozen=True):
    """An environment.

    Attributes:
        environment: What it is.
        services: How many run there.
    """

    environment: Environment
    services: int = 0


class TargetSaid(msgspec.Struct, frozen=True):
    """What somebody says of a target.

    Attributes:
        kind: This platform's deployer, that of another platform, or, in tests alone, none at all.
        url: Of the orchestrator of another platform, ``https://HOST[:PORT]/``; otherwise empty.
    """

    kind: Literal["here", "platform", "simulated"]
    url: str = ""


class TargetView(msgspec.Struct, frozen=True):
    """A target.

    Attributes:
        name: What environments call it.
        kind: See :class:`TargetSaid`.
        url: Likewise.
        environments: Which are bound to it.
    """

    name: str
    kind: Literal["here", "platform", "simulated"]
    url: str = ""
    environments: tuple[str, ...] = ()


class RegistryApi(Api):
    """Know who owns what, and where it may run."""

    name: ClassVar[str] = "registry"
    errors = (
        errors.ServiceNotRegistered,
        errors.RegistrationUnfit,
        errors.NameRefused,
        errors.NameTaken,
        errors.NameTooClose,
        errors.TooManyUnused,
        errors.NotInTeam,
        errors.TeamNotFound,
        errors.ServiceInUse,
        errors.NothingOffered,
        errors.EnvironmentNotFound,
        errors.EnvironmentUnfit,
        errors.EnvironmentInUse,
        errors.TargetNotFound,
        errors.TargetUnfit,
        errors.TargetInUse,
        DatabaseUnavailable,
    )

    @call("GET", "/v1/registry/services")
    @abc.abstractmethod
    async def services(
        self,
        ctx: Context,
        *,
        team: str | None = None,
        tier: int | None = None,
        search: str = "",
        retired: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceView]:
        """List services by name.

        Args:
            ctx: Who asks.
            team: Of one team only.
            tier: Of one tier only.
            search: With this text in the name or the description, whatever its case.
            retired: Those that their teams gave up, in place of those that they did not.
            cursor: Where the page begins.
            limit: Most services of a page, 1 to 500.
        """

    @call("GET", "/v1/registry/services/{service}")
    @abc.abstractmethod
    async def show(self, ctx: Context, *, service: str) -> ServiceView:
        """Show one service.

        Raises:
            ServiceNotRegistered: The message names one that was probably meant.
        """

    @call("PUT", "/v1/registry/services/{service}")
    @abc.abstractmethod
    async def register(self, ctx: Context, *, service: str, said: ServiceSaid) -> ServiceView:
        """Register a service for a team of one's own, or say something else of it.

        Raises:
            NameRefused: No service may have this name.
            NameTaken: It is another team's.
            NameTooClose: It can be taken for another team's service, and the caller is no admin.
            TooManyUnused: The team has 20 services that never ran, and the caller is no admin.
            NotInTeam: The caller is not in the team, and no admin.
            TeamNotFound: There is no such team.
            RegistrationUnfit: The description or a link cannot be.
        """

    @call("PUT", "/v1/registry/services/{service}/offer")
    @abc.abstractmethod
    async def offer(self, ctx: Context, *, service: str, team: str) -> ServiceView:
        """Offer a service to another team, for 14 days. Until it is taken, nothing changes.

        Raises:
            ServiceNotRegistered: There is none of this name.
            TeamNotFound: There is no such team.
            RegistrationUnfit: It is that team's already.
        """

    @call("DELETE", "/v1/registry/services/{service}/offer")
    @abc.abstractmethod
    async def withdraw_offer(self, ctx: Context, *, service: str) -> ServiceView:
        """Offer a service to nobody any more.

        Raises:
            ServiceNotRegistered: There is none of this name.
        """

    @call("POST", "/v1/registry/services/{service}/take")
    @abc.abstractmethod
    async def take(self, ctx: Context, *, service: str) -> ServiceView:
        """Take a service that was offered to a team of one's own.

        Raises:
            ServiceNotRegistered: There is none of this name.
            NothingOffered: It is offered to nobody, or no longer.
            NotInTeam: It is offered to a team that the caller is not in.
        """

    @call("POST", "/v1/registry/services/{service}/assign")
    @abc.abstractmethod
    async def assign(self, ctx: Context, *, service: str, team: str) -> ServiceView:
        """Give a service to another team without asking either; for admins.

        Raises:
            ServiceNotRegistered: There is none of this name.
            TeamNotFound: There is no such team.
        """

    @call("DELETE", "/v1/registry/services/{service}")
    @abc.abstractmethod
    async def retire(self, ctx: Context, *, service: str) -> ServiceView:
        """Give a service up. Its name stays its team's for 90 days, in which registering it again brings it back.

        Raises:
            ServiceNotRegistered: There is none of this name.
            ServiceInUse: It runs somewhere; the message says where.
        """

    @call("GET", "/v1/registry/environments")
    @abc.abstractmethod
    async def environments(self, ctx: Context) -> list[EnvironmentView]:
        """List environments by name."""

    @call("PUT", "/v1/registry/environments/{environment}")
    @abc.abstractmethod
    async def set_environment(
        self, ctx: Context, *, environment: str, said: EnvironmentSaid
    ) -> EnvironmentView:
        """Make an environment, or change it.

        Raises:
            EnvironmentUnfit: It does not fit to the others; the message says why.
            EnvironmentInUse: Its type, region or target would change, and services run there.
        """

    @call("DELETE", "/v1/registry/environments/{environment}")
    @abc.abstractmethod
    async def remove_environment(self, ctx: Context, *, environment: str) -> None:
        """Remove an environment; one that is not there is removed already.

        Raises:
            EnvironmentInUse: Services run there, or another environment comes after it; the message names them.
        """

    @call("GET", "/v1/registry/targets")
    @abc.abstractmethod
    async def targets(self, ctx: Context) -> list[TargetView]:
        """List targets by name."""

    @call("PUT", "/v1/registry/targets/{target}")
    @abc.abstractmethod
    async def set_target(self, ctx: Context, *, target: str, said: TargetSaid) -> TargetView:
        """Make a target, or change it.

        Raises:
            TargetUnfit: The message says why.
            TargetInUse: Its kind would change, and environments are bound to it.
        """

    @call("DELETE", "/v1/registry/targets/{target}")
    @abc.abstractmethod
    async def remove_target(self, ctx: Context, *, target: str) -> None:
        """Remove a target; one that is not there is removed already.

        Raises:
            TargetInUse: Environments are bound to it; the message names them.
            TargetUnfit: It is this platform itself.
        """
