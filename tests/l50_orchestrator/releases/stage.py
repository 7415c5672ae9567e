"""Tables of releases, a service on them, and workers that carry out what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from drystone.l00_kernel.context import Caller, Context
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l10_engines.workflows.worker import Worker, WorkerSettings
from drystone.l10_engines.workflows.workflows import Workflows, prepare
from drystone.l25_deployer.api import Source
from drystone.l50_orchestrator.ports import Environment, Gate
from drystone.l50_orchestrator.releases import store
from drystone.l50_orchestrator.releases.api import ReleaseSummary, ReleaseView
from drystone.l50_orchestrator.releases.parts import Pace
from drystone.l50_orchestrator.releases.service import Releases
from drystone.l50_orchestrator.target import Target
from drystone.testing.orchestrator import AllowAll, TableBook
from drystone.testing.releases import Says, TheseEnvironments, parts_on
from drystone.testing.simulated_target import SimulatedTarget

LIMIT_S = 60.0
SCHEMA = "orchestrator"
TABLES = (
    "TRUNCATE workflow, step, signal, worker, place, release, descriptor, document, event, steering, approval, rollout, serving,"
    " noted"
)
QUICK = WorkerSettings(
    lease=timedelta(seconds=20),
    poll=timedelta(milliseconds=200),
    hold=timedelta(milliseconds=5),
    patience=100,
    grace=timedelta(milliseconds=300),
)
FAST = Pace(
    look=timedelta(milliseconds=20), orders=timedelta(milliseconds=10), evidence=timedelta()
)

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
BOB = Context(Caller("bob", frozenset({"team/commerce", "team/leads"})))

TEXT = """\
schema: 1
service: {service}
owner: commerce
tier: 2
process: {{command: [python, -m, shop]}}
deploy: {{{deploy}}}
"""


def source(
    service: str = "orders", *, deploy: str = "strategy: blue-green", more: str = ""
) -> Source:
    """Return a descriptor."""
    return Source(TEXT.format(service=service, deploy=deploy) + more, "service.yaml", "/srv/orders")


class Stage:
    """Everything that releases need."""

    def __init__(self, access: DatabaseAccess) -> None:
        self.database = Database(access, SCHEMA, most=8)
        self.workflows = Workflows(self.database)
        self.reset()

    def reset(
        self,
        target: Target | None = None,
        *environments: Environment,
        gate: Gate | None = None,
    ) -> None:
        """Begin with nothing, and other stand-ins if they are given."""
        self.guard = Says()
        self.registry = TheseEnvironments(*environments)
        self.target = SimulatedTarget()
        self.parts = parts_on(
            self.database,
            target or self.target,
            registry=self.registry,
            guard=self.guard,
            gate=gate or AllowAll(),
            pace=FAST,
        )
        self.releases = Releases(self.parts)

    @staticmethod
    @asynccontextmanager
    async def opened(access: DatabaseAccess) -> AsyncIterator[Stage]:
        stage = Stage(access)
        try:
            await prepare(stage.database)
            await store.prepare(stage.database)
            await TableBook.prepare(stage.database)
            yield stage
        finally:
            await stage.database.close()

    @asynccontextmanager
    async def worker(self, settings: WorkerSettings = QUICK) -> AsyncIterator[Worker]:
        """Let a worker run, and stop it in the end."""
        database = Database(self.database.access, SCHEMA, most=8)
        worker = Worker(database, [self.releases.carrier.definition], settings=settings)
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

    async def deploy(
        self, deploy: str = "strategy: blue-green", *, where: str = "dev", **given: str
    ) -> ReleaseSummary:
        """Ask for a deploy by ada, and wait for its end."""
        asked = await self.releases.deploy(
            ADA, source=source(deploy=deploy), environment=where, version=given.get("version")
        )
        return await self.ended(asked.id)

    async def until(
        self, id_: str, condition: Callable[[ReleaseView], bool], limit: float = LIMIT_S
    ) -> ReleaseView:
        """Wait until a condition holds of a release."""
        async with asyncio.timeout(limit):
            while True:
                with suppress(DatabaseUnavailable):
                    if condition(view := await self.releases.show(ADA, release=id_)):
                        return view
                await asyncio.sleep(0.01)

    async def ended(self, id_: str) -> ReleaseSummary:
        """Wait until a release has ended."""
        view = await self.until(id_, lambda one: one.summary.ended_at is not None)
        return view.summary

    async def in_state(self, id_: str, state: str) -> ReleaseView:
        """Wait until a release is in a state."""
        return await self.until(id_, lambda one: one.summary.state == state)

    def serves(self, environment: str = "dev", service: str = "orders") -> str:
        """Return the version that serves at the target; empty where none does."""
        one = self.target.service(environment, service)
        return next((run.version for run in one.releases if run.number == one.active), "")
