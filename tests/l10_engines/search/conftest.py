from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from opensearchpy import OpenSearch

from drystone.l10_engines.search.server import Tantivy
from drystone.testing.conformance.engines import short_home


@pytest.fixture(scope="session")
def engine() -> Iterator[Tantivy]:
    with short_home() as home:
        found = Tantivy("search-one", home / "search")
        asyncio.run(found.start())
        try:
            yield found
        finally:
            asyncio.run(found.stop())


@pytest.fixture(scope="session")
def client(engine: Tantivy) -> Iterator[OpenSearch]:
    with OpenSearch(engine.access().url(), timeout=60) as found:
        yield found


@pytest.fixture
def index(client: OpenSearch) -> Iterator[str]:
    """The name of an index that is not there."""
    name = f"i-{uuid.uuid4().hex}"
    yield name
    client.indices.delete(index=name + "*")
