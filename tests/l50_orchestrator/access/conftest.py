from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import started
from l50_orchestrator.access.ground import Ground

_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Postgres]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="session")
async def ground(server: Postgres) -> AsyncIterator[Ground]:
    """Tables in a schema of their own, with the people of :mod:`ground`."""
    name = f"access_{next(_NUMBERS)}"
    access = await provision(server.admin(), name, connections=30, password="not so secret")
    ground = Ground(access, name)
    try:
        await ground.settle()
        yield ground
    finally:
        await ground.close()
