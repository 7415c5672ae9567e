"""A platform that notes who asks it for what, and whose lines go on until their reader leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.api import ExecOutput, HistoryEvent, LogRecord, Progress
from drystone.l25_deployer.backups.api import (
    BackupsApi,
    BackupView,
    PlannedBackups,
    ResourceBackups,
)
from drystone.l25_deployer.jobs.api import JobsApi, RunOutput, RunView
from drystone.l25_deployer.operations.api import Forwarding, OperationsApi
from drystone.l25_deployer.stacks.sizes import ServiceSize, UsedService
from drystone.l35_mesh.observed.api import Durations, ObservedApi, Refusals
from l85_surfaces.cli.small_platform import SmallPlatform

NOW = datetime.fromisoformat("2026-05-04T10:00Z")
Asked = list[tuple[str, str, object]]


class Runner(SmallPlatform):
    """Has the service ``orders`` everywhere, runs what it is asked for, and counts who reads its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = 0
        self.left = asyncio.Event()

    @override
    async def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        yield ExecOutput(f"{ctx.caller.name}: {' '.join(command)}", 0)

    @override
    async def logs(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        group: str | None = None,
        release: int | None = None,
        lines: int = 100,
        follow: bool = False,
        instance: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[LogRecord]:
        self.reading += 1
        try:
            yield LogRecord("orders-1-web-1", 1, "hello")
            if follow:
                await asyncio.Event().wait()
        finally:
            self.reading -= 1
            self.left.set()


class Hands(OperationsApi):
    """Operates what it is asked to."""

    def __init__(self) -> None:
        self.asked: Asked = []

    @override
    async def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "scale", instances))
        yield Progress(NOW, "done", "info", "scaled")

    @override
    async def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "restart", group))
        yield Progress(NOW, "done", "info", "restarted")

    @override
    async def rotate(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "rotate", resource))
        yield Progress(NOW, "done", "info", "rotated")

    @override
    async def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        yield HistoryEvent(NOW, "ann", "deployed", "release 1 serves")

    @override
    async def send(
        self, ctx: Context, *, environment: str, service: str, queue: str, body: str
    ) -> str:
        raise NotImplementedError

    @override
    async def sizes(self, ctx: Context) -> list[ServiceSize]:
        raise NotImplementedError

    @override
    async def uses(self, ctx: Context, *, month: str) -> list[UsedService]:
        raise NotImplementedError

    @override
    async def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        self.asked.append((ctx.caller.name, "forward", to))
        yield Forwarding("127.0.0.1:1", "db:5432")


class Eyes(ObservedApi):
    """Saw nothing."""

    @override
    async def refusals(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> Refusals:
        return Refusals([], 0, 0)

    @override
    async def durations(self, ctx: Context) -> Durations:
        return Durations([])


class Bench(JobsApi):
    """Runs every job that it is asked for.

    Args:
        asked: Where it is noted.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    @override
    async def run(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        job: str,
        arguments: list[str] | None = None,
    ) -> RunView:
        self.asked.append((ctx.caller.name, "run", job))
        return self._run(ctx)

    @override
    async def runs(self, ctx: Context, *, environment: str, service: str) -> list[RunView]:
        return [self._run(ctx)]

    @override
    async def output(
        self, ctx: Context, *, environment: str, service: str, run: str, follow: bool = False
    ) -> AsyncIterator[RunOutput]:
        yield RunOutput(run=self._run(ctx))

    @override
    async def stop(
        self, ctx: Context, *, environment: str, service: str, run: str, reason: str = ""
    ) -> RunView:
        self.asked.append((ctx.caller.name, "stop", run))
        return self._run(ctx)

    def _run(self, ctx: Context) -> RunView:
        return RunView(
            id="r1",
            job="report",
            command=["report"],
            by=ctx.caller.name,
            asked=NOW,
            state="succeeded",
        )


class Shelf(BackupsApi):
    """Makes every copy that it is asked for.

    Args:
        asked: Where it is noted.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    @override
    async def backups(
        self, ctx: Context, *, environment: str, service: str
    ) -> list[ResourceBackups]:
        one = BackupView(
            id="b",
            at=NOW,
            release=1,
            reason="asked",
            by="ada",
            size=1,
            seconds=1,
            parts=1,
            counted=1,
            folder="/home/b",
        )
        return [ResourceBackups(resource="db", type="postgres", backups=[one])]

    @override
    async def take(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "backup", resource))
        yield Progress(NOW, "done", "info", "copied")

    @override
    async def take_whole(
        self, ctx: Context, *, folder: str | None = None
    ) -> AsyncIterator[Progress]:
        raise NotImplementedError
        yield

    @override
    async def planned_whole(self, ctx: Context) -> PlannedBackups:
        raise NotImplementedError

    @override
    async def plan_whole(
        self, ctx: Context, *, every: float, keep: float, folder: str | None = None
    ) -> PlannedBackups:
        raise NotImplementedError

    @override
    async def end_whole_plan(self, ctx: Context) -> None:
        raise NotImplementedError

    @override
    async def restore(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
        at: datetime | None = None,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "restore", (resource, backup, at, confirm)))
        yield Progress(NOW, "done", "info", "restored")

    @override
    async def prove(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "restore-test", resource))
        yield Progress(NOW, "done", "info", "nothing differs")
