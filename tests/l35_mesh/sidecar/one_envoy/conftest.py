"""One Envoy for all tests of a module, which publish what they need; each has an instance of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.testing.conformance.engines import short_home
from l10_engines.proxy.conftest import processes_below
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stopped() -> AsyncIterator[MeshRig]:
    """It runs already, and has nothing to do."""
    with short_home() as home:
        rig = MeshRig(home)
        try:
            await rig.live()
            yield rig
        finally:
            await rig.end()
        assert processes_below(home) == []


@pytest.fixture
def home(stopped: MeshRig) -> Path:
    return stopped.home


@pytest_asyncio.fixture(loop_scope="module")
async def blue() -> AsyncIterator[Upstream]:
    upstream = await Upstream("blue").start()
    yield upstream
    await upstream.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def rig(stopped: MeshRig, blue: Upstream) -> MeshRig:
    """``desk`` calls ``billing``, which has one instance: blue."""
    await stopped.have(stopped.mesh(stopped.billing(blue), stopped.to_billing()))
    return stopped
