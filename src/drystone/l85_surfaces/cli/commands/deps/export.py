"""``drystone deps export``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal

from drystone.l05_graph import export as forms
from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.followed import Followed
from drystone.l05_graph.forms import survey_csv, survey_text
from drystone.l05_graph.model import Key, Model
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Source, SurveyPlace
from drystone.l85_surfaces.cli.dependencies.reading import given
from drystone.l85_surfaces.cli.dependencies.writing import written_once
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal

FORMS: Mapping[str, Callable[[Model], str]] = {
    "yaml": survey_text.dump,
    "json": lambda model: forms.to_json(model).decode(),
    "csv": lambda model: survey_csv.dump(model).dependencies,
    "csv-components": lambda model: survey_csv.dump(model).components,
    "dot": lambda model: forms.to_dot(model, marked=tangled(model)),
    "mermaid": lambda model: forms.to_mermaid(model, marked=tangled(model)),
    "graphml": forms.to_graphml,
}


def export(
    survey: SurveyPlace = None,
    /,
    *,
    source: Source = LIVE,
    form: Annotated[
        Literal["yaml", "json", "csv", "csv-components", "dot", "mermaid", "graphml"],
        Parameter(
            name=("--format", "-f"), help="For whom: a survey, a table, a program that draws."
        ),
    ] = "yaml",
    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"), metavar="FILE", help="Where it goes; it must not be there yet."
        ),
    ] = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Write a model in the form of other programs.

    YAML, JSON and the two tables say everything and can be read back. In drawings, the dependencies of tangles are red. With --json, the
    model as JSON.
    """
    model = given(survey, source, shared).model
    text = FORMS["json" if shared.json else form](model)
    if output is not None:
        written_once(output, text.encode())
        Terminal(json=False).line(f"written to {output}")
    else:
        Terminal(json=False).text(text if text.endswith("\n") else f"{text}\n")


def tangled(model: Model) -> Collection[Key]:
    """Return the keys of the dependencies that make tangles; alternatives that are spare are in none."""
    followed = Followed(model, Counted(model).lines)
    return {one.key for together in followed.tangled for one in followed.within(set(together))}
