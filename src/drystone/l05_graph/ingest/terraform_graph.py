"""What ``terraform graph`` prints, in the form of before and since Terraform 1.7.

It is a small part of the DOT language: one statement a line. Resources become components. What only computes (variables,
local values, outputs, modules) is passed through: who needs it needs the resources behind it. Providers say how something is
made, not what it needs, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from drystone.l05_graph.ingest.gathering import Gathering
from drystone.l05_graph.ingest.resource_types import kind_of, risk_of
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File, Unreadable
from drystone.l05_graph.ingest.terraform_state import without_indexes
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Strength

MOST_BYTES = 64 * 1024 * 1024
MOST_STEPS = 20_000_000
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_ATTRIBUTES = r"(?:\s*\[[^\n]*\])?"
_NODE = re.compile(rf"{_QUOTED}{_ATTRIBUTES}\s*;?")
_EDGE = re.compile(rf"{_QUOTED}\s*->\s*{_QUOTED}{_ATTRIBUTES}\s*;?")
_FRAME = re.compile(
    r"(?:strict\s+)?digraph(?:\s+\w+|\s+\"[^\"]*\")?\s*\{|subgraph\s+(?:\"[^\"]*\"|\w+)\s*\{|\}"
)
_SETTING = re.compile(r"(?:(?:node|edge|graph)\s*\[[^\n]*\]|\w+\s*=\s*(?:\"[^\"]*\"|\w+))\s*;?")
_GONE = re.compile(r" \((?:destroy|orphan|deposed[^()]*|clean up state)\)$")
_PROVIDER = "provider["
_BEGIN = "the graph begins with 'digraph {' and ends with its '}'"
_RESOURCE = re.compile(
    r"(?P<module>(?:module\.[\w-]+\.)*)(?P<data>data\.)?(?P<type>[a-z][\w-]*)\.[\w-]+"
)
_COMPUTED = frozenset(
    ["var", "local", "output", "module", "provider", "meta", "each", "count", "path", "terraform"]
)


def read(files: Sequence[File]) -> Declared:
    """Read printed graphs.

    Raises:
        Unreadable: A file is no such graph, or holds no resource.
    """
    gathering = Gathering("Terraform graph")
    for file in files:
        _Graph(file, gathering).take()
    return gathering.declared("resource of a Terraform graph")


class _Graph:
    def __init__(self, file: File, gathering: Gathering) -> None:
        self._file = file
        self._gathering = gathering
        self._nodes: dict[str, int] = {}
        self._edges: dict[str, dict[str, int]] = {}
        self._steps = 0

    def take(self) -> None:
        """Take the resources of the graph, and what they need.

        Raises:
            Unreadable: It is no such graph.
        """
        self._read()
        providers = 0
        for node, line in self._nodes.items():
            found = _RESOURCE.fullmatch(node)
            if found is None or found["type"] in _COMPUTED:
                providers += _PROVIDER in node
                continue
            kind = Kind.EXTERNAL if found["data"] else kind_of(found["type"])
            if not self._gathering.has(node):
                self._gathering.component(Component(name=node, kind=kind), self._place(line))
        if providers:
            self._gathering.skips.add("a provider is no component", self._file.name, providers)
        for node in self._nodes:
            if self._gathering.has(node):
                self._needs(node)

    def _place(self, line: int) -> str:
        return f"{self._file.name}:{line}"

    def _read(self) -> None:
        depth = 0
        for number, line in _lines(self._file):
            if frame := _FRAME.fullmatch(line):
                if (depth == 0) != ("digraph" in line):
                    raise Unreadable(f"{self._place(number)}: {_BEGIN}")
                depth += -1 if frame[0] == "}" else 1
            elif depth == 0:
                raise Unreadable(f"{self._place(number)}: {_BEGIN}")
            elif not self._statement(line, number) and not _SETTING.fullmatch(line):
                what = "a line is nothing that 'terraform graph' prints"
                self._gathering.skips.add(what, self._place(number))
        if depth:
            what = "the end comes before the graph is closed; was the file cut?"
            self._gathering.skips.add(what, self._file.name)

    def _statement(self, line: str, number: int) -> bool:
        """Take a node or an edge; tell whether the line is one."""
        found = _EDGE.fullmatch(line) or _NODE.fullmatch(line)
        if found is None:
            return False
        if any(_GONE.search(end) for end in found.groups()):
            what = "what is only destroyed is left out; its order is the other way round"
            self._gathering.skips.add(what, self._place(number))
            return True
        ends = [_address(end) for end in found.groups()]
        for name in ends:
            self._nodes.setdefault(name, number)
        if len(ends) == 2 and ends[0] != ends[1]:
            self._edges.setdefault(ends[0], {}).setdefault(ends[1], number)
        elif len(ends) == 2:
            self._gathering.skips.add("depends on itself", self._place(number))
        return True

    def _needs(self, node: str) -> None:
        """Take the resources that a resource needs, on ways through what only computes."""
        seen: set[str] = set()
        waiting = [*self._edges.get(node, {}).items()]
        while waiting:
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise Unreadable(f"{self._file.name}: the graph has too many ways to follow")
            target, line = waiting.pop()
            if target in seen:
                continue
            seen.add(target)
            if self._gathering.has(target):
                if target != node:
                    self._need(node, target, line)
            elif _PROVIDER not in target:
                waiting += [(further, line) for further in self._edges.get(target, ())]

    def _need(self, node: str, target: str, line: int) -> None:
        found = _RESOURCE.fullmatch(target)
        self._gathering.needs(
            node,
            target,
            self._place(line),
            "edge",
            strength=Strength.HARD,
            at=(Phase.DEPLOY,),
            risk=risk_of(found["type"] if found else ""),
        )


def _lines(file: File) -> Iterator[tuple[int, str]]:
    if len(file.content) > MOST_BYTES:
        raise Unreadable(
            f"{file.name}: the graph has {len(file.content):,} bytes; at most {MOST_BYTES:,} are read"
        )
    try:
        decoded = file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{file.name}:{line}: the graph is not UTF-8 here") from error
    for number, text in enumerate(decoded.split("\n"), 1):
        if text.strip():
            yield number, text.strip()


def _address(written: str) -> str:
    """Return what a node stands for: ``[root] module.a.b.c[0] (expand)`` is ``module.a.b.c``.

    The end of a module, ``module.a (close)``, is another node than its begin: it needs all that is inside.
    """
    plain = re.sub(r"\\(.)", r"\1", written).removeprefix("[root] ").removesuffix(" (expand)")
    return plain if _PROVIDER in plain else without_indexes(plain)


SOURCE = DeclaredSource(
    name="terraform-graph",
    title="Terraform graph",
    files=("*.dot",),
    format="https://developer.hashicorp.com/terraform/cli/commands/graph",
    read=read,
)
