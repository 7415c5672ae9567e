from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from journeys.place import Place, place


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def two() -> AsyncIterator[tuple[Place, Place]]:
    """Two platforms that tests share; each test gives its services names of its own."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(place()), await stack.enter_async_context(place())


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests must not reach the platforms of the tests."""
    for name in ("DRYSTONE_HOME", "DRYSTONE_PORT", "DRYSTONE_RUNTIME", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
