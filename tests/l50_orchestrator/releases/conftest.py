from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import short_home
from l50_orchestrator.releases.stage import TABLES, Stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def release_server() -> AsyncIterator[Postgres]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def release_tables(release_server: Postgres) -> AsyncIterator[Stage]:
    admin = release_server.admin()
    access = await provision(admin, "orchestrator", connections=100, password="not so secret")
    async with Stage.opened(access) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def stage(release_tables: Stage) -> Stage:
    """Tables of releases with nothing in them, and nothing at the target."""
    await release_tables.database.fetch(TABLES)
    release_tables.reset()
    return release_tables
