from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from drystone.l05_graph.changes import applied
from drystone.l05_graph.forms import scenario, survey, survey_csv
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference/survey.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_reference_can_be_read_and_applied() -> None:
    first, second = blocks(REFERENCE, "yaml")
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


def test_the_how_to_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "how-to/dependencies.md").read_text()
    (example,), (code,), (printed,) = (blocks(text, kind) for kind in ("yaml", "python", "text"))
    (tmp_path / "survey.yaml").write_text(example)
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "dependencies.md", "exec"), {})  # noqa: S102 - it is our own page
    findings = [line for line in out.getvalue().splitlines() if not line.startswith("note")]
    assert findings == printed.splitlines()
