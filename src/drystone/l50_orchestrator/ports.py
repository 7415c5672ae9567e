"""What the parts of the orchestrator ask of each other, so that each can be read and tested without the others.

::

    configuration ─▶ releases ─▶ guardrails, registry ─▶ access ─▶ audit
                        └─▶ targets (the deployer of a platform)

Whatever changes something asks the :class:`Gate` first and notes it in the :class:`Book` in the transaction of the change.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.ports import Field
from drystone.l25_deployer.api import PlanView

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Session


class Action(enum.Enum):
    """What somebody wants to do; the words of tokens' scopes, of the permission matrix and of the audit log."""

    SEE = "see"
    PLAN = "plan"
    DEPLOY = "deploy"
    ROLL_BACK = "roll-back"
    STEER = "steer"
    """Promote, pause, resume or abort a rollout; scale and restart what serves."""
    PROMOTE = "promote"
    """Bring a release to the next environment."""
    APPROVE = "approve"
    BACK_UP = "back-up"
    """Copy what a service keeps, and try to restore such a copy beside it."""
    RESTORE = "restore"
    """Put a copy in the place of what a service keeps."""
    DESTROY = "destroy"
    REGISTER = "register"
    """A service, under a team of one's own."""
    TRANSFER = "transfer"
    """Give a service to another team."""
    GRANT = "grant"
    """Roles on a service, and its deploy tokens."""
    EXCEPT = "except"
    """Allow a service what a policy forbids, for a time."""
    FREEZE = "freeze"
    ADMINISTER = "administer"
    """People, teams, environments, policies."""
    AUDIT = "audit"
    """Read what everybody did."""


class Actor(msgspec.Struct, frozen=True):
    """Who acts, as it was proven.

    Attributes:
        name: Unique: of a person, of a service ``<environment>/<service>``, or of a token ``token:<id>``.
        kind: What it is.
        teams: A person's, at this moment.
        behind: Who made the token; empty for others. Whoever made it is no second person for an approval.
        glass: Number of the break-glass access that it acts under; 0 for none.
    """

    name: str
    kind: Literal["person", "service", "token", "platform"]
    teams: frozenset[str] = frozenset()
    behind: str = ""
    glass: int = 0


class Gate(abc.ABC):
    """The one place that decides who may do what."""

    @abc.abstractmethod
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        """Return who asks, when that one may do this.

        Args:
            ctx: Who asks.
            action: What.
            service: To which; None where it concerns none.
            environment: Where; None where it concerns all of them.

        Raises:
            Denied: The message says which role is missing and who can give it. What was refused is in the audit log.
            Unauthenticated: The token has ended, was revoked or is unknown.
        """

    async def who_may(
        self, action: Action, names: Collection[str], *, service: str, environment: str
    ) -> frozenset[str] | None:
        """Return those people and teams of whom somebody may do this; None where nobody knows.

        Args:
            action: What.
            names: People, and teams.
            service: To which.
            environment: Where.
        """
        return None


class Withdrawals(abc.ABC):
    """What was taken away, kept where a database that is restored to an older moment does not give it back.

    Something is called ``<kind>/<name>``. What takes it away says so before its transaction commits, and what gives it again after:
    whatever dies in between, it stays closed.
    """

    @abc.abstractmethod
    async def take(self, what: Collection[str]) -> None:
        """Remember that something is taken away."""

    @abc.abstractmethod
    async def give(self, what: Collection[str]) -> None:
        """Remember that something is given again."""

    @abc.abstractmethod
    def is_taken(self, what: str) -> bool:
        """Tell whether something was taken away and not given again."""


class Book(abc.ABC):
    """The audit log."""

    @abc.abstractmethod
    async def note(
        self,
        session: Session,
        actor: Actor,
        action: str,
        subject: str,
        **fields: Field,
    ) -> None:
        """Write down a change, in the transaction of the change that the session is in.

        Args:
            session: Stands in a transaction.
            actor: Who.
            action: What, in dotted words: ``release.deployed``.
            subject: To what: ``prod/orders``, ``team/commerce``.
            fields: Further particulars; never a secret.
        """


class Places(abc.ABC):
    """What the gate asks of the registry, which lies above it: whose a service is, and of what type an environment is."""

    @abc.abstractmethod
    async def team_of(self, service: str) -> str | None:
        """Return who owns a service; None where nobody registered it."""

    @abc.abstractmethod
    async def type_of(self, environment: str) -> str | None:
        """Return the type of an environment; None where there is none of this name."""

    @abc.abstractmethod
    async def owned_by(self, team: str) -> int:
        """Return how many services a team owns."""


class Environment(msgspec.Struct, frozen=True):
    """Somewhere services run.

    Attributes:
        name: What descriptors and commands call it.
        type: Which part of ``environments`` in a descriptor holds there.
        region: Empty where it has none.
        target: Name of the target that it is bound to.
        after: The environment that a release passes before this one; empty when there is none.
        keep: How many releases are kept to go back to, unless a descriptor says otherwise.
    """

    name: str
    type: Literal["local", "dev", "staging", "prod"]
    region: str = ""
    target: str = "here"
    after: str = ""
    keep: int = 5


class Teams(abc.ABC):
    """Which teams there are, and what they gave of a service."""

    @abc.abstractmethod
    async def is_team(self, session: Session, name: str) -> bool:
        """Tell whether there is a team of this name, as the session sees it."""

    @abc.abstractmethod
    async def end_roles(self, session: Session, actor: Actor, service: str, before: str) -> None:
        """End all roles that were given over one service alone, as it goes to another team; noted in the audit log.

        Args:
            session: In the transaction.
            actor: Who gives it.
            service: Which.
            before: Its team until now, which has it no more.
        """

    @abc.abstractmethod
    async def has(self, team: str, service: str) -> None:
        """Hear that a service was given to a team, once that is so."""


class Registered(msgspec.Struct, frozen=True):
    """A service that has an owner.

    Attributes:
        name: Unique on the platform.
        team: Who owns it.
        tier: 0 to 3, as the descriptor says; None before its first deploy.
        description: In a sentence.
        links: Addresses by what they are.
        since: When it was registered.
        by: By whom.
    """

    name: str
    team: str
    tier: int | None
    description: str
    links: dict[str, str]
    since: datetime
    by: str


class Registry(abc.ABC):
    """Who owns what, and where it may run."""

    @abc.abstractmethod
    async def claim(
        self,
        session: Session,
        actor: Actor,
        service: str,
        *,
        team: str,
        tier: int | None,
        description: str,
    ) -> Registered:
        """Register a service by its first deploy, or bring its words up to date when its team deploys it again.

        Raises:
            Denied: The name belongs to another team, or ``actor`` is in no way of ``team``.
            NotFound: There is no such team.
        """

    @abc.abstractmethod
    async def appeared(self, session: Session, service: str, environment: str) -> None:
        """Note, in the transaction of the release, that a service runs somewhere. Idempotent."""

    @abc.abstractmethod
    async def disappeared(self, session: Session, service: str, environment: str) -> None:
        """Note, in the transaction that records its end, that a service runs there no more. Idempotent."""

    @abc.abstractmethod
    async def service(self, name: str) -> Registered | None:
        """Return a service; None where nobody registered it."""

    @abc.abstractmethod
    async def environment(self, name: str) -> Environment:
        """Return an environment.

        Raises:
            NotFound: The message lists those that there are.
        """

    @abc.abstractmethod
    async def every_environment(self) -> list[Environment]:
        """Return all environments, by name."""


class Copies(msgspec.Struct, frozen=True):
    """Copies of data, as a descriptor wants them.

    Attributes:
        interval: Seconds between two copies, ``every`` of the descriptor.
        keep: For how many seconds a copy is kept.
        point_in_time: Whether any moment can be gone back to.
        copy_to: Further regions that hold a copy.
        restore_test: Seconds between two trials to restore one.
    """

    interval: float
    keep: float
    point_in_time: bool
    copy_to: tuple[str, ...]
    restore_test: float


class DeclaredResource(msgspec.Struct, frozen=True):
    """What a descriptor says of a resource that stands in no stack.

    Attributes:
        type: As in the descriptor: ``postgres``, ``bucket``, ``queue``.
        backup: Copies of its data, as is usual for its type where the descriptor does not say; None where none are made.
        data: Classes of the data that it holds.
        public: Whether anybody may read it, as a bucket can be.
        tags: For the cost report and the like.
    """

    type: str
    backup: Copies | None = None
    data: tuple[str, ...] = ()
    public: bool = False
    tags: dict[str, str] = {}


class Declared(msgspec.Struct, frozen=True):
    """What a descriptor says for an environment that stands in no stack, by value.

    Attributes:
        oncall: Rota that is woken up; None where nobody is.
        contact: How to reach the owner.
        cost_centre: Who pays.
        tags: For the catalogue and the like.
        data: Classes of the data that the service holds.
        resources: By name.
    """

    oncall: str | None = None
    contact: str | None = None
    cost_centre: str | None = None
    tags: dict[str, str] = {}
    data: tuple[str, ...] = ()
    resources: dict[str, DeclaredResource] = {}


class Change(msgspec.Struct, frozen=True):
    """What is about to be deployed, for those who judge it.

    Attributes:
        service: Which.
        environment: Where.
        team: Who owns it.
        actor: Who wants it.
        kind: A deploy, a way back, or a release that was elsewhere before.
        stacks: The five compiled stacks, as JSON objects.
        plan: What it changes, with the findings of the dependency check.
        at: Now.
        declared: What the descriptor says beside the stacks.
        artefact: Digest of what must run; empty where the target takes what it finds.
    """

    service: str
    environment: Environment
    team: str
    actor: Actor
    kind: Literal["deploy", "rollback", "promotion"]
    stacks: dict[str, object]
    plan: PlanView
    at: datetime
    declared: Declared = Declared()
    artefact: str = ""


class Finding(msgspec.Struct, frozen=True):
    """What a policy says of a change.

    Attributes:
        policy: Its name.
        effect: Whether the change is refused for it; excepted is what would be, but somebody allowed it.
        text: What is wrong and what to do.
        line: Of the descriptor, 0 when it is about no line.
        exception: Whose exception, and until when; empty when there is none.
    """

    policy: str
    effect: Literal["refuse", "warn", "excepted"]
    text: str
    line: int = 0
    exception: str = ""


class Guard(abc.ABC):
    """Policies over changes."""

    @abc.abstractmethod
    async def judge(self, change: Change) -> list[Finding]:
        """Say everything that there is to say of a change.

        A policy that cannot be evaluated refuses. A freeze refuses deploys and promotions, never a way back.
        """
