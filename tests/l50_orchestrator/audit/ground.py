"""A log in a schema of its own, and somebody who may do everything to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import LiteralString

import msgspec

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.ports import Field
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.service import Audits, ChainedBook
from drystone.l50_orchestrator.audit.store import prepare, seal
from drystone.l50_orchestrator.ports import Actor
from drystone.testing.orchestrator import AllowByRole

ADA = Actor("ada", "person", frozenset({"commerce"}))
CTX = Context(Caller("root", frozenset({"admin"})))
BOOK = ChainedBook()


class Ground:
    def __init__(self, access: DatabaseAccess, admin: DatabaseAccess, name: str, file: Path):
        self.access, self.name, self.file = access, name, file
        self.database = Database(access, name, most=8)
        inside = msgspec.structs.replace(admin, database=access.database)
        self.superuser = Database(inside, name, most=1)
        self.heads = Heads(file)
        self.audits = audits(self.database, file)

    @staticmethod
    @asynccontextmanager
    async def opened(
        access: DatabaseAccess, admin: DatabaseAccess, name: str, file: Path
    ) -> AsyncIterator[Ground]:
        ground = Ground(access, admin, name, file)
        try:
            await prepare(ground.database)
            await seal(admin, ground.database)
            yield ground
        finally:
            await ground.database.close()
            await ground.superuser.close()

    async def note(
        self, action: str, subject: str = "prod/orders", actor: Actor = ADA, **fields: Field
    ) -> None:
        async with self.database.session() as session, session.transaction():
            await BOOK.note(session, actor, action, subject, **fields)

    async def fill(self, count: int) -> None:
        """Write entries, all in one transaction."""
        async with self.database.session() as session, session.transaction():
            for number in range(count):
                await BOOK.note(session, ADA, "release.deployed", "prod/orders", release=number)

    async def tamper(self, *statements: LiteralString) -> None:
        """Do as a superuser what no trigger sees."""
        async with self.superuser.session() as session, session.transaction():
            await session.fetch("SET LOCAL session_replication_role = replica")
            for statement in statements:
                await session.fetch(statement)


def make(access: str, schema: str, file: str) -> Audits:
    """Make it in another process."""
    return audits(Database(msgspec.json.decode(access, type=DatabaseAccess), schema), Path(file))


def audits(database: Database, file: Path) -> Audits:
    return Audits(database, gate=AllowByRole(), book=BOOK, heads=Heads(file), clock=SystemClock())
