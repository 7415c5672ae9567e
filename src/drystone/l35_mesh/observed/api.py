"""What the mesh tells of what it saw."""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar

import msgspec

from drystone.l00_kernel.contract import Api, Context, call


class RefusalView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a service tried and was refused.

    Attributes:
        caller: Who tried, as ``<environment>/<service>``; empty for somebody who does not say who it is.
        target: What it tried to reach: ``<environment>/<service>``, ``host:port``, a name, or part of the platform.
        component: What the dependency model calls the target; empty where that has no name for it.
        what: What was tried, as a sentence.
        times: How often.
        first: When first.
        last: When last.
        do: What to do about it.
        line: The line that allows it, as YAML; None where nothing does, or nothing has to be added.
        descriptor: The service in whose descriptor the line goes, as ``<environment>/<service>``; empty without a line.
    """

    caller: str
    target: str
    component: str
    what: str
    times: int
    first: datetime
    last: datetime
    do: str
    line: str | None = None
    descriptor: str = ""


class Refusals(msgspec.Struct, frozen=True):
    """What was refused during the last day.

    Attributes:
        refusals: The latest first.
        left_out: How many more attempts were made that are not told one by one.
        unread: Bytes of the log that nobody could read in time, or that tell nothing.
    """

    refusals: list[RefusalView]
    left_out: int
    unread: int


class CallTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long the calls of one service to another took, until the answer was whole.

    Attributes:
        caller: Who calls, as ``<environment>/<service>``; empty for all who come by the edge.
        callee: Who is called, likewise.
        calls: How many were timed.
        p50: Half of them took at most so many seconds; None where the longest bucket does not tell.
        p95: So did 95 of 100.
        p99: So did 99 of 100.
    """

    caller: str
    callee: str
    calls: int
    p50: float | None
    p95: float | None
    p99: float | None


class Durations(msgspec.Struct, frozen=True):
    """How long calls took.

    Attributes:
        durations: By who calls and who is called; those alone that were made. Nothing while no proxy answers.
        since: From when on: some five to ten minutes ago, or when the platform began. None where all calls count since the
            proxy began, which may be long ago.
    """

    durations: list[CallTimes]
    since: datetime | None = None


class ObservedApi(Api):
    """Tell what services tried and were refused, and how long their calls take."""

    name: ClassVar[str] = "observed"
    errors = ()

    @call("GET", "/v1/refusals")
    @abc.abstractmethod
    async def refusals(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> Refusals:
        """Tell what was refused, to the services that tried and by those that were called.

        Args:
            ctx: Who asks.
            environment: Only what concerns services there.
            service: Only what concerns services of this name.
        """

    @call("GET", "/v1/durations")
    @abc.abstractmethod
    async def durations(self, ctx: Context) -> Durations:
        """Tell how long calls between services took, as the proxies of those who call count them.

        Args:
            ctx: Who asks.
        """
