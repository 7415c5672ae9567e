"""What the rate limiter promises to applications and to people."""

from __future__ import annotations

import abc
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
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


class LimitsApi(Api):
    """Ask whether something is within a limit, and look at limits."""

    name: ClassVar[str] = "limits"
    errors = (errors.LimitNotFound, errors.NotYourLimit, errors.NobodyCounts)

    @call("GET", "/v1/limits")
    @abc.abstractmethod
    async def limits(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> list[LimitUse]:
        """List the limits that are counted in one place, by environment, service and name.

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
