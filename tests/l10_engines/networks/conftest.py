from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l10_engines.networks import kernel
from drystone.l10_engines.networks.driver import Networks


@pytest.fixture(scope="session")
def works_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("trial")
    if (reason := asyncio.run(Networks(folder).available())) is not None:
        pytest.skip(reason)


@pytest.fixture
def folder(tmp_path: Path, works_here: None) -> Iterator[Path]:
    """Where a test's networks lie; in the end there is none of them."""
    folder = tmp_path / "networks"
    yield folder
    left = [str(file) for file in folder.glob("*")]
    for file in folder.glob("*"):
        with suppress(OSError):
            kernel.let_go(file)
    assert left == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()
