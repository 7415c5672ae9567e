from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import short_home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Postgres]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()
