"""Shapes: types of the schema, compiled into what walks a tree and collects every mistake.

One shape is one kind of value; :mod:`~drystone.l25_deployer.descriptor.compiled` builds them from the annotations of the
schema. The check, the JSON Schema, the merge of environments and the reference page all use the result.
"""

from __future__ import annotations

import abc

import msgspec
from typing_extensions import override

from drystone.l00_kernel.yaml_text.problems import Problem, quoted
from drystone.l00_kernel.yaml_text.tree import (
    Entry,
    Mapping,
    Node,
    Path,
    Scalar,
    Sequence,
    Span,
    dotted,
    kind,
    plain,
)
from drystone.l00_kernel.yaml_text.unreadable import problem_at
from drystone.l25_deployer.descriptor.forms import Form, Mistake
from drystone.l25_deployer.descriptor.references import Ref, TemplateText, misplaced

MOST_PROBLEMS = 500
"""After so many mistakes the rest is not listed."""


class Broken:
    """Stands for a value that has mistakes."""


BROKEN = Broken()


class Use(msgspec.Struct, frozen=True):
    """A reference in its place."""

    path: Path
    span: Span
    ref: Ref


class Run:
    """One pass over a document and its environments: the mistakes and references found.

    Parts of the tree that environments share are checked once; what was found in them the first time is not found again.
    """

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.uses: list[Use] = []
        self.environment: str | None = None
        self.environments: frozenset[str] = frozenset()
        self.broken: set[int] = set()
        self._said = {(problem.line, problem.column, problem.message) for problem in problems}
        self._known: dict[tuple[int, int], tuple[Node, object, Path, list[Use]]] = {}

    def problem(self, span: Span, message: str, help_: str | None = None) -> Broken:
        """Note a mistake, unless it was noted at this place before."""
        key = (span.line, span.column, message)
        if key not in self._said and len(self.problems) <= MOST_PROBLEMS:
            self._said.add(key)
            if len(self.problems) == MOST_PROBLEMS:
                message, help_ = (
                    f"there are more than {MOST_PROBLEMS} mistakes",
                    "correct these first",
                )
            elif self.environment is not None:
                message = f"environment '{self.environment}': {message}"
            self.problems.append(problem_at(span, message, help_, self.file))
        return BROKEN

    @property
    def is_full(self) -> bool:
        """Whether further mistakes are not listed any more."""
        return len(self.problems) > MOST_PROBLEMS

    def check(self, shape: Shape, node: Node, path: Path) -> object:
        """Check a mapping or list, or take the result of the first time."""
        if isinstance(node, Scalar):
            return shape.check(node, path, self)
        key = (id(node), id(shape))
        known = self._known.get(key)
        if known is not None:
            _, value, first, uses = known
            self.uses.extend(
                use if first == path else Use((*path, *use.path[len(first) :]), use.span, use.ref)
                for use in uses
            )
            return value
        before = len(self.uses)
        value = shape.check(node, path, self)
        self._known[key] = (node, value, path, self.uses[before:])
        return value


class Shape(abc.ABC):
    """What a value of the descriptor may be."""

    kinds: frozenset[str] = frozenset()
    """Which of ``scalar``, ``list`` and ``mapping`` fit at all."""

    @property
    @abc.abstractmethod
    def expected(self) -> str:
        """What to write, as it stands in messages."""

    @abc.abstractmethod
    def check(self, node: Node, path: Path, run: Run) -> object:
        """Turn a value as written into a value as meant, or BROKEN after noting every mistake."""

    def child(self, key: str, node: Node) -> Shape | None:
        """Give the shape of a key below, given the mapping that holds it."""
        return None

    def expand(self, node: Node) -> Node:
        """Write a short form as its long form."""
        return node

    def misfit(self, node: Node, path: Path, run: Run) -> Broken:
        """Note that the kind of the value is wrong."""
        got = (
            quoted(node.text)
            if isinstance(node, Scalar) and isinstance(node.value, str)
            else kind(node)
        )
        help_ = None
        if (
            "list" in self.kinds
            and "scalar" not in self.kinds
            and isinstance(node, Scalar)
            and node.text
        ):
            items = (
                node.text.split()
                if path[-1:] in (("command",), ("migrate",), ("setup",), ("run",))
                else [node.text]
            )
            help_ = (
                f"write it as a list: [{', '.join(items)}]"
                if len(node.text) < 200
                else "write it as a list"
            )
        return run.problem(node.span, f"{dotted(path)}: expected {self.expected}, got {got}", help_)


class Single(Shape):
    """A scalar of some form."""

    kinds = frozenset(["scalar"])

    def __init__(self, form: Form) -> None:
        self.form = form

    @property
    @override
    def expected(self) -> str:
        return self.form.expected

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if not isinstance(node, Scalar):
            return self.misfit(node, path, run)
        if (
            id(node) in run.broken
        ):  # an alias or a short form brings the same value to a second place
            return BROKEN
        try:
            value = self.form.parse(node)
            if isinstance(self.form, TemplateText):
                self._references(node, self.form, path, run)
        except Mistake as mistake:
            run.broken.add(id(node))
            joined = " " if mistake.message.startswith(("is ", "has ", "holds ")) else ": "
            return run.problem(node.span, f"{dotted(path)}{joined}{mistake.message}", mistake.help)
        return value

    def _references(self, node: Scalar, form: TemplateText, path: Path, run: Run) -> None:
        for ref in form.references(node.text):
            span = _within(node, ref)
            if ref.space in form.spaces:
                run.uses.append(Use(path, span, ref))
            else:
                run.problem(
                    span,
                    f"{dotted(path)}: '{ref.text()}' cannot be known here",
                    misplaced(form),
                )


def _within(node: Scalar, ref: Ref) -> Span:
    """Find a reference inside its text: exactly where the text stands as written on one line, else the text."""
    span, quotes = node.span, 2 if node.quoted else 0
    if span.line != span.end_line or span.end - span.column != len(node.text) + quotes:
        return span
    start = span.column + quotes // 2
    return Span(span.line, start + ref.start, span.line, start + ref.end)


class Listed(Shape):
    """A list of values that are all alike."""

    kinds = frozenset(["list"])

    def __init__(self, item: Shape) -> None:
        self.item = item

    @property
    @override
    def expected(self) -> str:
        return "a list"

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if not isinstance(node, Sequence):
            return self.misfit(node, path, run)
        values = [
            run.check(self.item, item, (*path, number)) for number, item in enumerate(node.items)
        ]
        return BROKEN if any(value is BROKEN for value in values) else tuple(values)


class Named(Shape):
    """A mapping whose keys are names that the author chooses."""

    kinds = frozenset(["mapping"])

    def __init__(self, key: Form, value: Shape, *, nullable: bool, notes: bool) -> None:
        self.key, self.value, self.nullable, self.notes = key, value, nullable, notes

    @property
    @override
    def expected(self) -> str:
        return f"a mapping from {self.key.title} to value"

    @override
    def child(self, key: str, node: Node) -> Shape | None:
        return self.value

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if not isinstance(node, Mapping):
            return self.misfit(node, path, run)
        values: dict[str, object] = {}
        for key, entry in node.entries.items():
            if self.notes and key.startswith("x-"):
                continue
            values[key] = self._entry(key, entry, (*path, key), run)
        return BROKEN if any(value is BROKEN for value in values.values()) else values

    def _entry(self, key: str, entry: Entry, path: Path, run: Run) -> object:
        try:
            self.key.parse(Scalar(entry.key, key, key))
        except Mistake as mistake:
            what = f"bad name {quoted(key)}; expected {self.key.expected}"
            if not mistake.message.startswith("expected "):
                what = mistake.message
            run.problem(entry.key, f"{dotted(path[:-1])}: {what}", mistake.help)
            run.check(self.value, entry.node, path)
            return BROKEN
        node = entry.node
        if isinstance(node, Scalar) and node.value is None:
            if self.nullable:
                return None
            if "scalar" not in self.value.kinds:
                return run.problem(
                    entry.key,
                    f"{dotted(path)} is empty; expected {self.value.expected}",
                    "give it a value or remove it",
                )
        return run.check(self.value, node, path)


class Either(Shape):
    """One of several shapes, told apart by the kind of the value."""

    def __init__(self, options: tuple[Shape, ...]) -> None:
        self.options = options
        self.kinds = frozenset().union(*(option.kinds for option in options))

    @property
    @override
    def expected(self) -> str:
        return " or ".join(option.expected for option in self.options)

    def option(self, node: Node) -> Shape | None:
        """Choose the shape for a value."""
        wanted = (
            "scalar"
            if isinstance(node, Scalar)
            else "list"
            if isinstance(node, Sequence)
            else "mapping"
        )
        return next((option for option in self.options if wanted in option.kinds), None)

    @override
    def child(self, key: str, node: Node) -> Shape | None:
        chosen = self.option(node)
        return chosen.child(key, node) if chosen else None

    @override
    def expand(self, node: Node) -> Node:
        chosen = self.option(node)
        return chosen.expand(node) if chosen else node

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        chosen = self.option(node)
        return self.misfit(node, path, run) if chosen is None else chosen.check(node, path, run)


class Free(Shape):
    """Anything; what it means is for somebody else to say."""

    kinds = frozenset(["scalar", "list", "mapping"])

    @property
    @override
    def expected(self) -> str:
        return "any value"

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        return plain(node)


class Field(msgspec.Struct, frozen=True):
    """One key of a block.

    Attributes:
        doc: What it means.
        required: Whether it must be there.
        nullable: Whether nothing is a value of its own.
    """

    name: str
    shape: Shape
    doc: str
    required: bool
    nullable: bool
    default: object = None
