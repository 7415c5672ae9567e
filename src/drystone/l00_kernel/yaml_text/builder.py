"""From the parser's events to a tree, with an explicit stack.

The parser's own composer recurses, and so would fall over deep nesting before it could be refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import yaml

from drystone.l00_kernel.yaml_text.problems import Problem, nearest, quoted
from drystone.l00_kernel.yaml_text.scalars import resolve
from drystone.l00_kernel.yaml_text.subject import OURS, Dialect, Subject
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Scalar, Sequence, Span
from drystone.l00_kernel.yaml_text.unreadable import (
    Unreadable,
    place_after,
    problem_at,
    translated,
)

MOST_DEPTH = 50

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"


class _Frame(msgspec.Struct):
    node: Mapping | Sequence
    anchor: str | None
    tag: str | None = None
    key: Scalar | None = None
    merges: list[Node] = []


class Builder:
    """Turns events into a tree.

    Args:
        file: What to call the text in messages.
        problems: Where mistakes go that the reading survives.
        subject: What the text is.
        dialect: What else it may do.

    Attributes:
        roots: The documents that :meth:`build_all` has read.
    """

    def __init__(
        self, file: str, problems: list[Problem], subject: Subject, dialect: Dialect = OURS
    ) -> None:
        self._file = file
        self._subject = subject
        self._dialect = dialect
        self._problems = problems
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._size = 0
        self.roots: list[Node] = []

    def build(self, text: str) -> Mapping:
        """Read a text.

        Raises:
            Unreadable: The text is not a mapping in this dialect.
        """
        for event in _events(text):
            self._take(event)
            if isinstance(event, yaml.DocumentStartEvent):
                self._document(event)
        return self._mapping()

    def build_all(self, text: str) -> None:
        """Read all documents of a text into ``roots``.

        Raises:
            Unreadable: The rest cannot be read.
        """
        for event in _events(text):
            self._take(event)
            if isinstance(event, yaml.DocumentEndEvent) and self._root is not None:
                self._end_document(self._root)

    def _end_document(self, root: Node) -> None:
        self._size += root.size
        if self._size > self._subject.most_values:
            raise self._too_many(root.span)
        if not (isinstance(root, Scalar) and root.value is None):
            self.roots.append(root)
        self._root = None
        self._anchors.clear()

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._alias(event)
            case _:
                pass

    def _mapping(self) -> Mapping:
        if self._root is None or (isinstance(self._root, Scalar) and self._root.value is None):
            raise Unreadable(
                f"the {self._subject.name} is empty",
                Span(1, 1, 1, 2),
                self._subject.begin,
            )
        if not isinstance(self._root, Mapping):
            what = "a list" if isinstance(self._root, Sequence) else "a single value"
            raise Unreadable(
                f"the {self._subject.name} is {what}; it must be a mapping",
                self._root.span,
                self._subject.begin,
            )
        return self._root

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Unreadable(
                f"a second document starts here; a {self._subject.name} is one document",
                _span(event),
                f"write one file for each {self._subject.name}",
            )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        span = _span(event)
        tag, text = event.tag, event.value
        if tag in self._dialect.tags:
            is_text = True
        else:
            is_text = not event.implicit[0] if tag is None else tag in ("!", f"{_CORE}str")
            if tag is not None and not is_text:
                self._refuse_tag(tag, span)
        node = self._tagged(Scalar(span, text if is_text else resolve(text), text, is_text), tag)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._place(node)

    def _tagged(self, node: Node, tag: str | None) -> Node:
        """Return what a tagged value stands for."""
        key = None if tag is None else self._dialect.tags.get(tag)
        if key is None:
            return node
        entries = {key: Entry(node.span, node)}
        return Mapping(node.span, entries, size=node.size + 1, depth=node.depth + 1)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        span = _span(event)
        if event.tag is not None and event.tag != "!" and event.tag not in self._dialect.tags:
            self._refuse_tag(event.tag, span)
        if len(self._stack) >= MOST_DEPTH:
            raise Unreadable(f"values are nested more than {MOST_DEPTH} deep", span)
        if (
            self._stack
            and isinstance(self._stack[-1].node, Mapping)
            and self._stack[-1].key is None
        ):
            raise Unreadable("a key must be a text, not a mapping or a list", span)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Mapping(span) if is_mapping else Sequence(span)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Frame(node, event.anchor, event.tag))

    def _close(self, event: yaml.Event) -> None:
        frame = self._stack.pop()
        node = frame.node
        start = node.span
        end = _span(event)
        node.span = Span(start.line, start.column, end.end_line, end.end)
        if isinstance(node, Mapping):
            for merged in frame.merges:
                for key, entry in _entries(merged).items():
                    if key not in node.entries:
                        node.entries[key] = entry
                        node.size += entry.node.size
                        node.depth = max(node.depth, entry.node.depth + 1)
        whole = self._tagged(node, frame.tag)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = whole
        self._place(whole)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name, span = event.anchor or "", _span(event)
        if any(frame.anchor == name for frame in self._stack):
            raise Unreadable(f"'*{name}' stands inside what it stands for", span)
        node = self._anchors.get(name)
        if node is None:
            near = nearest(name, self._anchors)
            raise Unreadable(
                f"'*{name}' stands for nothing: no '&{name}' comes before it",
                span,
                f"did you mean '*{near}'?" if near else None,
            )
        self._place(node)

    def _place(self, node: Node) -> None:
        """Put a complete value where it belongs."""
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        if isinstance(parent, Mapping) and frame.key is None:
            if not isinstance(node, Scalar):
                raise Unreadable("a key must be a text, not a mapping or a list", node.span)
            frame.key = node
            return
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.depth > MOST_DEPTH:
            raise Unreadable(f"values are nested more than {MOST_DEPTH} deep", node.span)
        if parent.size > self._subject.most_values:
            raise self._too_many(node.span)
        if isinstance(parent, Sequence):
            parent.items.append(node)
        else:
            self._put(frame, parent, node)

    def _too_many(self, span: Span) -> Unreadable:
        return Unreadable(
            f"the {self._subject.name} unfolds to more than {self._subject.most_values:,} values",
            span,
            "aliases count each time they are used",
        )

    def _put(self, frame: _Frame, parent: Mapping, node: Node) -> None:
        key, frame.key = frame.key, None
        if key is None:
            return
        if key.text == "<<" and not key.quoted:
            self._merge(frame, node)
            return
        if not isinstance(key.value, str) and not self._dialect.any_key:
            self._problem(
                key.span,
                f"a key must be a text, this one is {_what(key)}",
                f'write it in quotes: "{key.text}"' if key.text else "write a name before the ':'",
            )
        earlier = parent.entries.get(key.text)
        if earlier is not None:
            self._problem(
                key.span,
                f"the key {quoted(key.text)} stands twice; the first is in line {earlier.key.line}",
                f"remove one of lines {earlier.key.line} and {key.span.line}",
            )
            return
        parent.entries[key.text] = Entry(key.span, node)

    def _merge(self, frame: _Frame, node: Node) -> None:
        for source in node.items if isinstance(node, Sequence) else [node]:
            if isinstance(source, Mapping):
                frame.merges.append(source)
            else:
                self._problem(
                    source.span, "'<<' takes over a mapping, this is none", "use '<<: *name'"
                )

    def _refuse_tag(self, tag: str, span: Span) -> None:
        if tag.removeprefix(_CORE) not in ("str", "int", "float", "bool", "null", "map", "seq"):
            shown = tag.replace(_CORE, "!!")
            self._problem(span, f"the tag {quoted(shown)} is not allowed", "write the plain value")

    def _problem(self, span: Span, message: str, help_: str | None = None) -> None:
        self._problems.append(problem_at(span, message, help_, self._file))


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.reader.ReaderError as error:
        place = place_after(text[: error.position] if isinstance(error.position, int) else "")
        raise Unreadable("a character stands here that YAML does not allow", place) from error
    except yaml.MarkedYAMLError as error:
        raise translated(text, error) from error


def _span(event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:  # only events that a program makes up have no place
        return Span(1, 1, 1, 2)
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _entries(node: Node) -> dict[str, Entry]:
    return node.entries if isinstance(node, Mapping) else {}


def _what(key: Scalar) -> str:
    match key.value:
        case None:
            return "empty"
        case bool():
            return "a truth value"
        case _:
            return "a number"
