"""A model in the forms of other programs: JSON, tables, DOT (Graphviz), Mermaid and GraphML.

JSON and tables say everything and can be read back. The others are drawings: names stand in labels, vertices are numbered,
so that a name may consist of any characters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from xml.sax.saxutils import escape

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l05_graph.model import Component, Dependency, Group, Key, Model, checked

FORMAT = "drystone-model"
VERSION = 1


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """A model as JSON, which may contradict itself."""

    format: str
    version: int
    title: str = ""
    parent: str | None = None
    components: tuple[Component, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    groups: tuple[Group, ...] = ()


class NoModel(Invalid):
    """The text is no model as JSON."""


def to_json(model: Model) -> bytes:
    """Write a model as JSON, always the same for what says the same.

    Durations are written by ISO 8601 (``PT1H``), as are days.
    """
    document = Document(
        FORMAT,
        VERSION,
        model.title,
        model.parent,
        tuple(sorted(model.components, key=lambda one: one.name)),
        tuple(sorted(model.dependencies, key=lambda one: one.key)),
        tuple(sorted(model.groups, key=lambda one: (one.component, one.name))),
    )
    return msgspec.json.encode(document, order="sorted")


def from_json(text: str | bytes) -> Model:
    """Read a model as :func:`to_json` writes it.

    Raises:
        NoModel: It is none, or of a later version.
        ModelInvalid: It contradicts itself.
    """
    found = document(text)
    return checked(
        found.components,
        found.dependencies,
        found.groups,
        title=found.title,
        parent=found.parent,
    )


def document(text: str | bytes) -> Document:
    """Read what :func:`to_json` writes, without a look at what it means.

    Raises:
        NoModel: It is none, or of a later version.
    """
    try:
        found = msgspec.json.decode(text, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoModel(f"this is no model as JSON: {error}") from error
    if (found.format, found.version) != (FORMAT, VERSION):
        raise NoModel(
            f"expected format {FORMAT!r}, version {VERSION}; got {found.format!r}, {found.version}"
        )
    return found


def to_dot(model: Model, *, marked: Collection[Key] = ()) -> str:
    """Write a model for Graphviz; who needs stands above what is needed.

    Args:
        model: Which.
        marked: Keys of dependencies that are drawn in red: those of tangles.
    """
    lines = ["digraph model {", "  node [shape=box];"]
    for number, component in enumerate(model.components):
        lines.append(f'  n{number} [label="{_dot(component.name)}"];')
    for one in model.dependencies:
        style = [] if one.is_hard else ["style=dashed"]
        style += ["color=red"] if one.key in marked else []
        end = f" [{', '.join(style)}]" if style else ""
        lines.append(f"  {_ends(model, one, ' -> ')}{end};")
    return "\n".join([*lines, "}"]) + "\n"


def _ends(model: Model, one: Dependency, arrow: str) -> str:
    return f"n{model.numbers[one.source]}{arrow}n{model.numbers[one.target]}"


def _dot(text: str) -> str:
    # A backslash begins an escape in a label; NUL ends the text for Graphviz.
    plain = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
    return plain.replace("\r", "\\r").replace("\n", "\\n")


def to_mermaid(model: Model, *, marked: Collection[Key] = ()) -> str:
    """Write a model for Mermaid.

    Args:
        model: Which.
        marked: Keys of dependencies that are drawn in red: those of tangles.
    """
    lines = ["flowchart TD"]
    for number, component in enumerate(model.components):
        lines.append(f'  n{number}["{_mermaid(component.name)}"]')
    red = []
    for number, one in enumerate(model.dependencies):
        lines.append(f"  {_ends(model, one, ' --> ' if one.is_hard else ' -.-> ')}")
        if one.key in marked:
            red.append(str(number))
    if red:
        lines.append(f"  linkStyle {','.join(red)} stroke:red")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    return "".join(one if one.isalnum() or one in " -_." else f"#{ord(one)};" for one in text)


_GRAPHML: Mapping[str, tuple[str, Callable[[Component], object]]] = {
    "name": ("string", lambda one: one.name),
    "kind": ("string", lambda one: one.kind),
    "owner": ("string", lambda one: one.owner),
    "tier": ("int", lambda one: one.tier),
    "layer": ("int", lambda one: one.layer),
}


def to_graphml(model: Model) -> str:
    """Write a model as GraphML, for yEd, Gephi and their like.

    Characters that XML cannot contain become replacement characters.
    """
    keys = [
        f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>'
        for name, (kind, _) in _GRAPHML.items()
    ]
    keys += [
        f'<key id="{name}" for="edge" attr.name="{name}" attr.type="string"/>'
        for name in ("strength", "at", "risk")
    ]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        *keys,
        '<graph edgedefault="directed">',
    ]
    for number, component in enumerate(model.components):
        said = {name: read(component) for name, (_, read) in _GRAPHML.items()}
        lines.append(f'<node id="n{number}">{_data(said)}</node>')
    for one in model.dependencies:
        said = {"strength": one.strength, "at": " ".join(one.at), "risk": one.risk}
        source, target = model.numbers[one.source], model.numbers[one.target]
        lines.append(f'<edge source="n{source}" target="n{target}">{_data(said)}</edge>')
    return "\n".join([*lines, "</graph>", "</graphml>"]) + "\n"


def _data(said: Mapping[str, object]) -> str:
    return "".join(
        f'<data key="{key}">{_xml(str(value))}</data>'
        for key, value in said.items()
        if value is not None
    )


def _xml(text: str) -> str:
    allowed = (
        one
        if one in "\t\n\r"
        or "\x20" <= one <= "\ud7ff"
        or "\ue000" <= one <= "\ufffd"
        or one > "\uffff"
        else "\N{REPLACEMENT CHARACTER}"
        for one in text
    )
    # A parser turns line ends into one newline unless they are written as references.
    return escape("".join(allowed), {"\r": "&#13;"})
