"""A YAML document with the place of everything in it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the document."""


class Span(msgspec.Struct, frozen=True):
    """A place in the file.

    Attributes:
        line: First line, from 1.
        column: First character, from 1.
        end_line: Last line.
        end: Column after the last character on the last line.
    """

    line: int
    column: int
    end_line: int
    end: int


class Scalar(msgspec.Struct):
    """A single value.

    Attributes:
        value: None, a truth value, a number or a text, by the rules of YAML 1.2.
        text: The same as it was written, without quotes.
        quoted: Whether it was marked as a text.
    """

    span: Span
    value: str | int | float | bool | None
    text: str
    quoted: bool = False
    size: int = 1
    depth: int = 1


class Entry(msgspec.Struct):
    """One key of a mapping with its value."""

    key: Span
    node: Node


class Mapping(msgspec.Struct):
    """Keys with values.

    Attributes:
        entries: In the order of the file.
        removed: Keys that an environment took away, and where.
        size: Values within, aliases counted each time.
        depth: Levels within, aliases unfolded.
    """

    span: Span
    entries: dict[str, Entry] = {}
    removed: dict[str, Span] = {}
    size: int = 1
    depth: int = 1


class Sequence(msgspec.Struct):
    """Values in order."""

    span: Span
    items: list[Node] = []
    size: int = 1
    depth: int = 1


Node: TypeAlias = Scalar | Mapping | Sequence


def kind(node: Node) -> str:
    """Name the kind of a value, with its article."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    match node.value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {node.text}"
        case int() | float():
            return f"the number {node.text}"
        case _:
            return "a text"


def plain(node: Node) -> object:
    """Give the value without places: dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def at(node: Node, path: Path) -> tuple[Span, Node] | None:
    """Find a value.

    Returns:
        Where its key stands (an item's own place in a list) and the value, or None if it is not written.
    """
    span = node.span
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            entry = node.entries[str(step)]
            span, node = entry.key, entry.node
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            span = node.span
        else:
            return None
    return span, node


def dotted(path: Path) -> str:
    """Write a path as it stands in messages: ``resources.db.backup`` or ``smoke[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
