"""CloudFormation: templates as JSON or YAML with short tags, one file for each stack.

A component is a resource, named ``stack/LogicalId`` after the file. What a resource refers to must be there before it is made,
so that everything here is hard at deploy time. Exports that other templates import lead from stack to stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.subject import Dialect
from drystone.l05_graph.ingest.documents import Document, documents, get, items, pairs, text, words
from drystone.l05_graph.ingest.gathering import Gathering
from drystone.l05_graph.ingest.resource_types import kind_of, risk_of
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Strength

_FUNCTIONS = (
    *("And", "Base64", "Cidr", "Equals", "FindInMap", "ForEach", "GetAtt", "GetAZs", "If"),
    *("ImportValue", "Join", "Length", "Not", "Or", "Select", "Split", "Sub", "ToJsonString"),
    "Transform",
)
CLOUDFORMATION = Dialect(
    tags={
        "!Ref": "Ref",
        "!Condition": "Condition",
        **{f"!{name}": f"Fn::{name}" for name in _FUNCTIONS},
    },
    any_key=True,
)
_PLACEHOLDER = re.compile(r"\$\{([^!{}][^{}]*)\}")
_SUFFIXES = (".template", ".cfn", ".cf")


class _Use(NamedTuple):
    """That something is referred to.

    Attributes:
        name: A logical id, or the name of an export.
        how: By which function.
        is_import: Whether it is an export of another stack.
        condition: On which condition; empty when always.
        span: Where.
    """

    name: str
    how: str
    is_import: bool
    condition: str
    span: tree.Span


class _Stack(NamedTuple):
    name: str
    document: Document
    resources: Mapping[str, tree.Entry]
    known: Mapping[str, str]
    """What parameters and pseudo parameters are, where that is known."""


def read(files: Sequence[File]) -> Declared:
    """Read templates of stacks that belong together.

    Raises:
        Unreadable: No file can be read, or none has resources.
    """
    gathering = Gathering("CloudFormation")
    stacks: dict[str, _Stack] = {}
    for document in documents(files, gathering, "template", CLOUDFORMATION):
        stack = _stack(document, gathering)
        if stack is not None and stacks.setdefault(stack.name, stack) is not stack:
            gathering.skips.add("a stack of this name was read before", document.place())
    exports: dict[str, list[str]] = {}
    for stack in stacks.values():
        _exports(stack, exports, gathering)
        for name, entry in stack.resources.items():
            _component(stack, name, entry, gathering)
    types = {
        f"{stack.name}/{name}": text(entry.node, "Type")
        for stack in stacks.values()
        for name, entry in stack.resources.items()
    }
    for stack in stacks.values():
        for name, entry in stack.resources.items():
            for use, target, place in _needs(stack, name, entry, exports, gathering):
                gathering.needs(
                    f"{stack.name}/{name}",
                    target,
                    place,
                    f"{use.how}, if {use.condition}" if use.condition else use.how,
                    strength=Strength.HARD,
                    at=(Phase.DEPLOY,),
                    risk=risk_of(types.get(target, "")),
                )
    return gathering.declared("resource of CloudFormation")


def _stack(document: Document, gathering: Gathering) -> _Stack | None:
    root = document.root
    resources = dict(pairs(root, "Resources"))
    if not resources:
        gathering.skips.add("no CloudFormation template: no Resources", document.place())
        return None
    name = PurePosixPath(document.file.replace("\\", "/")).stem
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    known = {"AWS::StackName": name}
    for parameter, entry in pairs(root, "Parameters"):
        if default := text(entry.node, "Default"):
            known[parameter] = default
    if transform := get(root, "Transform"):
        what = "a Transform is not carried out; what it adds is not seen"
        gathering.note(what, document.place(transform.span))
    for key in list(resources):
        if key.startswith("Fn::"):
            what = (
                f"{key.partition('::')[2].partition('::')[0]} among the resources is not unfolded"
            )
            gathering.skips.add(what, document.place(resources.pop(key).key))
    return _Stack(name, document, resources, known)


def _component(stack: _Stack, name: str, entry: tree.Entry, gathering: Gathering) -> None:
    type_, place = text(entry.node, "Type"), stack.document.place(entry.key)
    if not type_:
        gathering.skips.add("a resource has no Type", place)
        return
    condition = text(entry.node, "Condition")
    said = [type_, f"only if {condition}" if condition else ""]
    note = ", ".join(filter(None, said))
    component = Component(name=f"{stack.name}/{name}", kind=kind_of(type_), note=note)
    gathering.component(component, place)
    if type_ == "AWS::CloudFormation::Stack":
        gathering.note("the template of a nested stack is not followed; name it too", place)


def _exports(stack: _Stack, exports: dict[str, list[str]], gathering: Gathering) -> None:
    for output, entry in pairs(stack.document.root, "Outputs"):
        place = stack.document.place(entry.key)
        written = get(entry.node, "Export", "Name")
        if written is None:
            continue
        name = _literal(written, stack)
        behind = [
            f"{stack.name}/{use.name}"
            for use in _uses(get(entry.node, "Value"), stack)
            if not use.is_import and use.name in stack.resources
        ]
        if not name:
            gathering.skips.add("the name of an export is computed", place)
        elif name in exports:
            gathering.skips.add(
                f"the export {quoted(name)} is there twice; the first counts", place
            )
        else:
            exports[name] = list(dict.fromkeys(behind))
            if not behind:
                gathering.note(f"the export {quoted(name)} of {output} is of no resource", place)


def _needs(
    stack: _Stack,
    name: str,
    entry: tree.Entry,
    exports: Mapping[str, Sequence[str]],
    gathering: Gathering,
) -> Iterator[tuple[_Use, str, str]]:
    """Return what a resource refers to, the component that this is, and the place."""
    if not gathering.has(f"{stack.name}/{name}"):
        return
    for use in _uses_of(entry.node, stack):
        place = stack.document.place(use.span)
        if use.is_import:
            for target in _imported(use, exports, gathering, place):
                yield use, target, place
        elif use.name in stack.resources:
            yield use, f"{stack.name}/{use.name}", place
        elif use.name not in stack.known and not _is_parameter(use.name, stack):
            what = f"{use.how} of {quoted(use.name)}, which the template does not have"
            gathering.skips.add(what, place)


def _imported(
    use: _Use, exports: Mapping[str, Sequence[str]], gathering: Gathering, place: str
) -> Sequence[str]:
    if not use.name:
        gathering.skips.add("the name of an import is computed", place)
        return ()
    if use.name not in exports:
        name = f"export/{use.name}"
        gathering.mention(name, place, Kind.EXTERNAL)
        return (name,)
    return exports[use.name]


def _is_parameter(name: str, stack: _Stack) -> bool:
    return name.startswith("AWS::") or get(stack.document.root, "Parameters", name) is not None


def _uses_of(resource: tree.Node, stack: _Stack) -> Iterator[_Use]:
    """Return what a resource refers to: by its properties and policies, and by DependsOn."""
    for name, span in words(resource, "DependsOn"):
        yield _Use(name, "DependsOn", is_import=False, condition="", span=span)
    for key, entry in pairs(resource):
        if key not in ("DependsOn", "Condition", "Type"):
            yield from _uses(entry.node, stack)


def _uses(node: tree.Node | None, stack: _Stack) -> Iterator[_Use]:
    """Return what a value refers to, at any depth."""
    waiting = [] if node is None else [(node, "")]
    while waiting:
        one, condition = waiting.pop()
        if isinstance(one, tree.Sequence):
            waiting += [(item, condition) for item in reversed(one.items)]
        elif isinstance(one, tree.Mapping):
            yield from _function(one, condition, stack)
            choice = items(one, "Fn::If")
            below = text(choice[0]) if choice else condition
            waiting += [(entry.node, below) for entry in reversed(one.entries.values())]


def _function(one: tree.Mapping, condition: str, stack: _Stack) -> Iterator[_Use]:
    if len(one.entries) != 1:
        return
    ((key, entry),) = one.entries.items()
    node = entry.node
    if key == "Ref" and text(node):
        yield _Use(text(node), "Ref", is_import=False, condition=condition, span=node.span)
    elif key == "Fn::GetAtt":
        name = text(node).partition(".")[0] or text(next(iter(items(node)), None))
        yield _Use(name, "GetAtt", is_import=False, condition=condition, span=node.span)
    elif key == "Fn::ImportValue":
        name = _literal(node, stack)
        yield _Use(name, "ImportValue", is_import=True, condition=condition, span=node.span)
    elif key == "Fn::Sub":
        parts = items(node)
        template = text(parts[0]) if parts else text(node)
        # The long form brings names of its own along.
        names = {name for part in parts[1:] for name, _ in pairs(part)}
        for found in _PLACEHOLDER.finditer(template):
            name = found[1].partition(".")[0].strip()
            if name not in names:
                yield _Use(name, "Sub", is_import=False, condition=condition, span=node.span)


def _literal(node: tree.Node, stack: _Stack) -> str:
    """Return a text with the parameters that are known put in; empty when it is computed otherwise."""
    if isinstance(node, tree.Scalar):
        return text(node)
    if name := text(node, "Ref"):
        return stack.known.get(name, f"${{{name}}}")
    if template := text(node, "Fn::Sub"):
        return _PLACEHOLDER.sub(lambda found: stack.known.get(found[1].strip(), found[0]), template)
    parts = items(node, "Fn::Join")
    if len(parts) == 2 and isinstance(parts[1], tree.Sequence):
        every = [_literal(part, stack) for part in parts[1].items]
        return text(parts[0]).join(every) if all(every) else ""
    return ""


SOURCE = DeclaredSource(
    name="cloudformation",
    title="CloudFormation templates",
    files=("*.template", "*.template.json", "*.template.yaml", "*.cfn.yaml", "*.cfn.json"),
    format="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html",
    read=read,
)
