from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import started
from l50_orchestrator.audit.ground import Ground

_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Postgres]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="session")
async def ground(server: Postgres, tmp_path: Path) -> AsyncIterator[Ground]:
    """A log with nothing in it, in a schema of its own."""
    name = f"log_{next(_NUMBERS)}"
    access = await provision(server.admin(), name, connections=20, password="not so secret")
    async with Ground.opened(access, server.admin(), name, tmp_path / "audit-heads") as one:
        yield one
