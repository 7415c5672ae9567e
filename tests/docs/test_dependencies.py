"""The page of dependencies names what the project asks for, and nothing else."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from docs.pages import ROOT

PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")


def named(heading: str) -> list[str]:
    """Return the first cell of each row of a table, without its marks."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def bare(requirement: str) -> str:
    """Return a requirement's name, with its extras, without its versions."""
    match = re.match(r"[\w.-]+(?:\[[\w,-]+\])?", requirement)
    assert match
    return match[0]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_what_it_needs_to_run_is_explained(project: dict[str, Any]) -> None:
    wanted = sorted(bare(one) for one in project["project"]["dependencies"])
    assert named("To run") == wanted


def test_what_it_needs_to_be_worked_on_is_explained(project: dict[str, Any]) -> None:
    groups = project["dependency-groups"].values()
    wanted = {bare(one) for group in groups for one in group if isinstance(one, str)}
    assert set(named("To work on it")) == wanted


def test_the_debian_packages_are_explained() -> None:
    script = (ROOT / "tools" / "system-packages").read_text("utf-8")
    wanted = {
        package
        for line in re.findall(r"^need (.+)$", script, re.MULTILINE)
        for package in line.split()[1:]
    }
    assert set(named("Debian packages")) == wanted


def test_every_row_says_why_and_how_out() -> None:
    rows = re.findall(r"^\| `.*\|$", PAGE, re.MULTILINE)
    assert len(rows) > 30
    assert [row for row in rows if any(not cell.strip() for cell in row.split("|")[1:-1])] == []


def test_the_places_are_those_of_the_contracts(project: dict[str, Any]) -> None:
    rules = (ROOT / ".importlinter").read_text("utf-8").partition("places =\n")[2]
    places = dict(re.findall(r"^    (\w+): (.+)$", rules, re.MULTILINE))
    modules = {
        "psycopg[binary]": "psycopg",
        "pyyaml": "yaml",
        "typing-extensions": "typing_extensions",
    }
    for requirement in project["project"]["dependencies"]:
        name = bare(requirement)
        place = places.get(modules.get(name, name), "")
        layers = set(re.findall(r"drystone\.l(\d\d)_", place))
        (row,) = re.findall(rf"^\| `{re.escape(name)}` \|.*$", PAGE, re.MULTILINE)
        assert layers <= set(re.findall(r"\bl(\d\d)\b", row)), name


def test_what_it_can_have_more_is_explained(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"].values()
    assert set(named("To have more")) == {bare(one) for extra in extras for one in extra}
