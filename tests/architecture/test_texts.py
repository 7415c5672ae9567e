"""Words that may stand in no tracked file: places of one machine, and where packages were downloaded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 2_000_000

MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|Users)/[\w.]")
DOWNLOAD = re.compile(r"https?://[^\s\"'<>)]+\.(?:whl|tgz|tar\.gz|deb)\b")
INDEX = re.compile(r"(?:files\.pythonhosted|pypi)\.org/(?:simple|packages)|registry\.npmjs\.org/")
ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links")


def tracked() -> list[Path]:
    """Return the files that git tracks and that are text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [f for f in files if f.is_file() and b"\0" not in f.read_bytes()[:LARGEST]]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {str(f.relative_to(ROOT)): f.read_text("utf-8") for f in tracked()}


@pytest.mark.parametrize("words", [MACHINE, DOWNLOAD, INDEX], ids=["machine", "download", "index"])
def test_no_tracked_file_speaks_of_one_machine(
    texts: dict[str, str], words: re.Pattern[str]
) -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in texts.items()
        for match in words.finditer(text)
    ]
    assert found == []


def test_lock_files_hold_versions_and_hashes_but_no_addresses(texts: dict[str, str]) -> None:
    locks = [
        name for name in texts if re.search(r"requirements/.*\.txt$|(^|[/.-])lock(\.|$)", name)
    ]
    assert "requirements/dev.txt" in locks
    for name in locks:
        if name.startswith("tools/"):
            continue
        assert not ADDRESS.search(texts[name])
    assert "--hash=sha256:" in texts["requirements/dev.txt"]


@pytest.mark.parametrize("text", ["see /" + "work/main/x", '"/' + 'root/.cache"'])
def test_places_of_a_machine_are_found(text: str) -> None:
    assert MACHINE.search(text)


@pytest.mark.parametrize("text", ["/v1/work/items", "homework/a", "/roots/x", "~/root/x"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert not MACHINE.search(text)
