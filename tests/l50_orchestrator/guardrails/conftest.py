from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.guardrails.api import GuardrailsApi
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.testing.conformance.engines import started
from drystone.testing.orchestrator import TableBook
from drystone.testing.reaches import REACHES, Reach, reach
from l50_orchestrator.guardrails.ground import OPENED, make, over


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def access() -> AsyncIterator[DatabaseAccess]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield await provision(
            engine.admin(), "orchestrator", connections=100, password="not so secret"
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evaluator() -> AsyncIterator[Evaluator]:
    one = Evaluator(known())
    yield one
    await one.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def database(access: DatabaseAccess, evaluator: Evaluator) -> AsyncIterator[Database]:
    """Tables of guardrails with nothing in them."""
    database = Database(access, "orchestrator", most=8)
    await over(database, evaluator).prepare()
    await TableBook.prepare(database)
    await database.fetch(
        "TRUNCATE guard_policy, guard_mode, guard_exception, guard_freeze, guard_judgement, noted"
    )
    await database.fetch("UPDATE guard_version SET version = version + 1")
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def guard(database: Database, evaluator: Evaluator) -> PolicyGuard:
    return PolicyGuard(database, evaluator)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reached(access: DatabaseAccess) -> AsyncIterator[dict[Reach, GuardrailsApi]]:
    """Guardrails in every reach; the tables are made later."""
    arguments = (access.host, str(access.port), access.database, access.user, access.password)
    async with AsyncExitStack() as stack:
        found = {
            how: await stack.enter_async_context(reach(how, GuardrailsApi, make, *arguments))
            for how in REACHES
        }
        yield found
        while OPENED:
            opened, evaluator = OPENED.pop()
            await evaluator.stop()
            await opened.close()


@pytest.fixture(params=REACHES)
def api(
    request: pytest.FixtureRequest, database: Database, reached: dict[Reach, GuardrailsApi]
) -> GuardrailsApi:
    """Guardrails with nothing of their own, reached in every way."""
    return reached[request.param]
