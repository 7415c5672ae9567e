"""Appends to a log and says so, until it is killed: ``python writer.py ACCESS SCHEMA HEADS``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from l50_orchestrator.audit.ground import ADA, BOOK, audits


async def write(access: str, schema: str, heads: str) -> None:
    database = Database(msgspec.json.decode(access, type=DatabaseAccess), schema)
    log = audits(database, Path(heads))
    number = 0
    while True:
        async with database.session() as session, session.transaction():
            await BOOK.note(session, ADA, "release.deployed", "prod/orders", release=number)
        await log.checkpoint()
        number += 1
        print(number, flush=True)  # noqa: T201 - whoever kills this reads it


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
