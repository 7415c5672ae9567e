from __future__ import annotations

from pathlib import Path

import pytest

from l85_surfaces.cli.deps.surveys import SHOP


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A survey in the folder where the command is typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SHOP)
    return tmp_path / "shop.yaml"
