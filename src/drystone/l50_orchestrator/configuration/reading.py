"""From files to what is wanted: everything that is wrong, in all files, at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

import msgspec

from drystone.l00_kernel.yaml_text.problems import Problem, nearest, quoted, render
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import Entry, Node, Span, at, dotted
from drystone.l00_kernel.yaml_text.tree import Mapping as Tree
from drystone.l00_kernel.yaml_text.unreadable import problem_at
from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.compiled import shape_of
from drystone.l25_deployer.descriptor.shapes import Named, Run, Single
from drystone.l50_orchestrator.configuration.api import File
from drystone.l50_orchestrator.configuration.secret_texts import secrets_in
from drystone.l50_orchestrator.configured import Configured

MOST_FILES = 1_000
MOST_TOTAL = 8 * 1024 * 1024
"""Bytes of all files together."""

MOST_SHOWN = 200

SUBJECT = Subject(
    name="configuration",
    begin="start with a kind, such as 'teams:', and a name below it",
    too_large="put parts of it into other files",
    most_bytes=2 * 1024 * 1024,
    most_values=200_000,
)

Key: TypeAlias = tuple[str, str]
"""Kind and name of an item."""

Kinds: TypeAlias = Mapping[str, Configured[Any]]


class Placed(msgspec.Struct, frozen=True):
    """An item, and where it was written."""

    item: Block
    file: str
    key: Span
    node: Node


class Wanted(msgspec.Struct, frozen=True):
    """What files say.

    Attributes:
        placed: Every item.
        kinds: Those that stand in some file, if only with nothing below them.
        texts: The files, for messages; without secrets.
    """

    placed: Mapping[Key, Placed]
    kinds: frozenset[str]
    texts: Mapping[str, str]

    @property
    def items(self) -> dict[Key, Block]:
        """Every item, without its place."""
        return {key: one.item for key, one in self.placed.items()}


class Reading(msgspec.Struct, frozen=True):
    """What came of reading files.

    Attributes:
        wanted: What they say; what of them could be read, where there are problems.
        problems: All mistakes, in the order of the files.
    """

    wanted: Wanted
    problems: tuple[Problem, ...]

    def report(self) -> str:
        """Show all mistakes, ready to print; empty when there are none."""
        return report(self.problems, self.wanted.texts)


def report(problems: Sequence[Problem], texts: Mapping[str, str]) -> str:
    """Show mistakes with their lines."""
    shown = [render(one, texts.get(one.file, "")) for one in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        shown.append(f"… and {len(problems) - MOST_SHOWN} more; correct these first")
    return "\n\n".join(shown)


def read(files: Iterable[File], kinds: Kinds) -> Reading:
    """Read files, in any order, and find every mistake that they have by themselves. Raises nothing.

    Args:
        files: Their paths are what messages call them.
        kinds: What there is to be said, by the key in the files.
    """
    run = _Reading(kinds)
    ordered = sorted(files, key=lambda file: (file.path, file.text))
    if len(ordered) > MOST_FILES or sum(len(file.text) for file in ordered) > MOST_TOTAL:
        what = f"at most {MOST_FILES} files of {MOST_TOTAL:,} bytes together are applied at once"
        return Reading(Wanted({}, frozenset(), {}), (Problem(1, 1, 2, what, None, "all files"),))
    if not ordered:
        run.problems.append(Problem(1, 1, 2, "there is no file", None, "all files"))
    for file in ordered:
        run.file(file)
    wanted = Wanted(run.placed, frozenset(run.mentioned), run.texts)
    found = [*run.problems, *_circles(wanted, kinds)]
    found.sort(key=lambda problem: (problem.file, problem.place))
    return Reading(wanted, tuple(found))


class _Reading:
    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.problems: list[Problem] = []
        self.placed: dict[Key, Placed] = {}
        self.mentioned: set[str] = set()
        self.texts: dict[str, str] = {}

    def file(self, file: File) -> None:
        if file.path in self.texts:
            self.problems.append(Problem(1, 1, 2, "this file was given twice", None, file.path))
            return
        secrets, self.texts[file.path] = secrets_in(file.text, file.path)
        if secrets:  # and nothing else: other mistakes would quote them
            self.problems += secrets
            return
        document = read_document(file.text, file.path, SUBJECT)
        self.problems += document.problems
        self.texts[file.path] = document.text
        for kind, entry in document.root.entries.items() if document.root is not None else ():
            self._kind(kind, entry, file.path)

    def _kind(self, kind: str, entry: Entry, file: str) -> None:
        configured = self._kinds.get(kind)
        if configured is None:
            if not kind.startswith("x-"):
                self._unknown(kind, entry, file)
            return
        self.mentioned.add(kind)
        run = Run(file, self.problems)
        values = run.check(_shape(configured), entry.node, (kind,))
        if not isinstance(values, dict) or not isinstance(entry.node, Tree):
            return
        for name, item in values.items():
            whole = configured.canonical(item)
            self._item((kind, name), whole, entry.node.entries[name], file)

    def _item(self, key: Key, item: Block, entry: Entry, file: str) -> None:
        first = self.placed.get(key)
        if first is None:
            self.placed[key] = Placed(item, file, entry.key, entry.node)
            return
        self.problems.append(
            problem_at(
                entry.key,
                f"{dotted(key)} stands twice: here and in {first.file}:{first.key.line}:{first.key.column}",
                "remove one of them",
                file,
            )
        )

    def _unknown(self, kind: str, entry: Entry, file: str) -> None:
        near = nearest(kind, self._kinds)
        help_ = (
            f"did you mean '{near}'?" if near else f"known here: {', '.join(sorted(self._kinds))}"
        )
        self.problems.append(problem_at(entry.key, f"unknown kind {quoted(kind)}", help_, file))


def _shape(configured: Configured[Any]) -> Named:
    names = shape_of(configured.names)
    if not isinstance(names, Single):
        raise TypeError(f"names of {configured.kind} are no single value")
    return Named(names.form, shape_of(configured.schema), nullable=False, notes=True)


def _circles(wanted: Wanted, kinds: Kinds) -> list[Problem]:
    """Find items that need each other."""
    graph = {
        key: {(ref.kind, ref.name) for ref in kinds[key[0]].references(key[1], one.item)}
        for key, one in wanted.placed.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        way: list[Key] = e.args[1][::-1]
        first = wanted.placed[way[0]]
        text = " needs ".join(dotted(key) for key in way)
        return [problem_at(first.key, f"a circle: {text}", "let one of them need none", first.file)]
    return []


def dangling(wanted: Wanted, there: Iterable[Key], kinds: Kinds) -> list[Problem]:
    """Find what items need and what there will not be.

    Args:
        wanted: The items.
        there: Everything that there will be, with what the files say.
        kinds: What there is to be said.
    """
    known: dict[str, set[str]] = {kind: set(one.built_in) for kind, one in kinds.items()}
    for kind, name in there:
        known.setdefault(kind, set()).add(name)
    problems = []
    for key, one in sorted(wanted.placed.items()):
        for ref in kinds[key[0]].references(key[1], one.item):
            if ref.name in known.get(ref.kind, ()) or ref.kind not in kinds:
                continue
            span = (at(one.node, ref.path) or (one.key, one.node))[1].span
            near = nearest(ref.name, known[ref.kind])
            problems.append(
                problem_at(
                    span,
                    f"{dotted((*key, *ref.path))}: {quoted(ref.name)} is none of the {ref.kind} that there will be",
                    f"did you mean '{near}'?" if near else f"add it under '{ref.kind}'",
                    one.file,
                )
            )
    return sorted(problems, key=lambda problem: (problem.file, problem.place))
