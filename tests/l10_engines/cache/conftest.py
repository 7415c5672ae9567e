from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.server import Valkey
from drystone.testing.conformance.engines import short_home


@pytest_asyncio.fixture
async def cache_access() -> AsyncIterator[CacheAccess]:
    with short_home() as home:
        engine = Valkey("cache-shared", home / "cache")
        try:
            await engine.start()
            yield engine.access()
        finally:
            await engine.stop()
