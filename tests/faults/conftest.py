"""An edge that is attacked, and its neighbour, whose visitors must not notice; and what runs on demand alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.testing.conformance.engines import short_home
from faults.neighbours import Attacked, attacked
from l10_engines.proxy.conftest import processes_below


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[Attacked]:
    """One Envoy for the tests of a module: what one leaves behind, the next one meets."""
    with short_home() as home:
        async with attacked(home) as found:
            yield found
        assert processes_below(home) == []


ON_DEMAND = {
    "test_clock",
    "test_descriptors",
    "test_floods",
    "test_full_engines",
    "test_homes",
    "test_machine",
    "test_memory",
    "test_random_kills_checks",
    "test_random_kills_live",
    "test_read_only",
    "test_streams_through_deploys",
}
"""Modules that take minutes together, and run with ``-m slow`` alone."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem in ON_DEMAND:
            item.add_marker(pytest.mark.slow)
