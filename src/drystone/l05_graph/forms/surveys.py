"""Several surveys as one model: whoever owns a part writes it down where it lives, in the form that suits.

A component is declared in one of the files; a need may lead to a component of any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from drystone.l05_graph import export
from drystone.l05_graph.errors import Mistake
from drystone.l05_graph.forms import survey, survey_csv
from drystone.l05_graph.forms.parts import Parts, Placed, together

MOST_BYTES = survey_csv.MOST_BYTES
"""Of one file in any of the forms."""
ENDINGS = (".yaml", ".yml", ".csv", ".tsv", ".json")
"""Names of surveys end with one of these."""


class Form(StrEnum):
    """How a survey is written."""

    YAML = "yaml"
    JSON = "json"
    DEPENDENCIES = "table of dependencies"
    COMPONENTS = "table of components"


def read(documents: Mapping[str, bytes]) -> Placed:
    """Read surveys as one model.

    Args:
        documents: What the files say, by what to call them in messages.

    Raises:
        ModelInvalid: There are mistakes; all of them are in it, with their places.
    """
    return together(_parts(name, written) for name, written in documents.items()).placed()


def form_of(name: str, written: bytes) -> Form:
    """Tell in which form a survey is written: by what it begins with, as names are not known for standard input."""
    start = written[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    line = start.partition(b"\n")[0].decode("utf-8", "replace").lower()
    if name.endswith(".json") or (start.startswith(b"{") and b'"format"' in written):
        return Form.JSON
    divider = max(",;\t", key=line.count)
    columns = {cell.strip() for cell in line.split(divider)} if line.count(divider) else {line}
    if {"source", "target"} <= columns or {"from", "to"} <= columns:
        return Form.DEPENDENCIES
    if columns & {"name", "component", "service"} and (len(columns) > 1 or _is_table(name)):
        return Form.COMPONENTS
    return Form.DEPENDENCIES if _is_table(name) else Form.YAML


def _is_table(name: str) -> bool:
    return name.endswith((".csv", ".tsv"))


def _parts(name: str, written: bytes) -> Parts:
    match form_of(name, written):
        case Form.YAML:
            return survey.parts(written, file=name)
        case Form.DEPENDENCIES:
            return survey_csv.parts(written, files=(name, name))
        case Form.COMPONENTS:
            return survey_csv.parts(None, written, files=(name, name))
        case Form.JSON:
            return _of_json(name, written)


def _of_json(name: str, written: bytes) -> Parts:
    if len(written) > MOST_BYTES:
        said = f"the file has {len(written):,} bytes; at most {MOST_BYTES:,} are read"
        return Parts(mistakes=[Mistake(said, name)], is_whole=False)
    try:
        found = export.document(written)
    except export.NoModel as refused:
        return Parts(mistakes=[Mistake(refused.message, name)], is_whole=False)
    parts = Parts(
        title=found.title,
        parent=found.parent,
        components=list(found.components),
        dependencies=list(found.dependencies),
        groups=list(found.groups),
    )
    every = (*parts.components, *parts.dependencies, *parts.groups)
    parts.places = {id(one): name for one in every}
    return parts
