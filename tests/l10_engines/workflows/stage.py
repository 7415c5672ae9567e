"""A schema with workflows, workers on it, and a list of what their steps did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from drystone.l00_kernel.ports import Log
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.workflows.model import WorkflowView
from drystone.l10_engines.workflows.run import AnyDefinition, Definition, Run
from drystone.l10_engines.workflows.worker import Worker, WorkerSettings
from drystone.l10_engines.workflows.workflows import Workflows, prepare

LIMIT_S = 60.0
QUICK = WorkerSettings(
    lease=timedelta(seconds=20), poll=timedelta(milliseconds=200), hold=timedelta(milliseconds=5)
)


def kind_of(
    run: Callable[[Run, Any], Awaitable[Any]],
    *,
    name: str = "work",
    version: int = 1,
    takes: Any = str,
    gives: Any = str,
) -> Definition[Any, Any]:
    """Make a definition of a function of a test."""
    return Definition(name=name, version=version, takes=takes, gives=gives, run=run)


class Stage:
    """Tables of workflows, and ways to work on them."""

    def __init__(self, access: DatabaseAccess, schema: str) -> None:
        self.database = Database(access, schema, most=8)
        self.workflows = Workflows(self.database)

    @staticmethod
    @asynccontextmanager
    async def opened(access: DatabaseAccess, schema: str) -> AsyncIterator[Stage]:
        stage = Stage(access, schema)
        try:
            await prepare(stage.database)
            yield stage
        finally:
            await stage.database.close()

    @asynccontextmanager
    async def worker(
        self,
        *definitions: AnyDefinition,
        settings: WorkerSettings = QUICK,
        log: Log | None = None,
    ) -> AsyncIterator[Worker]:
        """Let a worker run, and stop it in the end."""
        database = Database(self.database.access, self.database.schema, most=8)
        worker = Worker(database, definitions, settings=settings, log=log)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            try:
                async with asyncio.timeout(LIMIT_S):
                    await task
            finally:
                await database.close()

    async def until(self, id_: str, condition: Callable[[WorkflowView], bool]) -> WorkflowView:
        """Wait until a condition holds of a workflow."""
        async with asyncio.timeout(LIMIT_S):
            while not condition(view := await self.workflows.show(id_)):  # noqa: ASYNC110 - another process may change it
                await asyncio.sleep(0.01)
        return view

    async def names(self, id_: str) -> list[str]:
        """Name what stands in a journal, in order."""
        return [f"{step.kind} {step.name}" for step in await self.workflows.steps(id_)]

    async def ids(self, *, most: int = 1000) -> Sequence[str]:
        """Return the ids of all workflows in the order of their starts."""
        return [one.id for one in reversed(await self.workflows.find(most=most))]
