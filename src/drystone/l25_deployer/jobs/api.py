"""What jobs promise: a run is remembered before it is answered, and no attempt of one begins twice.

An attempt begins in the release that serves then, and goes on to its end whatever is deployed meanwhile, and whether or not the agent lives.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l25_deployer import errors
from drystone.l25_deployer.jobs.errors import JobNotFound, RunNotFound, RunRefused, TooManyRuns

State: TypeAlias = Literal["waiting", "running", "succeeded", "failed", "stopped"]


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a run.

    Attributes:
        instance: Id of the instance that it is, or was.
        release: Number of the release that it belongs to.
        began: When.
        ended: When; None while it runs, or if nobody recorded it.
        code: Exit code; None while it runs, or if nobody recorded it.
        reason: How it ended, in words.
    """

    instance: str
    release: int
    began: datetime
    ended: datetime | None = None
    code: int | None = None
    reason: str = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a job.

    Attributes:
        id: By which it is named.
        job: Which job.
        command: What runs.
        by: Who asked.
        asked: When.
        state: How it stands.
        reason: Why it failed or was stopped; empty otherwise.
        attempts: In their order.
    """

    id: str
    job: str
    command: list[str]
    by: str
    asked: datetime
    state: State
    reason: str = ""
    attempts: list[AttemptView] = []


class RunOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of what a run writes, or how it stands at the end.

    Attributes:
        text: What it wrote.
        run: Last of all.
    """

    text: str = ""
    run: RunView | None = None


class JobsApi(Api):
    """Run jobs of services on this machine."""

    name: ClassVar[str] = "jobs"
    errors = (errors.ServiceNotFound, JobNotFound, RunNotFound, TooManyRuns, RunRefused)

    @call("POST", "/v1/environments/{environment}/services/{service}/jobs/{job}/runs")
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
        """Have a job run; it begins as soon as fewer run than may. The run is on disk when this returns.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Whose.
            job: Which.
            arguments: What follows the command of the descriptor.

        Raises:
            ServiceNotFound: It is not deployed there.
            JobNotFound: The release that serves has no such job.
            TooManyRuns: As many wait as may wait.
            RunRefused: The arguments are too long.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/jobs")
    @abc.abstractmethod
    async def runs(self, ctx: Context, *, environment: str, service: str) -> list[RunView]:
        """List the runs that are remembered, the latest first.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Whose.

        Raises:
            ServiceNotFound: It is not deployed there.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/runs/{run}/output")
    @abc.abstractmethod
    def output(
        self, ctx: Context, *, environment: str, service: str, run: str, follow: bool = False
    ) -> AsyncIterator[RunOutput]:
        """Stream what the last attempt of a run has written, and last how the run stands.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Whose.
            run: Which.
            follow: Go on until the run has ended, attempt after attempt.

        Raises:
            ServiceNotFound: It is not deployed there.
            RunNotFound: It is not remembered.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/runs/{run}/stop")
    @abc.abstractmethod
    async def stop(
        self, ctx: Context, *, environment: str, service: str, run: str, reason: str = ""
    ) -> RunView:
        """Have a run stop, which is not tried again; one that has ended stays as it is.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Whose.
            run: Which.
            reason: Why, for the record.

        Raises:
            ServiceNotFound: It is not deployed there.
            RunNotFound: It is not remembered.
        """
