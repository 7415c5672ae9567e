from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l10_engines.cache.server import Valkey
from drystone.testing.conformance.engines import started
from journeys.place import Place, place
from l35_mesh.migration.cache_rig import Caches


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkeys() -> AsyncIterator[tuple[Valkey, Valkey]]:
    """Two servers that tests share."""
    async with (
        started(lambda home: Valkey("cache-old", home / "old")) as old,
        started(lambda home: Valkey("cache-new", home / "new")) as new,
    ):
        yield old, new


@pytest_asyncio.fixture(loop_scope="session")
async def caches(valkeys: tuple[Valkey, Valkey], tmp_path: Path) -> AsyncIterator[Caches]:
    """Two servers that hold nothing, of which nobody is kept from writing."""
    old, new = valkeys
    await old.hold(is_held=False)
    with closing(Caches(old, new, tmp_path)) as found:
        found.to_old.ask("FLUSHALL")
        found.to_new.ask("FLUSHALL")
        yield found
