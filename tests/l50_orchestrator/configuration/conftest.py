from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.configuration.api import ConfigurationApi
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.testing.conformance.engines import started
from drystone.testing.orchestrator import TableBook
from drystone.testing.reaches import REACHES, reach
from l50_orchestrator.configuration.stand import OPENED, Parts, make
from l50_orchestrator.configuration.whole import Whole

_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Postgres]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def access(server: Postgres) -> DatabaseAccess:
    return await provision(
        server.admin(), "orchestrator", connections=100, password="not so secret"
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evaluator() -> AsyncIterator[Evaluator]:
    one = Evaluator(known())
    yield one
    await one.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def whole(server: Postgres, evaluator: Evaluator) -> AsyncIterator[Whole]:
    """Real parts in a schema of their own."""
    name = f"whole_{next(_NUMBERS)}"
    access = await provision(server.admin(), name, connections=30, password="not so secret")
    database = Database(access, name, most=4)
    try:
        whole = Whole(database, evaluator)
        await whole.prepare()
        yield whole
    finally:
        await database.close()


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
