"""The contract of our own for import-linter finds what it should; ``tools/check`` holds the code to all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RULES = """
[importlinter]
root_package = sample
include_external_packages = True
contract_types =
    third_parties: tests.architecture.third_parties.ThirdParties

[importlinter:contract:third-parties]
name = third parties
type = third_parties
places =
    psycopg: sample.postgres
    msgspec: sample
"""


def lint(folder: Path, rules: str, **modules: str) -> tuple[int, str]:
    """Run import-linter on a package of these modules; returns its exit code and its output."""
    package = folder / "sample"
    for name, text in {"__init__": "", **modules}.items():
        file = package.joinpath(*name.split("__")).with_suffix(".py")
        file = package / "__init__.py" if name == "__init__" else file
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    (folder / "rules").write_text(rules)
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", "rules"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_third_parties_in_their_places_and_pythons_own_are_kept(tmp_path: Path) -> None:
    modules = {"postgres__store": "import psycopg.rows", "api": "import json, msgspec.json"}
    code, output = lint(tmp_path, RULES, **modules)
    assert (code, "KEPT" in output) == (0, True), output


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        ("import psycopg", "psycopg"),
        ("def late():\n    from psycopg import rows", "psycopg"),
        ("import requests.adapters", "requests"),
    ],
)
def test_a_third_party_out_of_its_place_or_unknown_is_found(
    tmp_path: Path, text: str, stray: str
) -> None:
    code, output = lint(tmp_path, RULES, api=text)
    assert code == 1
    assert f"sample.api imports {stray}, which is not known there" in output


def test_every_layer_and_every_service_of_the_engines_has_a_rule() -> None:
    rules = (ROOT / ".importlinter").read_text()
    packages = [*(ROOT / "src/drystone").iterdir(), *(ROOT / "src/drystone/l10_engines").iterdir()]
    for package in packages:
        if list(package.glob("*.py")):
            assert package.name in rules
