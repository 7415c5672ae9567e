"""Scenarios as YAML: a list of changes that people can read and write.

.. code-block:: yaml

    title: A registry of our own for the orchestrator
    author: platform
    parent: 5c1f…            # digest of the model; left out, it is for any
    changes:
      - add: {component: small-registry, tier: 0}
      - add: {source: orchestrator, target: small-registry, strength: hard, at: deploy}
      - alter: {source: orchestrator, target: registry, strength: soft}
      - alter: {source: shop, target: users, of: {risk: auth, at: run}, at: start}
      - add: {group: dns, of: shop, at_least: 1}
      - alter: {component: shop, tier: 1, note: ~}
      - remove: {component: old-registry}

An attribute that is altered to ``~`` is no longer said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l05_graph.changes import (
    AddComponent,
    AddDependency,
    AddGroup,
    AlterComponent,
    AlterDependency,
    AlterGroup,
    Change,
    RemoveComponent,
    RemoveDependency,
    RemoveGroup,
    Scenario,
    Values,
    Which,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY, Attribute, Single
from drystone.l05_graph.forms.blocks import ABSENT, Notes, attributes, complete
from drystone.l05_graph.forms.parts import in_order
from drystone.l05_graph.forms.survey import defaults_of, document, said_of
from drystone.l05_graph.forms.survey_text import flow, scalar
from drystone.l05_graph.forms.values import text, whole
from drystone.l05_graph.model import Component, Dependency, Group

SCENARIO = Subject(
    name="scenario",
    begin="begin with 'title:' and 'changes:'",
    too_large="write the model that results as a survey, and compare the two",
    most_bytes=16 * 1024 * 1024,
    most_values=1_000_000,
)
_TOP: Mapping[str, Attribute] = {name: Single(text) for name in ("title", "author", "parent")}
_OF_COMPONENT: Mapping[str, Attribute] = {"component": Single(text), **COMPONENT}
_OF_DEPENDENCY: Mapping[str, Attribute] = {
    "source": Single(text),
    "target": Single(text),
    **DEPENDENCY,
}
_OF_GROUP: Mapping[str, Attribute] = {
    "group": Single(text),
    "of": Single(text),
    "at_least": Single(whole),
}
_KEY = {name: DEPENDENCY[name] for name in ("risk", "at")}


def read(written: str | bytes, *, file: str = "scenario.yaml") -> Scenario:
    """Read a scenario.

    Raises:
        ModelInvalid: It has mistakes; all of them are in it, with their places.
    """
    notes = Notes(file)
    root = document(written, notes, SCENARIO)
    top: dict[str, Any] = {}
    changes: list[Change] = []
    if root is not None:
        top = complete(attributes(root.entries, _TOP, notes, "the scenario", ("changes",)), {})
        if "title" not in top:
            notes.add(root.span, "the scenario has no title; say what it tries")
        if (entry := root.entries.get("changes")) is not None:
            changes = list(_changes(entry.node, notes))
    if notes.mistakes:
        raise ModelInvalid(in_order(notes.mistakes))
    return Scenario(changes=tuple(changes), **top)


def _changes(node: tree.Node, notes: Notes) -> Iterator[Change]:
    items = node.items if isinstance(node, tree.Sequence) else ()
    if not items:
        notes.add(node.span, "changes is no list; write '- add: …', '- alter: …' or '- remove: …'")
    for item in items:
        entries = notes.mapping(item, "a change")
        if len(entries) != 1:
            notes.add(item.span, "a change is one of add, alter and remove")
            continue
        ((verb, entry),) = entries.items()
        if verb not in ("add", "alter", "remove"):
            notes.unknown(entry.key, verb, ("add", "alter", "remove"), "a change")
            continue
        before = len(notes.mistakes)
        change = _change(verb, notes.mapping(entry.node, verb), entry.key, notes)
        if change is not None and len(notes.mistakes) == before:
            yield change


def _change(
    verb: str, entries: Mapping[str, tree.Entry], span: tree.Span, notes: Notes
) -> Change | None:
    if "source" in entries or "target" in entries:
        return _of_dependency(verb, entries, span, notes)
    if "group" in entries:
        return _of_group(verb, entries, span, notes)
    said = attributes(entries, _OF_COMPONENT, notes, verb)
    if not _has(said, ("component",), span, notes, verb):
        return None
    name = said.pop("component")
    if verb == "remove":
        return RemoveComponent(name)
    if verb == "alter":
        return AlterComponent(name, _values(said, defaults_of(Component)))
    return AddComponent(Component(name=name, **complete(said, {})))


def _of_group(
    verb: str, entries: Mapping[str, tree.Entry], span: tree.Span, notes: Notes
) -> Change | None:
    said = complete(attributes(entries, _OF_GROUP, notes, verb), {})
    if not _has(said, ("of", "at_least")[: 1 + (verb == "alter")], span, notes, verb):
        return None
    component, name, at_least = said["of"], said["group"], said.get("at_least", 1)
    if verb == "remove":
        return RemoveGroup(component, name)
    if verb == "alter":
        return AlterGroup(component, name, at_least)
    return AddGroup(Group(component=component, name=name, at_least=at_least))


def _of_dependency(
    verb: str, entries: Mapping[str, tree.Entry], span: tree.Span, notes: Notes
) -> Change | None:
    inner: dict[str, Any] = {}
    if "of" in entries:
        of = notes.mapping(entries["of"].node, f"{verb}: of")
        inner = complete(attributes(of, _KEY, notes, f"{verb}: of"), {})
    rest = {key: entry for key, entry in entries.items() if key != "of"}
    said = attributes(rest, _OF_DEPENDENCY, notes, verb)
    if not _has(said, ("source", "target"), span, notes, verb):
        return None
    source, target = said.pop("source"), said.pop("target")
    which = Which(source, target, **inner)
    if verb == "add":
        return AddDependency(Dependency(source=source, target=target, **complete(said, {})))
    if verb == "remove":
        return RemoveDependency(which)
    return AlterDependency(which, _values(said, defaults_of(Dependency)))


def _values(said: Mapping[str, Any], unsaid: Mapping[str, Any]) -> Values:
    return tuple((key, unsaid[key] if value is ABSENT else value) for key, value in said.items())


def _has(
    said: Mapping[str, Any], names: tuple[str, ...], span: tree.Span, notes: Notes, what: str
) -> bool:
    missing = [name for name in names if said.get(name, ABSENT) is ABSENT]
    if missing:
        notes.add(span, f"{what} does not say {' and '.join(missing)}")
    return not missing


def dump(scenario: Scenario) -> str:
    """Write a scenario so that :func:`read` gives the same."""
    lines = [f"title: {scalar(scenario.title)}"]
    if scenario.author:
        lines.append(f"author: {scalar(scenario.author)}")
    if scenario.parent is not None:
        lines.append(f"parent: {scalar(scenario.parent)}")
    if scenario.changes:
        lines.append("changes:")
    for change in scenario.changes:
        verb, said = _said(change)
        lines.append(f"  - {verb}: {flow(said)}")
    return "\n".join(lines) + "\n"


def _said(  # noqa: PLR0911 - one for each kind
    change: Change,
) -> tuple[str, dict[str, Any]]:
    match change:
        case AddComponent(component):
            return "add", {"component": component.name, **said_of(component, COMPONENT)}
        case RemoveComponent(name):
            return "remove", {"component": name}
        case AlterComponent(name, values):
            return "alter", {"component": name, **dict(values)}
        case AddDependency(one):
            ends = {"source": one.source, "target": one.target}
            return "add", {**ends, **said_of(one, DEPENDENCY)}
        case RemoveDependency(which):
            return "remove", _ends(which)
        case AlterDependency(which, values):
            return "alter", {**_ends(which), **dict(values)}
        case AddGroup(group):
            return "add", {"group": group.name, "of": group.component, "at_least": group.at_least}
        case RemoveGroup(component, name):
            return "remove", {"group": name, "of": component}
        case AlterGroup(component, name, at_least):
            return "alter", {"group": name, "of": component, "at_least": at_least}
        case _:
            assert_never(change)


def _ends(which: Which) -> dict[str, Any]:
    of = {"risk": which.risk, "at": which.at}
    said = {name: value for name, value in of.items() if value is not None}
    return {"source": which.source, "target": which.target, **({"of": said} if said else {})}
