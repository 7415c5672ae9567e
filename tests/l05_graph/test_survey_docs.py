from __future__ import annotations

import re
from pathlib import Path

import pytest

from drystone.l05_graph.changes import applied
from drystone.l05_graph.forms import disaster, rules, scenario, survey, survey_csv
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference/survey.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_reference_can_be_read_and_applied() -> None:
    first, second, _ = blocks(REFERENCE, "yaml")
    model = survey.read(first)
    assert applied(model, scenario.read(second)).parent == model.digest
    (table,) = blocks(REFERENCE, "csv")
    assert len(survey_csv.read(table).dependencies) == 3


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("A component", [*COMPONENT, "groups", "needs"]),
        ("A dependency", [*DEPENDENCY]),
        ("Top level", ["title", "parent", "defaults", "components"]),
    ],
)
def test_every_key_is_in_the_reference(title: str, keys: list[str]) -> None:
    section = REFERENCE.split(f"## {title}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == keys


def test_every_key_of_rules_and_disasters_is_in_the_reference() -> None:
    rules_part, disasters_part = REFERENCE.split("## Rules\n")[1].split("## Disasters\n")
    assert re.findall(r"^\| `(\w+)` \|", rules_part, re.MULTILINE) == [*rules.TOP]
    assert all(f"`{key}`" in rules_part for key in rules.PATTERN)
    assert {*re.findall(r"^\| `(\w+)` \|", disasters_part, re.MULTILINE)} == {
        *(*disaster.TOP, *disaster.LISTS),
    }
    words = {*disaster.LOST, *disaster.CREW, *disaster.WAIVED, *disaster.EVENT}
    assert all(f"`{key}`" in disasters_part for key in words)
