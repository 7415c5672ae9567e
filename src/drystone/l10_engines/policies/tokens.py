"""The tokens of a Rego text, as far as the language and the evaluator read them the same way.

What two readers could take differently is refused: characters that look like others outside of texts and comments, control
characters, a text that does not end on its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

_COMMENT = re.compile(r"#[^\n]*")
_SPACE = re.compile(r"[ \t]+")
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_RAW = re.compile(r"`[^`]*`")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGN = re.compile(r":=|==|!=|<=|>=|[-+*/%&|<>=.,:;(){}\[\]]")
_SHAPES: tuple[tuple[re.Pattern[str], Literal["text", "number", "word", "sign"]], ...] = (
    (_TEXT, "text"),
    (_RAW, "text"),
    (_NUMBER, "number"),
    (_WORD, "word"),
    (_SIGN, "sign"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


class Token(msgspec.Struct, frozen=True):
    """One token.

    Attributes:
        text: As written.
        line: From 1.
        column: From 1, in characters.
        begins: Whether it is the first of its line.
    """

    kind: Literal["text", "number", "word", "sign"]
    text: str
    line: int
    column: int
    begins: bool


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong at one place of a policy."""

    line: int
    column: int
    sentence: str


class Unreadable(Exception):
    """The text cannot be taken apart any further."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.sentence)
        self.mistake = mistake


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text, in order.

    Raises:
        Unreadable: There is something that is no token.
    """
    line, start, place, begins = 1, 0, 0, True
    if found := _CONTROL.search(text):
        raise Unreadable(_control(text, found.start()))
    while place < len(text):
        if text[place] == "\n":
            line, start, place, begins = line + 1, place + 1, place + 1, True
            continue
        if skipped := _SPACE.match(text, place) or _COMMENT.match(text, place):
            place = skipped.end()
            continue
        found, kind = _next(text, place)
        if found is None or kind is None:
            raise Unreadable(Mistake(line, place - start + 1, _stranger(text, place)))
        yield Token(kind, found[0], line, place - start + 1, begins)
        begins = False
        place = found.end()
        if breaks := found[0].count("\n"):
            line += breaks
            start = found.start() + found[0].rindex("\n") + 1


def _next(
    text: str, place: int
) -> tuple[re.Match[str] | None, Literal["text", "number", "word", "sign"] | None]:
    for shape, kind in _SHAPES:
        if found := shape.match(text, place):
            return found, kind
    return None, None


def _stranger(text: str, place: int) -> str:
    match text[place]:
        case '"':
            return "this text does not end on its line: end it with a quotation mark, or write it between back quotes"
        case "`":
            return "this text does not end: end it with a back quote"
        case "$":
            return "texts with places to fill are not judged the same way everywhere: use sprintf"
        case other:
            return f"{other!a} stands in no policy outside of texts and comments"


def _control(text: str, place: int) -> Mistake:
    before = text[:place]
    column = place - (before.rfind("\n") + 1) + 1
    return Mistake(before.count("\n") + 1, column, f"{text[place]!a} stands in no policy")
