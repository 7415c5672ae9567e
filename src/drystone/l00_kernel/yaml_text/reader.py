"""The dialect of YAML that people write for the platform: descriptors, surveys.

It is YAML without its surprises: truth values and numbers are those of YAML 1.2 (``NO`` is Norway), a key stands once,
keys are texts, and tags, which would name types of a programming language, are refused. Anchors, aliases and merge keys
work, within limits that make a small file that unfolds to a huge one harmless.

The parser's events are turned into a tree with an explicit stack. The parser's own composer recurses, and so would
fall over deep nesting before it could be refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import yaml

from drystone.l00_kernel.yaml_text.problems import Problem, nearest, quoted
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Scalar, Sequence, Span
from drystone.l00_kernel.yaml_text.unreadable import (
    Unreadable,
    place_after,
    problem_at,
    translated,
)

MOST_DEPTH = 50

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_BOOLEAN = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,2})?")
_CORE = "tag:yaml.org,2002:"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a text is, for its messages, and how large it may be.

    Attributes:
        name: A noun, such as ``descriptor``.
        begin: What to begin an empty one with.
        too_large: What to do about one that is too large.
        most_bytes: Largest text.
        most_values: Most values within, aliases counted each time.
    """

    name: str
    begin: str
    too_large: str
    most_bytes: int
    most_values: int


class Document(msgspec.Struct):
    """What a text says, and the mistakes of its form."""

    text: str
    root: Mapping | None
    problems: list[Problem]


def read_document(text: str | bytes, file: str, subject: Subject) -> Document:
    """Read a text as a mapping with positions. Every mistake of form becomes a problem; nothing is raised."""
    found: list[Problem] = []
    root: Mapping | None = None
    decoded = _shown(text, subject)
    try:
        decoded = _decode(text, subject)
        root = _Builder(file, found, subject).build(decoded)
    except Unreadable as refusal:
        found.append(problem_at(refusal.span, refusal.message, refusal.help, file))
    return Document(text=decoded, root=root, problems=found)


def _decode(text: str | bytes, subject: Subject) -> str:
    start = Span(1, 1, 1, 2)
    size = len(text)
    if size > subject.most_bytes:
        raise Unreadable(
            f"the file has {size:,} bytes; a {subject.name} has at most {subject.most_bytes:,}",
            start,
            subject.too_large,
        )
    if isinstance(text, bytes):
        text = _utf8(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(
            "half of a character stands here", place_after(text[: error.start])
        ) from error
    if "\x00" in text:
        place = place_after(text[: text.index("\x00")])
        raise Unreadable("a NUL byte stands here", place, "is this a text file?")
    return text.removeprefix("\ufeff")


def _shown(text: str | bytes, subject: Subject) -> str:
    """Give what can be shown of a text that may be too large or broken."""
    if len(text) > subject.most_bytes:
        return ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        place = place_after(text[: error.start].decode("utf-8"))
        raise Unreadable("the file is not UTF-8 here", place, "save it as UTF-8") from error


class _Frame(msgspec.Struct):
    node: Mapping | Sequence
    anchor: str | None
    key: Scalar | None = None
    merges: list[Node] = []


class _Builder:
    """Turns events into a tree."""

    def __init__(self, file: str, problems: list[Problem], subject: Subject) -> None:
        self._file = file
        self._subject = subject
        self._problems = problems
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._size = 0

    def build(self, text: str) -> Mapping:
        """Read a text.

        Raises:
            Unreadable: The text is not a mapping in this dialect.
        """
        for event in _events(text):
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    self._document(event)
                case _:
                    pass
        return self._mapping()

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
        is_text = not event.implicit[0] if tag is None else tag in ("!", f"{_CORE}str")
        if tag is not None and not is_text:
            self._refuse_tag(tag, span)
        node = Scalar(span, text if is_text else resolve(text), text, is_text)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._place(node)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        span = _span(event)
        if event.tag is not None and event.tag != "!":
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
        self._stack.append(_Frame(node, event.anchor))

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
        if frame.anchor is not None:
            self._anchors[frame.anchor] = node
        self._place(node)

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
            raise Unreadable(
                f"the {self._subject.name} unfolds to more than {self._subject.most_values:,} values",
                node.span,
                "aliases count each time they are used",
            )
        if isinstance(parent, Sequence):
            parent.items.append(node)
        else:
            self._put(frame, parent, node)

    def _put(self, frame: _Frame, parent: Mapping, node: Node) -> None:
        key, frame.key = frame.key, None
        if key is None:
            return
        if key.text == "<<" and not key.quoted:
            self._merge(frame, node)
            return
        if not isinstance(key.value, str):
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


def resolve(text: str) -> str | int | float | bool | None:
    """Give an unquoted scalar its value by the core schema of YAML 1.2, without octal and hexadecimal numbers."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text[0] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


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
