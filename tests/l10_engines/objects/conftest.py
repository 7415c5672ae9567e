from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.objects.server import Objects
from drystone.testing.conformance.engines import started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Objects]:
    async with started(lambda home: Objects("objects", home / "objects")) as engine:
        yield engine
