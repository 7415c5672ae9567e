from __future__ import annotations

import re
from pathlib import Path

from drystone.l05_graph.ingest.backstage import OF_COMPONENTS, OF_DEPENDENCIES
from drystone.l05_graph.ingest.debian import MEANING
from drystone.l05_graph.ingest.sources import DECLARED

PAGE = Path(__file__).parents[3] / "docs/reference/ingest-declared.md"
SECTIONS = dict(
    re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
)


def test_every_source_of_declarations_has_its_section() -> None:
    assert list(SECTIONS) == [one.name for one in DECLARED]


def test_every_annotation_is_in_the_reference() -> None:
    said = set(re.findall(r"`([\w]+)`", SECTIONS["backstage"]))
    assert {*OF_COMPONENTS, *OF_DEPENDENCIES} - {"strength"} <= said


def test_the_table_of_fields_says_what_they_mean() -> None:
    for meaning in MEANING.values():
        (row,) = (
            line
            for line in SECTIONS["debian"].splitlines()
            if line.startswith("|") and re.search(rf"\b(?<!-){meaning.how}\b", line)
        )
        assert f"| {meaning.strength}" in row, row
        assert f"| {meaning.at} | {meaning.risk} |" in row, row
