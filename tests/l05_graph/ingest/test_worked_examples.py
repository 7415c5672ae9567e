"""The example of each source: the survey that it becomes, its notes and its skips, reviewed as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.l05_graph.forms import survey
from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.ingest.source import Declared
from drystone.l05_graph.ingest.sources import DECLARED
from l05_graph.ingest.reading import HERE, examples, source

NAMES = [one.name for one in DECLARED]


def shown(found: Declared) -> str:
    told = [f"# note: {note}" for note in found.notes]
    told += [f"# left out: {skip.sentence()}" for skip in found.skips]
    return "\n".join([dump(found.model), *told, ""])


@pytest.mark.parametrize("name", NAMES)
def test_the_example_becomes_the_survey_that_was_reviewed(
    name: str, golden: Callable[[Path, str], None]
) -> None:
    found = source(name).read(examples(name))
    file = HERE / "expected" / f"{name}.yaml"
    golden(file, shown(found))
    assert survey.read(file.read_bytes()).digest == found.model.digest


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_files_changes_nothing_but_the_order(name: str) -> None:
    files = examples(name)
    found, again = source(name).read(files), source(name).read(files[::-1])
    assert again.model.digest == found.model.digest
