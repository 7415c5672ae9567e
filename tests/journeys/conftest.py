from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from journeys.place import Place, place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform() -> AsyncIterator[Place]:
    """A platform that many tests share; each gives its services names of its own."""
    async with place() as found:
        yield found


@pytest_asyncio.fixture
async def own_platform() -> AsyncIterator[Place]:
    """A platform that the test may kill and stop."""
    async with place() as found:
        yield found


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests must not reach the platforms of the tests."""
    for name in ("DRYSTONE_HOME", "DRYSTONE_PORT", "DRYSTONE_RUNTIME", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
