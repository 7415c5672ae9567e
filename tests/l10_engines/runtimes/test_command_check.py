from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l10_engines.runtimes.command_check import find_program
from drystone.l10_engines.runtimes.errors import CommandNotFound


def script(path: Path, first: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(first)
    path.chmod(mode)
    return path


def test_a_name_is_looked_up_on_the_instances_own_path(tmp_path: Path) -> None:
    tool = script(tmp_path / "bin" / "tool")
    assert find_program("tool", path=f"/nowhere:{tmp_path}/bin", directory=tmp_path) == tool
    with pytest.raises(CommandNotFound, match="PATH=/usr/bin"):
        find_program("tool", path="/usr/bin", directory=tmp_path)


def test_a_relative_path_counts_from_the_working_directory(tmp_path: Path) -> None:
    tool = script(tmp_path / "bin" / "tool")
    assert find_program("bin/tool", path="", directory=tmp_path) == tool


@pytest.mark.parametrize(
    ("first", "mode", "message"),
    [
        ("#!/bin/sh\n", 0o644, r"chmod \+x .*/tool"),
        ("#!/no/such/sh -e\n", 0o755, "interpreter /no/such/sh"),
        ("#!\n", 0o755, "empty name"),
        ("echo hello\n", 0o755, "first line with #!"),
        ("", 0o755, "first line with #!"),
        ("#!/bin/sh\r\n", 0o755, "dos2unix"),
    ],
    ids=["mode", "interpreter", "empty interpreter", "no format", "empty", "windows"],
)
def test_what_the_kernel_would_refuse_is_explained(
    tmp_path: Path, first: str, mode: int, message: str
) -> None:
    tool = script(tmp_path / "bin" / "tool", mode=mode)
    tool.write_bytes(first.encode())
    for command in ("bin/tool", "tool"):
        with pytest.raises(CommandNotFound, match=message):
            find_program(command, path=str(tmp_path / "bin"), directory=tmp_path)


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound, match="is a folder"):
        find_program("./", path="", directory=tmp_path)
