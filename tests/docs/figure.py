"""The figure of the layers, drawn from the imports of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docs.pages import ROOT

SOURCE = ROOT / "src" / "drystone"
BEGIN = "<!-- The figure is made from the imports: pytest tests/docs --update -->"
END = "<!-- End of the figure -->"
KERNEL = "l00_kernel"
_IMPORT = re.compile(r"^ *(?:from (drystone[\w.]*) import|import (drystone[\w.]*))", re.MULTILINE)
"""Read as text: to parse every module takes ten times as long."""


@cache
def packages() -> dict[str, list[str]]:
    """Return the packages of each layer, from the lowest; a layer without any stands for itself."""
    found: dict[str, list[str]] = {}
    for layer in sorted(SOURCE.glob("l[0-9][0-9]_*")):
        inside = sorted(p.parent.name for p in layer.glob("*/__init__.py"))
        found[layer.name] = inside if layer.name != KERNEL else []
    return found


def imports() -> set[tuple[str, str]]:
    """Return which node of the figure imports which, across layers; the kernel, which all import, is left out."""
    edges = set()
    for file in SOURCE.rglob("*.py"):
        importer = _node(file.relative_to(SOURCE.parent).with_suffix("").parts)
        for module in _modules(file):
            imported = _node(tuple(module.split(".")))
            if importer and imported and importer.split("/")[0] != imported.split("/")[0]:
                edges.add((importer, imported))
    return {(a, b) for a, b in edges if b != KERNEL}


def _node(module: tuple[str, ...]) -> str:
    """Name the node of a module: its package, or its layer where it is in none; empty outside of the layers."""
    layers = packages()
    if len(module) < 2 or module[0] != "drystone" or module[1] not in layers:
        return ""
    layer = module[1]
    return f"{layer}/{module[2]}" if len(module) > 2 and module[2] in layers[layer] else layer


def _modules(file: Path) -> Iterator[str]:
    for found in _IMPORT.finditer(file.read_text("utf-8")):
        yield found[1] or found[2]


def figure() -> str:
    """Draw it in Mermaid: a box per layer, the highest on top, and an arrow per import."""
    lines = ["```mermaid", "flowchart TB"]
    used = {node for edge in imports() for node in edge}
    for layer, inside in reversed(packages().items()):
        lines.append(f"    subgraph {layer}")
        if layer in used or not inside:
            lines.append(f'        {_id(layer)}["{layer[1:3]}: {layer[4:]}"]')
        lines += [f'        {_id(f"{layer}/{name}")}["{name}"]' for name in inside]
        lines.append("    end")
    for importer, imported in sorted(imports()):
        lines.append(f"    {_id(importer)} --> {_id(imported)}")
    return "\n".join([*lines, "```"])


def _id(node: str) -> str:
    layer, _, name = node.partition("/")
    return f"{layer}__{name}" if name else f"{layer}__itself"


def with_figure(text: str) -> str:
    """Put the figure into a page, in the place of the one that it has."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figure()}\n{END}{after}"
