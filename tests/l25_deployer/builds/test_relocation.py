"""What names its own path goes on working at another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from drystone.l25_deployer.builds.relocation import relocate


def artifacts(top: Path) -> Path:
    """Make a store with one environment that holds pip, whose scripts name their interpreter."""
    folder = top / "artifacts"
    command = [sys.executable, "-m", "venv", str(folder / "0a/runtime")]
    subprocess.run(command, check=True)
    return folder


def test_the_scripts_of_a_moved_environment_run(tmp_path: Path) -> None:
    made = artifacts(tmp_path / "first")
    (made / "0a/runtime/editable.pth").write_text(f"{made}/0a/source\n")
    (made / "0a/link").symlink_to(made / "0a/runtime/bin/pip")
    (tmp_path / "first").rename(tmp_path / "second")
    moved = tmp_path / "second/artifacts"
    pip = moved / "0a/runtime/bin/pip"
    assert str(made) in pip.read_text().splitlines()[0], "else this test shows nothing"

    changed = relocate(moved, made)

    assert pip in changed
    assert (moved / "0a/runtime/editable.pth").read_text() == f"{moved}/0a/source\n"
    said = subprocess.run(
        [moved / "0a/link", "--version"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert str(moved) in said.stdout
    assert os.access(pip, os.X_OK)
    assert relocate(moved, made) == [], "once is enough"


def test_binaries_and_paths_that_only_begin_alike_are_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "artifacts"
    store.mkdir()
    binary, other = store / "binary", store / "other"
    binary.write_bytes(b"\0/old/artifacts/x\0")
    other.write_text("/old/artifacts-of-somebody/x /older/artifacts/x")
    (store / "away").symlink_to("/old/artifacts-of-somebody/x")

    assert relocate(store, Path("/old/artifacts")) == []

    assert binary.read_bytes() == b"\0/old/artifacts/x\0"
    assert other.read_text() == "/old/artifacts-of-somebody/x /older/artifacts/x"
