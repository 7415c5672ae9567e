"""Mistakes in a text: where, what, and what to write instead."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import msgspec

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line in the eyes of the YAML parser, whose line numbers are used here."""

_MOST_KNOWN = 500
_WIDEST = 100
"""Columns of a source line that are shown around a mistake."""


class Problem(msgspec.Struct, frozen=True):
    """One mistake.

    Attributes:
        line: Line of the file, from 1.
        column: First character concerned, from 1.
        end: Column after the last character concerned on that line.
        message: What is wrong, which value, what is allowed.
        help: What to do, if that can be guessed.
        file: Name of the file as its reader knows it.
    """

    line: int
    column: int
    end: int
    message: str
    help: str | None = None
    file: str = "service.yaml"

    @property
    def place(self) -> tuple[int, int, str]:
        """What mistakes are sorted by: their place in the file, then the message."""
        return self.line, self.column, self.message


def visible(text: str) -> str:
    """Replace characters that a terminal would act on, or not show, by a mark of the same width; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char == "\n"
        else " "
        if char == "\t"
        else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def quoted(value: object) -> str:
    """Show a value of the text inside a message: one line, in quotes, never long."""
    text = visible(str(value).replace("\n", " "))
    return f"'{text[:57]}…'" if len(text) > 60 else f"'{text}'"


def nearest(
    word: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> str | None:
    """Find the known word that a mistaken one was probably meant to be.

    Args:
        word: What was written.
        known: What would have been right.
        synonyms: Words that other platforms use, with ours.
    """
    known = list(known)
    if len(word) > 80 or len(known) > _MOST_KNOWN:
        return None
    plain = word.lower().replace("_", "-")
    if synonyms and plain in synonyms:
        return synonyms[plain]
    by_plain = {candidate.lower().replace("_", "-"): candidate for candidate in known}
    close = difflib.get_close_matches(plain, by_plain, 1, 0.6)
    return by_plain[close[0]] if close else None


def one_of(words: Sequence[str]) -> str:
    """Join words as a choice: ``a, b or c``."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def render(problem: Problem, text: str) -> str:
    """Show a mistake with its line of the file, a caret below it and the help.

    Args:
        problem: The mistake.
        text: The whole file, as it was read.

    Returns:
        Lines without a line break at the end; control characters of the file are made harmless.
    """
    lines = _lines(text)
    head = f"{visible(problem.file)}:{problem.line}:{problem.column}: {problem.message}"
    shown = [head]
    if problem.line <= len(lines) and text:
        source, before, marked = _window(lines[problem.line - 1], problem)
        shown.append(f"{problem.line:>5} | {source}".rstrip())
        shown.append(f"      | {' ' * _columns(before)}{'^' * max(1, _columns(marked))}")
    if problem.help:
        shown.append(f"      = help: {problem.help}")
    return "\n".join(shown)


@functools.lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """Split a file once for all of its mistakes."""
    return LINE_BREAK.split(text)


def _window(line: str, problem: Problem) -> tuple[str, str, str]:
    """Cut a long line to what surrounds the mistake: the line, what stands before, what is marked."""
    start, end = problem.column - 1, max(problem.end - 1, problem.column)
    first = max(0, start - _WIDEST // 2) if len(line) > _WIDEST else 0
    piece = visible(line[first : first + _WIDEST])
    before = visible(line[first:start])
    marked = visible(line[start : min(end, first + _WIDEST)])
    if first:
        piece, before = f"…{piece}", f"…{before}"
    return piece, before, marked


def _columns(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
