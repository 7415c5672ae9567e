"""Documents of others that a mock answers by: OpenAPI 3, and JSON Schemas of events.

They are read as hostile: nothing that they name is fetched, every reference must lead to a place in the same document, and what
unfolds to too much is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from drystone.l00_kernel.yaml_text.problems import render
from drystone.l00_kernel.yaml_text.reader import read_documents
from drystone.l00_kernel.yaml_text.subject import Dialect, Subject
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l85_surfaces.sandbox.errors import DocumentUnfit
from drystone.l85_surfaces.sandbox.mocking.words import Json, Unfit, pointed

MOST_BYTES = 8 << 20
SUBJECT = Subject(
    name="document",
    begin="openapi: 3.1.0",
    too_large="leave out what the sandbox does not need",
    most_bytes=MOST_BYTES,
    most_values=500_000,
)
_DATA = frozenset({"example", "examples", "default", "enum", "const", "value"})
"""Keys whose values are data: what looks like a reference there is none."""
_NAMED = frozenset({"properties", "patternProperties", "schemas", "headers", "callbacks", "paths"})
"""Keys below which every key is a name that somebody chose."""


def openapi(file: Path) -> Mapping[str, Json]:
    """Read an OpenAPI document of version 3, and write its schemas as those of version 3.1.

    Raises:
        DocumentUnfit: It cannot be read, is of another version, or leads outside.
    """
    document = _read(file)
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1", "3.2")):
        said = f"it says swagger: {document['swagger']}" if "swagger" in document else ""
        said = said or (f"it says openapi: {version[:20]}" if version else "it has no key openapi")
        raise DocumentUnfit(f"{file} is no OpenAPI document of version 3: {said}; convert it first")
    if not isinstance(document.get("paths", {}), dict):
        raise DocumentUnfit(f"{file}: paths must be a mapping")
    _require_inside(document, file)
    return _modern(document) if version.startswith("3.0") else document


def event_schema(file: Path) -> Mapping[str, Json]:
    """Read the JSON Schema of an event.

    Raises:
        DocumentUnfit: It cannot be read, or leads outside.
    """
    schema = _read(file)
    _require_inside(schema, file)
    return schema


def _read(file: Path) -> dict[str, Json]:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES + 1)
    except OSError as e:
        raise DocumentUnfit(f"{file} cannot be read: {e.strerror}", file=str(file)) from e
    read = read_documents(text, str(file), SUBJECT, Dialect(any_key=True))
    if read.problems:
        decoded = text.decode("utf-8", "replace")
        shown = "\n".join(render(problem, decoded) for problem in read.problems[:5])
        raise DocumentUnfit(f"{file} cannot be read\n{shown}", file=str(file))
    found = plain(read.roots[0]) if read.roots else None
    if not isinstance(found, dict):
        raise DocumentUnfit(f"{file} holds no mapping; give an OpenAPI document or a JSON Schema")
    return found


def _require_inside(document: Json, file: Path) -> None:
    """Refuse references that lead to another document, or nowhere."""
    for where, reference in _references(document):
        try:
            pointed(document, reference)
        except Unfit as e:
            raise DocumentUnfit(
                f"{file}: {where}: {e}; put what it means into this file", file=str(file)
            ) from e


def _references(document: Json) -> Iterator[tuple[str, str]]:
    """Yield every reference with its place; a stack of our own holds however deep a document is."""
    waiting: list[tuple[Json, str, bool]] = [(document, "", False)]
    while waiting:
        one, where, is_named = waiting.pop()
        if isinstance(one, list):
            waiting += [(each, f"{where}[{at}]", False) for at, each in enumerate(one)]
        elif isinstance(one, dict):
            reference = one.get("$ref")
            if isinstance(reference, str):
                yield where or "the top", reference
            for key, below in one.items():
                if is_named or key not in _DATA:
                    waiting.append(
                        (below, f"{where}.{key}".lstrip("."), key in _NAMED and not is_named)
                    )
                elif key == "examples" and isinstance(below, dict):
                    waiting += [
                        ({"$ref": each["$ref"]}, f"{where}.examples.{name}", False)
                        for name, each in below.items()
                        if isinstance(each, dict) and "$ref" in each
                    ]


def _modern(one: Json, *, is_named: bool = False) -> Json:
    """Write what version 3.0 says in its own way as JSON Schema 2020-12 says it (OpenAPI 3.0.4, section 4.7.24)."""
    if isinstance(one, list):
        return [_modern(each) for each in one]
    if not isinstance(one, dict):
        return one
    if is_named:
        return {key: _modern(below) for key, below in one.items()}
    if isinstance(one.get("$ref"), str):
        return {"$ref": one["$ref"]}  # what stands beside a reference does not count there
    made = {
        key: below if key in _DATA else _modern(below, is_named=key in _NAMED)
        for key, below in one.items()
    }
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if made.get(exclusive) is True and limit in made:
            made[exclusive] = made.pop(limit)
        elif isinstance(made.get(exclusive), bool):
            del made[exclusive]
    if made.pop("nullable", False) is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    return made
