from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import short_home
from l10_engines.workflows.stage import Stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Postgres]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tables(server: Postgres) -> AsyncIterator[Stage]:
    access = await provision(server.admin(), "stage", connections=100, password="not so secret")
    async with Stage.opened(access, "stage") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tables: Stage) -> Stage:
    """Tables of workflows with nothing in them."""
    await tables.database.fetch("TRUNCATE workflow, step, signal, worker")
    return tables
