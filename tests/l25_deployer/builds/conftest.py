"""A folder that can be built, and where artefacts go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l25_deployer.builds.artifacts import Artifacts
from l25_deployer.small_platform import left_in

WITHOUT_NETWORK = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "app.py").write_text("print('hello')\n")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Artifacts]:
    yield Artifacts(tmp_path / "artifacts", tmp_path / "downloads", WITHOUT_NETWORK)
    assert left_in(tmp_path) == [], "a build leaves no process behind"
