from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l10_engines.processes.identity import PROC
from drystone.testing.conformance.engines import short_home
from l10_engines.proxy.rig import Rig, shop
from l10_engines.proxy.upstream import Upstream


def processes_below(home: Path) -> list[int]:
    """Every process that works in a folder of the home."""
    found = []
    for entry in PROC.iterdir():
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if entry.name.isdigit() and Path(entry, "cwd").readlink().is_relative_to(home):
                found.append(int(entry.name))
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as home:
        yield home
        assert processes_below(home) == []


@pytest.fixture
async def blue() -> AsyncIterator[Upstream]:
    upstream = await Upstream("blue").start()
    yield upstream
    await upstream.stop()


@pytest.fixture
async def green() -> AsyncIterator[Upstream]:
    upstream = await Upstream("green").start()
    yield upstream
    await upstream.stop()


@pytest.fixture
async def stopped(home: Path) -> AsyncIterator[Rig]:
    """An agent that has not begun yet; whatever it starts is ended after the test."""
    rig = Rig(home)
    yield rig
    await rig.end()


@pytest.fixture
async def rig(stopped: Rig, blue: Upstream, green: Upstream) -> Rig:
    """An edge that sends every request to blue."""
    await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]), ("green", 0, [green]))))
    return stopped
