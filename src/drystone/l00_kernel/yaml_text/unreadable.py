"""Texts that are no document at all: said in words that help, at the place that is meant."""

from __future__ import annotations

import yaml

from drystone.l00_kernel.yaml_text.problems import LINE_BREAK, Problem, visible
from drystone.l00_kernel.yaml_text.tree import Span

_LONGEST = 1000
_HELP = (
    ("mapping values are not allowed", "a text that holds ': ' must stand in quotes"),
    ("could not find expected ':'", "every line of a mapping reads 'key: value'"),
    ("did not find expected key", "is the line indented like the others of its block?"),
    ("did not find expected <block end>", "is the line indented like the others of its block?"),
    ("did not find expected '-' indicator", "is the line indented like the others of its list?"),
    ("did not find expected ',' or '}'", "a '{' was not closed, or a ',' is missing"),
    ("did not find expected ',' or ']'", "a '[' was not closed, or a ',' is missing"),
    ("unexpected end of stream", "a quote was opened and not closed"),
    ("cannot start any token", "a text that starts with this character must stand in quotes"),
    (
        "unknown escape",
        "in double quotes a backslash starts an escape; single quotes take it literally",
    ),
    ("undefined tag handle", "tags are not used here; write plain values"),
)


class Unreadable(Exception):
    """The text is not a document; nothing after this mistake can be read."""

    def __init__(self, message: str, span: Span, help_: str | None = None) -> None:
        super().__init__(message)
        self.message, self.span, self.help = message, span, help_


def problem_at(span: Span, message: str, help_: str | None, file: str) -> Problem:
    """Make a problem that marks a place, or the place's first line."""
    end = span.end if span.end_line == span.line else span.column + 1
    return Problem(
        line=span.line,
        column=span.column,
        end=max(end, span.column + 1),
        message=_one_line(message),
        help=_one_line(help_) if help_ is not None else None,
        file=file,
    )


def _one_line(text: str) -> str:
    """Make words that quote the file safe to print."""
    return visible(text[:_LONGEST]).replace("\n", " ")


def place_after(before: str) -> Span:
    """Give the place after a text."""
    lines = LINE_BREAK.split(before)
    line, column = len(lines), len(lines[-1]) + 1
    return Span(line, column, line, column + 1)


def translated(text: str, error: yaml.MarkedYAMLError) -> Unreadable:
    """Say what the parser found, at the place that it found, with what usually helps."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = LINE_BREAK.split(text)
    if line > len(lines):  # the end of a file whose last line does not end
        line, column = len(lines), len(lines[-1]) + 1
    span = Span(line, column, line, column + 1)
    source = lines[line - 1]
    indent = source[: len(source) - len(source.lstrip(" \t"))]
    if "\t" in indent:
        start = indent.index("\t") + 1
        place = Span(line, start, line, len(indent) + 1)
        return Unreadable(
            "a tab indents this line; YAML indents with spaces", place, "replace the tab"
        )
    problem = error.problem or "it cannot be read here"
    help_ = next((advice for words, advice in _HELP if words in problem), None)
    return Unreadable(f"this is not YAML: {problem}", span, help_)
