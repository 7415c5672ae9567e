"""The survey: the readable form of a model, one YAML file that lives in git.

.. code-block:: yaml

    title: What we run
    defaults:
      component: {tier: 2}
      dependency: {at: [start, run]}
    components:
      shop:
        owner: commerce
        groups: {payment: 1}
        needs:
          users: hard
          mail: {strength: soft, without: mail goes out later}
          card-one: {strength: hard, group: payment}
          card-two: {strength: hard, group: payment}
          registry:
            - {strength: hard, at: deploy, risk: artifacts}
            - {strength: soft, at: run, risk: artifacts}
      users:

What is not known is left out. The order of the components is kept; dependencies stand with who needs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY, STRENGTH, Single
from drystone.l05_graph.forms.blocks import ABSENT, Notes, attributes, complete
from drystone.l05_graph.forms.parts import Parts
from drystone.l05_graph.forms.values import text, whole
from drystone.l05_graph.model import Component, Dependency, Group, Model

SURVEY = Subject(
    name="survey",
    begin="begin with 'components:' and one line for each, such as '  shop:'",
    too_large="write it as two tables (CSV), which may be larger",
    most_bytes=32 * 1024 * 1024,
    most_values=2_000_000,
)
_TOP: Mapping[str, Single] = {"title": Single(text), "parent": Single(text)}


def read(written: str | bytes, *, file: str = "survey.yaml") -> Model:
    """Read a survey.

    Args:
        written: The YAML text.
        file: What to call it in messages.

    Raises:
        ModelInvalid: It has mistakes; all of them are in it, each with file, line and column.
    """
    return parts(written, file=file).model()


def parts(written: str | bytes, *, file: str = "survey.yaml") -> Parts:
    """Read what a survey says, with the places and the mistakes of it."""
    notes = Notes(file)
    root = document(written, notes, SURVEY)
    found = _Reading(notes)
    if root is not None:
        found.read(root)
    found.parts.mistakes = notes.mistakes
    return found.parts


def document(written: str | bytes, notes: Notes, subject: Subject) -> tree.Mapping | None:
    """Read a text as a mapping, and note mistakes of its form."""
    found = read_document(written, notes.file, subject)
    for problem in found.problems:
        span = tree.Span(problem.line, problem.column, problem.line, problem.end)
        notes.add(span, f"{problem.message}; {problem.help}" if problem.help else problem.message)
    return found.root


class _Reading:
    """What has been read of a survey so far."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.parts = Parts()
        self._of_components: Mapping[str, Any] = {}
        self._of_dependencies: Mapping[str, Any] = {}

    def read(self, root: tree.Mapping) -> None:
        """Read the whole."""
        known = ("defaults", "components")
        said = attributes(root.entries, _TOP, self._notes, "the survey", known)
        top = complete(said, {})
        self.parts.title, self.parts.parent = top.get("title", ""), top.get("parent")
        if (entry := root.entries.get("defaults")) is not None:
            self._defaults(self._notes.mapping(entry.node, "defaults"))
        entry = root.entries.get("components")
        if entry is None:
            self._notes.add(root.span, "the survey has no components; begin with 'components:'")
            return
        for name, one in self._notes.mapping(entry.node, "components").items():
            self._component(name, one)

    def _defaults(self, entries: Mapping[str, tree.Entry]) -> None:
        for key, entry in entries.items():
            inner = self._notes.mapping(entry.node, f"defaults: {key}")
            if key == "component":
                self._of_components = attributes(inner, COMPONENT, self._notes, "defaults")
            elif key == "dependency":
                self._of_dependencies = attributes(inner, DEPENDENCY, self._notes, "defaults")
            else:
                self._notes.unknown(entry.key, key, ("component", "dependency"), "defaults")

    def _component(self, name: str, entry: tree.Entry) -> None:
        entries = self._notes.mapping(entry.node, name)
        said = attributes(entries, COMPONENT, self._notes, name, ("groups", "needs"))
        component = Component(name=name, **complete(said, self._of_components))
        self.parts.components.append(component)
        self.parts.places[id(component)] = self._notes.place(entry.key)
        if "groups" in entries:
            self._groups_of(name, entries["groups"].node)
        if "needs" in entries:
            for target, need in self._notes.mapping(
                entries["needs"].node, f"{name}: needs"
            ).items():
                self._need(name, target, need)

    def _groups_of(self, name: str, node: tree.Node) -> None:
        table = {"at_least": Single(whole)}
        for group, entry in self._notes.mapping(node, f"{name}: groups").items():
            what = f"{name}: group {group}"
            inner = entry.node
            if isinstance(inner, tree.Scalar):  # the short way: only the number
                said = attributes({"at_least": entry}, table, self._notes, what)
            else:
                said = attributes(self._notes.mapping(inner, what), table, self._notes, what)
            found = Group(component=name, name=group, **complete(said, {}))
            self.parts.groups.append(found)
            self.parts.places[id(found)] = self._notes.place(entry.key)

    def _need(self, source: str, target: str, entry: tree.Entry) -> None:
        if not isinstance(entry.node, tree.Sequence):
            self._one_need(source, target, entry.node, entry.key)
            return
        if not entry.node.items:
            self._notes.add(
                entry.key, f"{source} → {target} is an empty list; say how, or remove it"
            )
        for item in entry.node.items:
            self._one_need(source, target, item, item.span)

    def _one_need(self, source: str, target: str, node: tree.Node, span: tree.Span) -> None:
        what = f"{source} → {target}"
        if isinstance(node, tree.Scalar):
            entries = {} if node.value is None else {"strength": tree.Entry(node.span, node)}
            said = attributes(entries, {"strength": Single(STRENGTH)}, self._notes, what)
        elif isinstance(node, tree.Mapping):
            said = attributes(node.entries, DEPENDENCY, self._notes, what)
        else:
            self._notes.add(
                node.span, f"{what}: a list in a list; write {quoted('hard')} or a mapping"
            )
            return
        found = Dependency(source=source, target=target, **complete(said, self._of_dependencies))
        self.parts.dependencies.append(found)
        self.parts.places[id(found)] = self._notes.place(span)


def said_of(value: msgspec.Struct, names: Iterable[str]) -> dict[str, Any]:
    """Return those attributes that differ from what they are when nothing is said."""
    unsaid = defaults_of(type(value))
    return {name: got for name in names if (got := getattr(value, name)) != unsaid[name]}


@functools.cache
def defaults_of(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return what each attribute is when nothing is said; :data:`ABSENT` for those that must be said."""
    return {
        field.name: ABSENT if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(kind)
    }
