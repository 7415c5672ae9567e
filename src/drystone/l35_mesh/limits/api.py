"""What the rate limiter promises to applications, and what is told to people about limits."""

from __future__ import annotations

import abc
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l25_deployer.errors import ServiceNotFound
from drystone.l35_mesh.limits import errors

Cost = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Decision(msgspec.Struct, frozen=True):
    """What was decided about one piece of work.

    Attributes:
        allowed: Whether it may be done.
        over: Whether it is over the limit; in shadow it may be done all the same.
        remaining: How much more may follow at once.
        reset: When everything that was used is given back, if nothing follows.
        retry: After how long it would be allowed; None when it is, or never would be.
    """

    allowed: bool
    over: bool
    remaining: int
    reset: timedelta
    retry: timedelta | None = None


class NameUse(msgspec.Struct, frozen=True):
    """What one name has used of a limit.

    Attributes:
        name: Who is counted, such as a caller; empty where all are counted together or did not say who they are.
        used: How much is used up now.
        left: How much more may follow at once.
    """

    name: str
    used: int
    left: int


class LimitUse(msgspec.Struct, frozen=True):
    """One limit that is counted in one place, and what came of it since the limiter started.

    Attributes:
        environment: Where the service is.
        service: Its name.
        limit: What the limit is called.
        count: Calls in one period.
        period: See ``count``.
        algorithm: How it is counted.
        match: Which requests it is about.
        shadow: Whether what is over it is let through all the same.
        when_down: What happens to requests while nobody can count.
        admitted: How many calls it let through.
        over: How many were over it.
        names: How many callers are kept in memory at the moment.
        nearest: Of these, those that have used most, the most first; a store is not asked for them.
    """

    environment: str
    service: str
    limit: str
    count: int
    period: timedelta
    algorithm: str
    match: str
    shadow: bool
    when_down: Literal["open", "closed"]
    admitted: int
    over: int
    names: int
    nearest: list[NameUse] = []


class Uses(msgspec.Struct, frozen=True):
    """What came of limits.

    Attributes:
        limits: By environment, service and name.
        counting_for: For how long the limiter has counted.
    """

    limits: list[LimitUse]
    counting_for: timedelta


class LimitsApi(Api):
    """Ask whether something is within a limit, and look at limits."""

    name: ClassVar[str] = "limits"
    errors = (errors.LimitNotFound, errors.NotYourLimit, errors.NobodyCounts)

    @call("GET", "/v1/limits")
    @abc.abstractmethod
    async def limits(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> Uses:
        """Tell of the limits that are counted in one place, and what came of each since the limiter was started.

        Args:
            ctx: Who asks.
            environment: Only there.
            service: Only of this service.
        """

    @call("POST", "/v1/limits/{environment}/{service}/{limit}/check")
    @abc.abstractmethod
    async def check(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        limit: str,
        key: str = "",
        cost: Cost = 1,
    ) -> Decision:
        """Count a piece of work, and tell whether it may be done.

        For work that is no request of its own: a row of an import, a mail, a page of a report.

        Args:
            ctx: Who asks; a service may only ask for its own limits.
            environment: Where the service is.
            service: Its name.
            limit: Which of its limits; one with ``counted: exact``.
            key: Who is counted, such as a tenant; whatever the limit counts by in requests.
            cost: What it counts for.

        Raises:
            LimitNotFound: There is no such limit.
            NotYourLimit: It is another service's.
            NobodyCounts: The limit is closed when nobody can count, and nobody can.
        """


class HeldLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit, and what came of it.

    Attributes:
        environment: Where the service is.
        service: Its name.
        limit: What the limit is called.
        count: Calls in one period.
        period: See ``count``.
        match: Which requests it is about; ``none`` for what the service itself asks about alone.
        per: Who is counted; with ``header``, by which one.
        counted: Where: ``local`` and ``shared`` in the proxy, ``exact`` in the limiter.
        algorithm: How it is counted.
        shadow: Whether what is over it is let through all the same.
        burst: Calls at once; None for what counts in windows.
        header: See ``per``.
        when_down: What happens to requests while nobody can count; None where that cannot happen.
        admitted: How many calls it let through; None while who counts does not tell.
        over: How many were over it: refused, or in shadow let through all the same; None as above.
        nearest: Of an exact limit that is counted in memory, the names that have used most of it, the most first.
    """

    environment: str
    service: str
    limit: str
    count: int
    period: timedelta
    match: str
    per: str
    counted: Literal["local", "shared", "exact"]
    algorithm: str
    shadow: bool = False
    burst: int | None = None
    header: str | None = None
    when_down: Literal["open", "closed"] | None = None
    admitted: int | None = None
    over: int | None = None
    nearest: list[NameUse] = []


class Uncounted(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to a service about which nobody could be asked.

    Attributes:
        environment: Where the service is.
        service: Its name.
        passed: How many were let through, since their limits say ``when_down: open``.
        refused: How many were refused, since their limits say ``when_down: closed``.
    """

    environment: str
    service: str
    passed: int
    refused: int


class HeldLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a platform.

    Attributes:
        limits: By environment, service and name.
        uncounted: Services with requests about which nobody could be asked.
        proxy_for: For how long the proxy has counted; None while it does not tell.
        limiter_for: For how long the limiter has; None while no limit needs it, or it does not tell.
        problems: Why some of it is not told.
    """

    limits: list[HeldLimit]
    uncounted: list[Uncounted] = []
    proxy_for: timedelta | None = None
    limiter_for: timedelta | None = None
    problems: list[str] = []


class HeldApi(Api):
    """Tell which limits hold."""

    name: ClassVar[str] = "held-limits"
    errors = (ServiceNotFound,)

    @call("GET", "/v1/held-limits")
    @abc.abstractmethod
    async def held(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> HeldLimits:
        """List the limits of services that run, and what came of each since who counts it was started.

        Args:
            ctx: Who asks.
            environment: Only there.
            service: Only of services of this name.

        Raises:
            ServiceNotFound: There is no service of this name.
        """
