"""How long a page of 2,000 registered services takes while others read, register and deploy, beside the cheapest call."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable

from benchmarks.stand import table

from drystone.l00_kernel.contract import Caller, Context
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.configuration.api import File
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, RegistryApi, ServiceSaid
from drystone.l50_orchestrator.registry.configured import ConfiguredServices
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import AllowAll, TableBook, TheseTeams
from drystone.testing.reaches import reach

SERVICES, TEAMS = 2_000, 50
READS, WRITES = 100, 20
"""Calls in a second."""

SECONDS = 20.0

PLATFORM = Actor("platform", "platform")


def registry(host: str, port: str, database: str, user: str, password: str) -> PlatformRegistry:
    """Return a registry that lets everybody do everything, over a database."""
    access = DatabaseAccess(
        host=host, port=int(port), database=database, user=user, password=password
    )
    return _over(Database(access, "orchestrator", most=8))


def _over(database: Database) -> PlatformRegistry:
    teams = TheseTeams(*(f"team-{n}" for n in range(TEAMS)))
    return PlatformRegistry(database, gate=AllowAll(), book=TableBook(), teams=teams)


def _team(number: int) -> str:
    return f"team-{number % TEAMS}"


def _of(number: int) -> Context:
    return Context(Caller("ada", frozenset({f"team/{_team(number)}"})))


async def registrations(count: int) -> str:
    """A page of services under load, and what files of all services take."""
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            access = await provision(
                server.admin(), "orchestrator", connections=50, password=secrets.token_hex()
            )
            database = Database(access, "orchestrator", most=8)
            try:
                return await _measured(database, max(1.0, SECONDS * count / 10))
            finally:
                await database.close()
        finally:
            await server.stop()


async def _measured(database: Database, seconds: float) -> str:
    local = _over(database)
    await local.prepare()
    await TableBook.prepare(database)
    files = await _files(database, local)
    await _fill(database, local)
    access = database.access
    where = (access.host, str(access.port), access.database, access.user, access.password)
    async with reach("alone", RegistryApi, registry, *where) as api:

        async def cheapest(_: int) -> None:
            await api.environments(_of(0))

        async def page(number: int) -> None:
            await api.services(_of(number), cursor=None, limit=100)

        async def filtered(number: int) -> None:
            await api.services(_of(number), team=_team(number), search="svc")

        async def show(number: int) -> None:
            await api.show(_of(number), service=f"svc-{number % SERVICES}x")

        rows = []
        base = 0.0
        await cheapest(0)  # the process is there
        await _under_load(cheapest, api, 1.0)  # and its connections are open
        for name, call in [
            ("environments (the baseline)", cheapest),
            ("a page of 100", page),
            ("a page of one team", filtered),
            ("one service", show),
        ]:
            times = await _under_load(call, api, seconds)
            p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
            base = base or p50
            each = [f"{p50 * 1e3:.1f} ms", f"{p99 * 1e3:.1f} ms", f"{times[-1] * 1e3:.1f} ms"]
            rows.append([name, *each, f"{p50 / base:.1f}"])
    head = ["call", "median", "99 %", "worst", "median, ratio"]
    title = (
        f"{SERVICES} services, {READS} reads and {WRITES} registrations in a second, on one process"
    )
    return f"{table(title, head, rows)}\n{files}"


async def _fill(database: Database, local: PlatformRegistry) -> None:
    ctx = Context(Caller("root"))
    await local.set_environment(ctx, environment="dev", said=EnvironmentSaid("dev"))
    for number in range(SERVICES):
        name = f"svc-{number}x"
        async with database.session() as session, session.transaction():
            words = f"Does number {number} of the things that have to be done."
            await local.claim(
                session, PLATFORM, name, team=_team(number), tier=number % 4, description=words
            )
            await local.appeared(session, name, "dev")


async def _files(database: Database, local: PlatformRegistry) -> str:
    """Time the first, the second and a changed apply of every service."""
    configuration = Configuration(database, [ConfiguredServices(local)])
    said = {f"svc-{n}x": {"team": _team(n)} for n in range(SERVICES)}
    rows = []
    for what in ("first", "again", "one changed"):
        if what == "one changed":
            said["svc-0x"] = {"team": _team(0), "links": {"runbook": "https://x.example/"}}  # type: ignore[dict-item]
        began = time.perf_counter()
        files = [File("services.yaml", json.dumps({"services": said}))]
        steps = -1
        async for _ in configuration.apply(Context(Caller("root")), files=files):
            steps += 1
        rows.append([what, str(steps), f"{time.perf_counter() - began:.2f} s"])
    return table(f"Files with {SERVICES} services applied", ["apply", "steps", "time"], rows)


async def _under_load(
    call: Callable[[int], Awaitable[None]], api: RegistryApi, seconds: float
) -> list[float]:
    """Call at an even rate while others register; return how long answers took from when they were due, sorted."""
    times: list[float] = []
    began = time.perf_counter()

    async def read(number: int, due: float) -> None:
        await call(number)
        times.append(time.perf_counter() - due)

    async def write(number: int, due: float) -> None:
        said = ServiceSaid(_team(number), f"Changed at {due}")
        await api.register(_of(number), service=f"svc-{number % SERVICES}x", said=said)

    async def evenly(what: Callable[[int, float], Awaitable[None]], rate: float) -> None:
        async with asyncio.TaskGroup() as calls:
            for number in range(int(seconds * rate)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                calls.create_task(_as_coroutine(what(number, due)))

    await asyncio.gather(evenly(read, READS), evenly(write, WRITES))
    return sorted(times)


async def _as_coroutine(one: Awaitable[None]) -> None:
    await one
