"""From a tree of YAML to attributes: every mistake with its place, none of them in the way of the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted
from drystone.l05_graph.errors import Mistake
from drystone.l05_graph.forms.attributes import SYNONYMS, Attribute, Block, Parse, Several, Single
from drystone.l05_graph.forms.values import Unfit

ABSENT = object()
"""What stands for a value that is not said, or that could not be read."""


class Notes:
    """The mistakes of one file.

    Args:
        file: What to call it in messages.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def place(self, span: tree.Span) -> str:
        """Write a place: file, line and column."""
        return f"{self.file}:{span.line}:{span.column}"

    def add(self, span: tree.Span, message: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(message, self.place(span)))

    def mapping(self, node: tree.Node, what: str) -> Mapping[str, tree.Entry]:
        """Return the entries of a mapping, none for an empty value; anything else is a mistake."""
        if isinstance(node, tree.Mapping):
            return node.entries
        if not (isinstance(node, tree.Scalar) and node.value is None):
            self.add(node.span, f"{what} is {tree.kind(node)}; write a mapping")
        return {}

    def unknown(self, span: tree.Span, key: str, known: Iterable[str], what: str) -> None:
        """Note a key that means nothing here."""
        known = list(known)
        near = nearest(key, known, {name: ours for name, ours in SYNONYMS.items() if ours in known})
        meant = f"; did you mean {near}?" if near else f"; known are {one_of(sorted(known))}"
        self.add(span, f"{what} has no {quoted(key)}{meant}")


def attributes(
    entries: Mapping[str, tree.Entry],
    table: Mapping[str, Attribute],
    notes: Notes,
    what: str,
    besides: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read the attributes of something.

    Args:
        entries: Its keys and values.
        table: Which attributes there are.
        notes: Where mistakes go.
        what: Its name, for messages.
        besides: Keys that somebody else reads.

    Returns:
        What is said, by attribute; :data:`ABSENT` where it is said to be nothing.
    """
    found: dict[str, Any] = {}
    for key, entry in entries.items():
        attribute = table.get(key)
        if attribute is None:
            if key not in besides:
                notes.unknown(entry.key, key, [*table, *besides], what)
            continue
        value = _value(entry.node, attribute, notes, f"{what}: {key}")
        if value is not _BROKEN:
            found[key] = value
    return found


_BROKEN = object()


def _value(node: tree.Node, attribute: Attribute, notes: Notes, what: str) -> Any:
    if isinstance(node, tree.Scalar) and node.value is None and not node.quoted:
        return ABSENT
    if isinstance(attribute, Single):
        return single(node, attribute.parse, notes, what)
    if isinstance(attribute, Several):
        items = node.items if isinstance(node, tree.Sequence) else [node]
        values = [single(item, attribute.parse, notes, what) for item in items]
        return _BROKEN if _BROKEN in values else attribute.gather(values)
    return _block(node, attribute, notes, what)


def single(node: tree.Node, parse: Parse, notes: Notes, what: str) -> Any:
    """Read one value, or note what is wrong with it."""
    if not isinstance(node, tree.Scalar):
        notes.add(node.span, f"{what} is {tree.kind(node)}; write a single value")
        return _BROKEN
    try:
        return parse(node.text)
    except Unfit as unfit:
        notes.add(node.span, f"{what}: {unfit}")
        return _BROKEN


def _block(node: tree.Node, block: Block, notes: Notes, what: str) -> Any:
    if isinstance(node, tree.Scalar) and block.short is not None:
        return single(node, block.short, notes, what)
    if not isinstance(node, tree.Mapping):
        notes.add(node.span, f"{what} is {tree.kind(node)}; write {one_of(list(block.parts))}")
        return _BROKEN
    before = len(notes.mistakes)
    said = attributes(node.entries, block.parts, notes, what)
    found = {key: value for key, value in said.items() if value is not ABSENT}
    missing = [key for key in block.required if key not in found]
    if len(notes.mistakes) > before:
        return _BROKEN
    if missing:
        notes.add(node.span, f"{what} does not say {' and '.join(missing)}")
        return _BROKEN
    return block.make(**found)


def complete(said: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said, and the defaults for what is not."""
    return {key: value for key, value in {**defaults, **said}.items() if value is not ABSENT}
