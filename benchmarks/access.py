"""What a decision costs beside a look into a dictionary, and what the audit log takes beside plain rows."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.stand import table
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.access import store as access_store
from drystone.l50_orchestrator.access.domain import Grant, Role
from drystone.l50_orchestrator.access.gate import AccessGate
from drystone.l50_orchestrator.access.refusals import Refusals
from drystone.l50_orchestrator.access.service import Access
from drystone.l50_orchestrator.audit import store as audit_store
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.service import Audits, ChainedBook
from drystone.l50_orchestrator.ports import Action, Actor, Places
from drystone.testing.conformance.engines import short_home

DECISIONS, APPENDS, WRITERS, TEAMS = 50_000, 2_000, 4, 20
PLATFORM = Context(Caller("me", frozenset({"admin"})))
ADA = Context(Caller("ada"))
ACTOR = Actor("ada", "person")

_PLAIN = """
CREATE TABLE plain (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now(), actor text, action text,
                    subject text, fields text)
"""
_INSERT = """
INSERT INTO plain (actor, action, subject, fields) VALUES ('ada', 'release.deployed', 'prod/orders', '{"release":7}')
"""


class _Places(Places):
    @override
    async def team_of(self, service: str) -> str | None:
        return "team-7"

    @override
    async def type_of(self, environment: str) -> str | None:
        return "prod"

    @override
    async def owned_by(self, team: str) -> int:
        return 1


async def decisions(count: int) -> str:
    """Decisions of the gate, what is read each half second included; appends to the log, one writer and several."""
    rounds = max(3, count // 2)
    async with _tables() as database:
        gate = await _gate(database)
        bare, decided = list[float](), list[float]()
        for _ in range(rounds):  # in turns, so that a machine that slows down slows both
            bare.append(_looks())
            decided.append(await _decisions(gate))
        rows = [
            ["a look into a dictionary", f"{DECISIONS / median(bare):,.0f}", "1.0"],
            [
                f"`require`, one of {2 * TEAMS} grants",
                f"{DECISIONS / median(decided):,.0f}",
                f"1/{median(decided) / median(bare):.0f}",
            ],
        ]
        rows += await _log(database, rounds)
    title = f"Access and audit, median of {rounds} rounds; {WRITERS} writers have a connection each"
    return table(title, ["what", "in a second", "ratio"], rows)


@asynccontextmanager
async def _tables() -> AsyncIterator[Database]:
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            given = await provision(
                server.admin(), "orchestrator", connections=20, password=secrets.token_hex(16)
            )
            database = Database(given, "orchestrator", most=8)
            await audit_store.prepare(database)
            await audit_store.seal(server.admin(), database)
            await access_store.prepare(database)
            await database.fetch(_PLAIN)
            yield database
            await database.close()
        finally:
            await server.stop()


async def _gate(database: Database) -> AccessGate:
    book, places, clock, log = ChainedBook(), _Places(), SystemClock(), NullLog()
    refusals = Refusals(database, book=book, clock=clock, log=log)
    gate = AccessGate(database, places=places, refusals=refusals, clock=clock)
    access = Access(database, gate=gate, book=book, places=places, clock=clock, log=log)
    await access.put_person(PLATFORM, name="ada")
    for number in range(TEAMS):
        name = f"team-{number}"
        await access.put_team(PLATFORM, name=name)
        await access.put_member(PLATFORM, team=name, person="ada", is_maintainer=True)
    await access.grant(PLATFORM, grant=Grant("person:ada", Role.VIEWER))
    return gate


def _looks() -> float:
    known = {(f"person-{n}", f"service-{n}"): True for n in range(1000)}
    begun = time.perf_counter()
    for n in range(DECISIONS):
        if not known[f"person-{n % 1000}", f"service-{n % 1000}"]:
            raise AssertionError
    return time.perf_counter() - begun


async def _decisions(gate: AccessGate) -> float:
    begun = time.perf_counter()
    for n in range(DECISIONS):
        await gate.require(ADA, Action.DEPLOY, service=f"service-{n % 1000}", environment="prod")
    return time.perf_counter() - begun


async def _log(database: Database, rounds: int) -> list[list[str]]:
    book = ChainedBook()

    async def plain() -> None:
        async with database.session() as session, session.transaction():
            await session.fetch(_INSERT)

    async def chained() -> None:
        async with database.session() as session, session.transaction():
            await book.note(session, ACTOR, "release.deployed", "prod/orders", release=7)

    rows = list[list[str]]()
    for writers in (1, WRITERS):
        took: dict[str, list[float]] = {"plain": [], "chained": []}
        for _ in range(rounds):
            took["plain"].append(await _written(plain, writers))
            took["chained"].append(await _written(chained, writers))
        base, ours = median(took["plain"]), median(took["chained"])
        rows += [
            [f"a plain row, {writers} at once", f"{APPENDS / base:,.0f}", "1.0"],
            [
                f"an entry of the log, {writers} at once",
                f"{APPENDS / ours:,.0f}",
                f"{base / ours:.2f}",
            ],
        ]
    with TemporaryDirectory() as folder:
        gate = await _gate(database)
        heads = Heads(Path(folder) / "audit-heads")
        audits = Audits(database, gate=gate, book=book, heads=heads, clock=SystemClock())
        begun = time.perf_counter()
        verdict = await audits.judge()
        rows.append(
            [
                "`verify`: entries read",
                f"{verdict.entries / (time.perf_counter() - begun):,.0f}",
                "",
            ]
        )
        assert verdict.is_whole
    return rows


async def _written(write: Callable[[], Awaitable[None]], writers: int) -> float:
    async def some() -> None:
        for _ in range(APPENDS // writers):
            await write()

    begun = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(writers)))
    return time.perf_counter() - begun
