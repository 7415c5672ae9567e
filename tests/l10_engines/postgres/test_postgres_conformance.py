from __future__ import annotations

from pathlib import Path

import psycopg
from typing_extensions import override

from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.testing.conformance.engines import LocalEngineConformance


class TestPostgres(LocalEngineConformance):
    @override
    def make(self, directory: Path) -> Postgres:
        return Postgres("postgres", directory)

    @override
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        async with await self.connect(engine) as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS kept (key text, value text)")
            await connection.execute("INSERT INTO kept VALUES (%s, %s)", (key, value))

    @override
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        async with await self.connect(engine) as connection:
            found = await connection.execute("SELECT value FROM kept WHERE key = %s", (key,))
            row = await found.fetchone()
            return str(row[0]) if row else None

    async def connect(self, engine: LocalEngine) -> psycopg.AsyncConnection:
        assert isinstance(engine, Postgres)
        return await psycopg.AsyncConnection.connect(engine.admin().url())
