from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.configuration.api import ConfigurationApi
from drystone.testing.conformance.engines import started
from drystone.testing.orchestrator import TableBook
from drystone.testing.reaches import REACHES, reach
from l50_orchestrator.configuration.stand import OPENED, Parts, make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def access() -> AsyncIterator[DatabaseAccess]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield await provision(
            engine.admin(), "orchestrator", connections=100, password="not so secret"
        )


@pytest_asyncio.fixture(loop_scope="session")
async def database(access: DatabaseAccess) -> AsyncIterator[Database]:
    """Tables of the registry with nothing in them."""
    database = Database(access, "orchestrator", most=8)
    await Parts(database).registry.prepare()
    await TableBook.prepare(database)
    await database.fetch(
        "TRUNCATE registry_service, registry_presence, registry_offer, registry_environment, registry_target, noted"
    )
    try:
        yield database
    finally:
        await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def parts(database: Database) -> Parts:
    return Parts(database)


@pytest_asyncio.fixture(loop_scope="session", params=REACHES)
async def configuration(
    request: pytest.FixtureRequest, database: Database
) -> AsyncIterator[ConfigurationApi]:
    """Configuration, reached in every way."""
    access = database.access
    arguments = (access.host, str(access.port), access.database, access.user, access.password)
    try:
        async with reach(request.param, ConfigurationApi, make, *arguments) as api:
            yield api
    finally:
        while OPENED:
            await OPENED.pop().close()
