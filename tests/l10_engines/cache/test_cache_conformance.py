from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from drystone.l10_engines.cache.resp import connected
from drystone.l10_engines.cache.server import Valkey
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.testing.conformance.engines import LocalEngineConformance


class TestCache(LocalEngineConformance):
    durable: ClassVar[bool] = False

    @override
    def make(self, directory: Path) -> Valkey:
        return Valkey("cache-one", directory, durable=self.durable)

    @override
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        assert isinstance(engine, Valkey)
        async with connected(engine.access()) as connection:
            assert await connection.call("SET", key, value) == "OK"

    @override
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        assert isinstance(engine, Valkey)
        async with connected(engine.access()) as connection:
            found = await connection.call("GET", key)
            return None if found is None else str(found)


class TestDurableCache(TestCache):
    durable: ClassVar[bool] = True
