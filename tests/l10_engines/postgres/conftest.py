from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Postgres]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield engine
