r"""JSON as the same tree: with the place of everything, without recursion, and with its doubled keys told.

JSON is nearly YAML, but a parser of YAML takes no tabs and no halves of characters (``\ud83d\ude00``), which are usual in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from drystone.l00_kernel.yaml_text.builder import MOST_DEPTH
from drystone.l00_kernel.yaml_text.decoding import decode
from drystone.l00_kernel.yaml_text.problems import Problem, quoted
from drystone.l00_kernel.yaml_text.reader import Documents
from drystone.l00_kernel.yaml_text.scalars import resolve
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Scalar, Sequence, Span
from drystone.l00_kernel.yaml_text.unreadable import Unreadable, place_after, problem_at

_TOKEN = re.compile(
    r'(?P<space>[ \t\r\n]+)|(?P<mark>[\[\]{},:])|(?P<text>"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*")'
    r"|(?P<word>true|false|null|-?[0-9][0-9.eE+-]*)"
)


class _Token(NamedTuple):
    kind: str
    text: str
    span: Span


class _Open(msgspec.Struct):
    node: Mapping | Sequence
    key: _Token | None = None
    after_value: bool = False
    after_comma: bool = False


def read_json(text: str | bytes, file: str, subject: Subject) -> Documents:
    """Read one JSON value. Every mistake of form becomes a problem; nothing is raised."""
    found: list[Problem] = []
    try:
        root = _Reader(file, found, subject).read(decode(text, subject))
    except Unreadable as refusal:
        found.append(problem_at(refusal.span, refusal.message, refusal.help, file))
        return Documents([], found, is_cut=True)
    return Documents([root], found, is_cut=False)


def _tokens(text: str) -> Iterator[_Token]:
    line, begin, at = 1, 0, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unreadable("this is not JSON", place_after(text[:at]))
        kind, token, end = found.lastgroup or "", found[0], found.end()
        if kind == "space":
            breaks = token.count("\n")
            if breaks:
                line, begin = line + breaks, at + token.rindex("\n") + 1
        else:
            yield _Token(kind, token, Span(line, at - begin + 1, line, end - begin + 1))
        at = end


class _Reader:
    def __init__(self, file: str, problems: list[Problem], subject: Subject) -> None:
        self._file = file
        self._problems = problems
        self._subject = subject
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def read(self, text: str) -> Node:
        """Read a value.

        Raises:
            Unreadable: It is no JSON.
        """
        for token in _tokens(text):
            if self._root is not None:
                raise Unreadable("more stands behind the end of the value", token.span)
            self._take(token)
        if self._root is None:
            place = place_after(text)
            raise Unreadable("the end comes before the value is complete; was the file cut?", place)
        return self._root

    def _take(self, token: _Token) -> None:
        top = self._stack[-1] if self._stack else None
        if token.kind != "mark":
            self._scalar(top, token)
        elif token.text in "{[":
            self._expect(top, token)
            if len(self._stack) >= MOST_DEPTH:
                raise Unreadable(f"values are nested more than {MOST_DEPTH} deep", token.span)
            node = Mapping(token.span) if token.text == "{" else Sequence(token.span)
            self._stack.append(_Open(node))
        elif top is None:
            raise _unexpected(token)
        else:
            self._mark(top, token)

    def _mark(self, top: _Open, token: _Token) -> None:
        if token.text == ",":
            if not top.after_value:
                raise _unexpected(token)
            top.after_value, top.after_comma = False, True
        elif token.text == ":":
            if top.key is None or top.after_comma:
                raise _unexpected(token)
            top.after_comma = True
        else:
            is_end = token.text == ("}" if isinstance(top.node, Mapping) else "]")
            if not is_end or top.key is not None or top.after_comma:
                raise _unexpected(token)
            self._stack.pop()
            start, end = top.node.span, token.span
            top.node.span = Span(start.line, start.column, end.line, end.end)
            self._place(top.node)

    def _scalar(self, top: _Open | None, token: _Token) -> None:
        if top is not None and isinstance(top.node, Mapping) and top.key is None:
            if token.kind != "text" or top.after_value:
                raise _unexpected(token)
            top.key, top.after_comma = token, False
            return
        self._expect(top, token)
        if token.kind == "text":
            text = _plain(token)
            self._place(Scalar(token.span, text, text, quoted=True))
        else:
            self._place(Scalar(token.span, resolve(token.text), token.text))

    @staticmethod
    def _expect(top: _Open | None, token: _Token) -> None:
        """Check that a value may stand here: behind a colon, behind a comma, or first in a list."""
        if top is None:
            return
        ready = top.after_comma if isinstance(top.node, Mapping) else not top.after_value
        if not ready or (isinstance(top.node, Mapping) and top.key is None):
            raise _unexpected(token)

    def _place(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        parent = top.node
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > self._subject.most_values:
            what = f"the {self._subject.name} has more than {self._subject.most_values:,} values"
            raise Unreadable(what, node.span)
        top.after_value, top.after_comma = True, False
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif top.key is not None:
            self._put(parent, top.key, node)
            top.key = None

    def _put(self, parent: Mapping, key: _Token, node: Node) -> None:
        name = _plain(key)
        earlier = parent.entries.get(name)
        if earlier is None:
            parent.entries[name] = Entry(key.span, node)
            return
        what = f"the key {quoted(name)} stands twice; the first is in line {earlier.key.line}"
        self._problems.append(problem_at(key.span, what, "remove one", self._file))


def _plain(token: _Token) -> str:
    """Return what a text in quotes says."""
    if "\\" not in token.text:
        return token.text[1:-1]
    try:
        return msgspec.json.decode(token.text, type=str)
    except msgspec.DecodeError as error:
        raise Unreadable("a backslash starts nothing that JSON knows", token.span) from error


def _unexpected(token: _Token) -> Unreadable:
    # A text may be a secret, so only marks are shown.
    what = quoted(token.text) if token.kind == "mark" else "a value"
    return Unreadable(f"{what} is not expected here", token.span)
