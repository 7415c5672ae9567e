from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.objects.server import Objects
from drystone.testing.conformance.engines import short_home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Objects]:
    with short_home() as home:
        engine = Objects("objects", home / "objects")
        try:
            await engine.start()
            yield engine
        finally:
            await engine.stop()
