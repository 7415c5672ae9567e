from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import msgspec
from typing_extensions import override

from drystone.l10_engines.search.server import Tantivy, ask
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.testing.conformance.engines import LocalEngineConformance


class TestSearch(LocalEngineConformance):
    @override
    def make(self, directory: Path) -> Tantivy:
        return Tantivy("search-one", directory)

    @override
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        assert isinstance(engine, Tantivy)
        path = f"/values/_doc/{quote(key, safe='')}"
        said = {"value": value}
        status, _ = await asyncio.to_thread(ask, engine.access(), "PUT", path, said, limit=30)
        assert status in (200, 201)

    @override
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        assert isinstance(engine, Tantivy)
        path = f"/values/_doc/{quote(key, safe='')}"
        status, said = await asyncio.to_thread(ask, engine.access(), "GET", path, limit=30)
        return None if status == 404 else str(msgspec.json.decode(said)["_source"]["value"])
