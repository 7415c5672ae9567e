from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from drystone.l10_engines.policies.evaluator import Evaluator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evaluator() -> AsyncIterator[Evaluator]:
    """One process for all tests that do not kill it."""
    one = Evaluator()
    yield one
    await one.stop()
