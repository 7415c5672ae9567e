"""An edge that is attacked, and its neighbour, whose visitors must not notice."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
