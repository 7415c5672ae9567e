from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.registry.api import RegistryApi
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import TableBook
from drystone.testing.reaches import REACHES, Reach, reach
from l50_orchestrator.registry.stand import OPENED, Stand, make, over


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def access() -> AsyncIterator[DatabaseAccess]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            yield await provision(
                engine.admin(), "orchestrator", connections=100, password="not so secret"
            )
        finally:
            await engine.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def database(access: DatabaseAccess) -> AsyncIterator[Database]:
    """Tables of the registry with nothing in them."""
    database = Database(access, "orchestrator", most=8)
    await over(database).prepare()
    await TableBook.prepare(database)
    await database.fetch(
        "TRUNCATE registry_service, registry_presence, registry_offer, registry_environment, registry_target, noted"
    )
    try:
        yield database
    finally:
        await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stand(database: Database) -> Stand:
    return Stand(database)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reached(access: DatabaseAccess) -> AsyncIterator[dict[Reach, RegistryApi]]:
    """The registry in every reach; the tables are made later."""
    arguments = (access.host, str(access.port), access.database, access.user, access.password)
    async with AsyncExitStack() as stack:
        found = {
            how: await stack.enter_async_context(reach(how, RegistryApi, make, *arguments))
            for how in REACHES
        }
        yield found
        while OPENED:
            await OPENED.pop().close()


@pytest.fixture(params=REACHES)
def registry(
    request: pytest.FixtureRequest, database: Database, reached: dict[Reach, RegistryApi]
) -> RegistryApi:
    """The registry with nothing in it, reached in every way."""
    return reached[request.param]
