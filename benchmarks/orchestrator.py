"""How many releases an orchestrator carries out, with what memory, and how soon it answers meanwhile.

The orchestrator is a process of its own, with API and worker, on a real PostgreSQL; its target is simulated, so that what is measured is the
orchestrator. Callers come over its socket.
"""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
from benchmarks.stand import table
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, Context, connect
from drystone.l00_kernel.contract.inprocess import claim
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.workflows.worker import Worker
from drystone.l10_engines.workflows.workflows import prepare
from drystone.l25_deployer.api import Source
from drystone.l50_orchestrator.access import store as access_store
from drystone.l50_orchestrator.access.domain import Grant, Role
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.service import Access
from drystone.l50_orchestrator.access.teams import TeamsInTables
from drystone.l50_orchestrator.audit import store as audit_store
from drystone.l50_orchestrator.audit.service import ChainedBook
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.registry.api import EnvironmentSaid
from drystone.l50_orchestrator.registry.looked_up import RegisteredPlaces
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.l50_orchestrator.releases import store
from drystone.l50_orchestrator.releases.api import ReleasesApi, ReleaseSummary, ReleaseView
from drystone.l50_orchestrator.releases.carrying import WORKING
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.service import Releases
from drystone.l50_orchestrator.target import Target
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import TableBook
from drystone.testing.reaches import alone
from drystone.testing.releases import parts_on
from drystone.testing.simulated_target import SimulatedTarget

SERVICES, DEPLOYS = 2_000, 5_000
CALLERS, RATE = 16, 25
"""So many callers ask for so many deploys a second together, if the orchestrator keeps up with them."""
SESSIONS, GATE_SESSIONS = 20, 4
_SCHEMA = "orchestrator"
_PLATFORM = Context(Caller("me", frozenset({"admin"})))
_ASKING = Context(Caller("bench", frozenset({"team/commerce"})))
_TEXT = """\
schema: 1
service: service-{number}
owner: {{team: commerce, oncall: commerce}}
tier: 2
process: {{command: [python, -m, shop]}}
env: {{LOG_LEVEL: info, NUMBER: "{number}"}}
resources: {{db: {{type: postgres}}, files: {{type: bucket}}}}
"""


class Orchestrator(Releases):
    """Releases with a worker beside them, as one process has both.

    Args:
        access: The database, as JSON.
        file: Where to write the process id.
        whole: ``whole`` for rights, registry, policies and audit log as they are put together for a platform; anything
            else for stand-ins, so that releases are measured alone.
    """

    def __init__(self, access: str, file: str, whole: str) -> None:
        self._database = Database(
            msgspec.json.decode(access, type=DatabaseAccess), _SCHEMA, most=SESSIONS
        )
        target = SimulatedTarget(keep=5)
        parts = _whole(self._database, target) if whole == "whole" else None
        super().__init__(parts or parts_on(self._database, target))
        self._working: asyncio.Task[None] | None = None
        Path(file).write_text(str(os.getpid()))

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        message: str = "",
        confirm: list[str] | None = None,
    ) -> ReleaseSummary:
        if self._working is None:
            worker = Worker(self._database, [self.carrier.definition], settings=WORKING)
            self._working = asyncio.create_task(worker.run())
        return await super().deploy(
            ctx,
            source=source,
            environment=environment,
            version=version,
            message=message,
            confirm=confirm,
        )


def _whole(database: Database, target: Target) -> Parts:
    """Put together what a platform has, as :mod:`drystone.l90_assembly.orchestrated` does."""
    clock, log, book = SystemClock(), NullLog(), ChainedBook()
    asked = Database(database.access, _SCHEMA, most=GATE_SESSIONS)
    places = RegisteredPlaces(asked, clock)
    refusals = Refusals(asked, book=book, clock=clock, log=log)
    gate = AccessGate(asked, places=places, refusals=refusals, clock=clock)
    return Parts(
        database=database,
        gate=gate,
        registry=PlatformRegistry(
            database, gate=gate, book=book, teams=TeamsInTables(gate, book), clock=clock
        ),
        guard=PolicyGuard(database, Evaluator(known())),
        book=book,
        target=lambda _: target,
    )


async def _furnish(server: Postgres, database: Database) -> None:
    """Make the tables of everybody, the environment, the team and its member who asks."""
    clock, log, book = SystemClock(), NullLog(), ChainedBook()
    await audit_store.prepare(database)
    await audit_store.seal(server.admin(), database)
    await access_store.prepare(database)
    places = RegisteredPlaces(database, clock)
    refusals = Refusals(database, book=book, clock=clock, log=log)
    gate = AccessGate(database, places=places, refusals=refusals, clock=clock)
    registry = PlatformRegistry(
        database, gate=gate, book=book, teams=TeamsInTables(gate, book), clock=clock
    )
    await registry.prepare()
    evaluator = Evaluator(known())
    guard = PolicyGuard(database, evaluator)
    await Guardrails(
        database, gate=gate, book=book, guard=guard, evaluator=evaluator, clock=clock
    ).prepare()
    await evaluator.stop()
    access = Access(database, gate=gate, book=book, places=places, clock=clock, log=log)
    await access.put_person(_PLATFORM, name="bench")
    await access.put_team(_PLATFORM, name="commerce")
    await access.put_member(_PLATFORM, team="commerce", person="bench", is_maintainer=True)
    await access.grant(_PLATFORM, grant=Grant("person:bench", Role.VIEWER))
    await registry.set_environment(_PLATFORM, environment="dev", said=EnvironmentSaid("dev"))
    await refusals.close()


class _Measured:
    """Times of calls, in seconds, and what the process needed."""

    def __init__(self, pid: int, whole: int) -> None:
        self.times: dict[str, list[float]] = {}
        self.memory: dict[int, float] = {}
        self.done = 0
        self.failed = 0
        self._pid = pid
        self._whole = whole

    async def time(self, name: str, call: Awaitable[ReleaseSummary | object]) -> object:
        begun = time.monotonic()
        done = await call
        self.times.setdefault(name, []).append(time.monotonic() - begun)
        return done

    def cpu(self) -> float:
        """Return the processor time that the process has used, in seconds."""
        used = Path(f"/proc/{self._pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def ended(self, state: str) -> None:
        self.done += 1
        self.failed += state != "served"
        if self.done % max(1, self._whole // 5) == 0:
            self.memory[self.done] = self._rss()

    def _rss(self) -> float:
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1024**2


async def orchestrator(count: int) -> str:
    """Deploys in a second, by several callers at once, each of whom waits for the end of one before the next."""
    return await _deploys(count, "alone")


async def whole_orchestrator(count: int) -> str:
    """The same with rights, registry, policies and audit log as a platform has them."""
    return await _deploys(count, "whole")


async def _deploys(count: int, whole: str) -> str:
    deploys = DEPLOYS * count // 10
    async with _database(whole) as (access, database):
        plain = await _commits(database)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pid"
            given = msgspec.json.encode(access).decode()
            with alone(Orchestrator, given, str(file), whole, over_tcp=False) as address:
                uds = address if isinstance(address, Path) else None
                async with connect(ReleasesApi, uds=uds, credentials=claim) as api:
                    await api.history(_ASKING)
                    measured = _Measured(int(file.read_text()), deploys)
                    begun = time.monotonic()
                    numbers = iter(range(deploys))
                    cpu = measured.cpu()
                    callers = (_call(api, numbers, measured, begun) for _ in range(CALLERS))
                    await asyncio.gather(*callers)
                    took, cpu = time.monotonic() - begun, measured.cpu() - cpu
    rate = deploys / took
    rows = [
        [
            "deploys",
            f"{deploys} of {min(SERVICES, deploys)} services, {measured.failed} not served",
        ],
        ["deploys/s", f"{rate:.1f} of {RATE} that are asked for"],
        [
            "processor time of the orchestrator",
            f"{cpu / deploys * 1000:.1f} ms a deploy, calls included",
        ],
        [
            "plain commits/s of one connection",
            f"{plain:.0f} ({plain / rate:.0f} times the deploys)",
        ],
        *([f"memory after {done} deploys", f"{mb:.0f} MB"] for done, mb in measured.memory.items()),
        *(
            [f"`{name}`, p50 / p99", f"{_ms(times, 0.5)} / {_ms(times, 0.99)}"]
            for name, times in measured.times.items()
        ),
    ]
    return table(
        f"Releases ({whole}) on a simulated target, {CALLERS} callers, each of whom waits for the end of one",
        ["what", "measured"],
        rows,
    )


async def _call(
    api: ReleasesApi, numbers: Iterator[int], measured: _Measured, begun: float
) -> None:
    for number in numbers:
        await asyncio.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        name = number % SERVICES
        source = Source(_TEXT.format(number=name), "service.yaml", "/srv/bench")
        asked = await measured.time(
            "deploy", api.deploy(_ASKING, source=source, environment="dev", message="bench")
        )
        assert isinstance(asked, ReleaseSummary)
        async for _ in api.follow(_ASKING, release=asked.id):
            pass
        await measured.time("history", api.history(_ASKING, environment="dev", limit=50))
        shown = await measured.time("show", api.show(_ASKING, release=asked.id))
        assert isinstance(shown, ReleaseView)
        measured.ended(shown.summary.state)


@asynccontextmanager
async def _database(whole: str) -> AsyncIterator[tuple[DatabaseAccess, Database]]:
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            word = secrets.token_hex(16)
            access = await provision(server.admin(), _SCHEMA, connections=50, password=word)
            database = Database(access, _SCHEMA)
            await prepare(database)
            await store.prepare(database)
            await TableBook.prepare(database)
            if whole == "whole":
                await _furnish(server, database)
            yield access, database
            await database.close()
        finally:
            await server.stop()


async def _commits(database: Database) -> float:
    """Return how many transactions of one row a connection commits in a second."""
    await database.fetch("CREATE TABLE baseline (number int)")
    begun, limit, number = time.monotonic(), timedelta(seconds=2).total_seconds(), 0
    async with database.session() as session:
        while time.monotonic() - begun < limit:
            await session.fetch("INSERT INTO baseline VALUES (%(number)s)", number=number)
            number += 1
    return number / limit


def _ms(times: list[float], share: float) -> str:
    ordered = sorted(times)
    return f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000:.0f} ms"
