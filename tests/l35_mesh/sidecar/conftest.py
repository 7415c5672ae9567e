from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l10_engines.proxy.conftest import blue, green, home
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

__all__ = ["blue", "green", "home"]


@pytest.fixture
async def stopped(home: Path) -> AsyncIterator[MeshRig]:
    rig = MeshRig(home)
    yield rig
    await rig.end()


@pytest.fixture
async def rig(stopped: MeshRig, blue: Upstream) -> MeshRig:
    """``desk`` calls ``billing``, which has one instance: blue."""
    await stopped.live()
    await stopped.have(stopped.mesh(stopped.billing(blue), stopped.to_billing()))
    return stopped
