"""What guardrails promise: policies, exceptions that somebody allowed, freezes; and what they say of a change before it is made."""

from __future__ import annotations

import abc
from datetime import date, datetime
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.contract import Api, Context, Page, call
from drystone.l50_orchestrator.guardrails import errors
from drystone.l50_orchestrator.ports import Finding

Type: TypeAlias = Literal["local", "dev", "staging", "prod"]
Mode: TypeAlias = Literal["refuse", "warn", "off"]


class Case(msgspec.Struct, frozen=True):
    """What a policy is to find.

    Attributes:
        name: What is tried, in words.
        input: What is different from the tidy service of the reference; mappings are merged, an empty one empties,
            and all else is put in its place.
        deny: Parts of the texts that refuse, one for each; none when empty.
        warn: Likewise, of those that warn.
    """

    name: str
    input: dict[str, Any] = {}
    deny: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()


class PolicySaid(msgspec.Struct, frozen=True):
    """A policy.

    Attributes:
        text: Rego, ``package drystone.<name>``; finds by the sets ``deny`` and ``warn`` of ``{"text": …, "line": …}``.
        description: What it is for, in a sentence or two.
        team: Who looks after it.
        since: The first day on which it refuses; it warns before.
        severity: Whether what it denies refuses, or warns only.
        environments: Where it holds, by name; everywhere when empty.
        types: Where it holds, by type of environment; in all when empty.
        tiers: For which services; for all when empty.
        cases: What it was tried on. They are run when it is put.
    """

    text: str
    description: str
    team: str
    since: date
    severity: Literal["refuse", "warn"] = "refuse"
    environments: tuple[str, ...] = ()
    types: tuple[Type, ...] = ()
    tiers: tuple[int, ...] = ()
    cases: tuple[Case, ...] = ()


class PolicyView(msgspec.Struct, frozen=True):
    """A policy, and who put it there.

    Attributes:
        name: Unique; a policy of the house keeps its name.
        said: What it says.
        is_house: Whether it comes with the platform.
        mode: What an admin made of it: refuses as it says, warns only, or is not asked at all.
        reason: Why, where that is not ``refuse``.
        by: Who put it or set its mode last; empty for one of the house that nobody touched.
        at: When.
    """

    name: str
    said: PolicySaid
    is_house: bool
    mode: Mode = "refuse"
    reason: str = ""
    by: str = ""
    at: datetime | None = None


class Tried(msgspec.Struct, frozen=True):
    """What a policy would do.

    Attributes:
        failed: Its cases that did not come out as they say, and how they did.
        findings: What it says of the change; empty without one.
    """

    failed: tuple[str, ...]
    findings: tuple[Finding, ...]


class Judgement(msgspec.Struct, frozen=True):
    """A change that was judged.

    Attributes:
        number: What to try policies on.
        at: When.
        kind: ``deploy``, ``rollback`` or ``promotion``.
        by: Who wanted it.
        findings: What was said of it.
    """

    number: int
    service: str
    environment: str
    at: datetime
    kind: str
    by: str
    findings: tuple[Finding, ...]


class ExceptionSaid(msgspec.Struct, frozen=True):
    """That a service may do what a policy forbids.

    Attributes:
        policy: Its name, or ``freeze/<name>``.
        service: Which.
        environment: Where, by name; empty when ``type`` says it.
        type: Where, by type of environment; None when ``environment`` says it.
        reason: Why.
        owner: Who sees to it that it is not needed any more.
        until: Its last day (UTC), at most 90 days from today.
    """

    policy: str
    service: str
    reason: str
    owner: str
    until: date
    environment: str = ""
    type: Type | None = None


class ExceptionView(msgspec.Struct, frozen=True):
    """An exception, and how far it is.

    Attributes:
        name: What findings call it.
        said: What it says.
        asked_by: Who asked.
        asked_at: When.
        allowed_by: Who allowed it, always somebody else; empty while nobody has, and it does not count.
        allowed_at: When.
        state: Whether it counts.
        days_left: From today to its last day; negative when that is past.
    """

    name: str
    said: ExceptionSaid
    asked_by: str
    asked_at: datetime
    allowed_by: str
    allowed_at: datetime | None
    state: Literal["asked", "counts", "expired"]
    days_left: int


class FreezeSaid(msgspec.Struct, frozen=True):
    """A time in which nothing changes.

    Attributes:
        start: By the clock on the wall there, ``2026-12-20T18:00``.
        end: Likewise.
        zone: Where that wall is, ``Europe/Berlin``. Where its clock is put back or forward in that hour, the longer time holds.
        reason: Why, for those who are refused.
        environments: By name; all when this, ``types`` and ``teams`` are empty. Given ones hold together.
        types: By type of environment.
        teams: Owners of services.
    """

    start: str
    end: str
    reason: str
    zone: str = "UTC"
    environments: tuple[str, ...] = ()
    types: tuple[Type, ...] = ()
    teams: tuple[str, ...] = ()


class FreezeView(msgspec.Struct, frozen=True):
    """A freeze, and whether it holds now.

    Attributes:
        name: What findings call it.
        said: What it says.
        start: In UTC.
        end: Likewise.
        is_on: Whether it holds now.
        by: Who said so.
    """

    name: str
    said: FreezeSaid
    start: datetime
    end: datetime
    is_on: bool
    by: str


class GuardrailsApi(Api):
    """Say what may be deployed."""

    name: ClassVar[str] = "guardrails"
    errors = (
        errors.PolicyRefused,
        errors.PolicyNotFound,
        errors.ExceptionUnfit,
        errors.ExceptionNotFound,
        errors.ExceptionHasChanged,
        errors.ExceptionHasEnded,
        errors.SamePerson,
        errors.FreezeUnfit,
        errors.JudgementNotFound,
        errors.JudgedUnreadable,
    )

    @call("GET", "/v1/policies")
    @abc.abstractmethod
    async def policies(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 100
    ) -> Page[PolicyView]:
        """List all policies by name, those of the house among them."""

    @call("GET", "/v1/policies/{name}")
    @abc.abstractmethod
    async def policy(self, ctx: Context, *, name: str) -> PolicyView:
        """Tell everything about one policy.

        Raises:
            PolicyNotFound: There is none.
        """

    @call("PUT", "/v1/policies/{name}")
    @abc.abstractmethod
    async def put_policy(self, ctx: Context, *, name: str, said: PolicySaid) -> PolicyView:
        """Keep a policy; the next change is judged by it.

        Raises:
            PolicyRefused: It has mistakes, each told with its line, or fails a case of its own; nothing has changed.
        """

    @call("DELETE", "/v1/policies/{name}")
    @abc.abstractmethod
    async def remove_policy(self, ctx: Context, *, name: str) -> None:
        """Remove a policy; one that is not there is removed already.

        Raises:
            PolicyRefused: It is one of the house, which is switched off instead, by its mode.
        """

    @call("PUT", "/v1/policies/{name}/mode")
    @abc.abstractmethod
    async def set_mode(self, ctx: Context, *, name: str, mode: Mode, reason: str) -> PolicyView:
        """Let a policy refuse as it says, warn only, or not be asked.

        Raises:
            PolicyNotFound: There is none.
        """

    @call("POST", "/v1/policies/{name}/try")
    @abc.abstractmethod
    async def try_policy(
        self, ctx: Context, *, name: str, said: PolicySaid, judgement: int | None = None
    ) -> Tried:
        """Tell what a policy would do, and keep nothing.

        Args:
            ctx: Who asks.
            name: What it would be called.
            said: What it says.
            judgement: The number of a change that was judged, to judge it by this.

        Raises:
            PolicyRefused: It has mistakes.
            JudgementNotFound: That one is not kept any more.
        """

    @call("GET", "/v1/judgements")
    @abc.abstractmethod
    async def judgements(self, ctx: Context, *, service: str) -> list[Judgement]:
        """List the latest changes of a service that were judged, newest first."""

    @call("GET", "/v1/exceptions")
    @abc.abstractmethod
    async def exceptions(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 100
    ) -> Page[ExceptionView]:
        """List all exceptions by name; expired ones stay listed until they are ended."""

    @call("PUT", "/v1/exceptions/{name}")
    @abc.abstractmethod
    async def ask_exception(self, ctx: Context, *, name: str, said: ExceptionSaid) -> ExceptionView:
        """Ask for an exception; it counts when somebody else has allowed it. One that is changed is to be allowed again.

        Raises:
            ExceptionUnfit: It cannot be like this.
        """

    @call("PUT", "/v1/exceptions/{name}/allowed")
    @abc.abstractmethod
    async def allow_exception(
        self, ctx: Context, *, name: str, said: ExceptionSaid
    ) -> ExceptionView:
        """Allow what somebody else asked for.

        Args:
            ctx: Who allows it.
            name: Of the exception.
            said: What is allowed, as it was read: what was changed meanwhile is not allowed by it.

        Raises:
            ExceptionNotFound: There is none.
            ExceptionHasChanged: It says something else by now.
            ExceptionHasEnded: Its last day is past.
            SamePerson: The caller asked for it, or made the token that did, or the other way round.
        """

    @call("DELETE", "/v1/exceptions/{name}")
    @abc.abstractmethod
    async def end_exception(self, ctx: Context, *, name: str) -> None:
        """End an exception; one that is not there has ended already."""

    @call("GET", "/v1/freezes")
    @abc.abstractmethod
    async def freezes(self, ctx: Context) -> list[FreezeView]:
        """List all freezes by their start."""

    @call("PUT", "/v1/freezes/{name}")
    @abc.abstractmethod
    async def freeze(self, ctx: Context, *, name: str, said: FreezeSaid) -> FreezeView:
        """Let nothing change for a time; ways back stay open.

        Raises:
            FreezeUnfit: It cannot be like this.
        """

    @call("DELETE", "/v1/freezes/{name}")
    @abc.abstractmethod
    async def lift(self, ctx: Context, *, name: str) -> None:
        """Lift a freeze; one that is not there is lifted already."""
