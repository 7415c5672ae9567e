"""What an agent does to a home before anything reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l00_kernel.atomic import PARTIAL
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l90_assembly.arrival import arrive

PLACES = (
    ".",
    "run",
    "services/dev/orders",
    "trust/keys/public",
    "instances/orders-dev-r1-web-0",
    "engines/objects/certificates",
    "engines/postgres/data",
    "engines/sidecars/orders.dev",
)


@pytest.mark.parametrize("place", PLACES)
async def test_what_a_dead_agent_has_half_written_is_gone(tmp_path: Path, place: str) -> None:
    home = Home.create(tmp_path / "h")
    nobody = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    half = home.path / place / f"{PARTIAL}{nobody}-abcdefgh"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.touch()
    await arrive(home, NullLog())
    assert not half.exists()
