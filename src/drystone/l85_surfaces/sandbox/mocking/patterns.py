"""A text that a regular expression matches.

The expression is read by the parser of the standard library's ``re``; what it cannot be followed in (look-arounds, back
references) is left out of the text, which the caller checks.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from drystone.l85_surfaces.sandbox.mocking.words import Unfit

_LONGEST = 10_000
_CLASSES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_WORD": "abcdefghijklmnopqrstuvwxyz0123456789_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": "abcdef",
    "CATEGORY_NOT_WORD": "-. ",
    "CATEGORY_NOT_SPACE": "abcdefghijklmnopqrstuvwxyz0123456789",
}
_USUAL = "aeinorst0123456789AEINORST-_. /:@abcdfghjklmpquvwxyzBCDFGHJKLMPQUVWXYZ"


def matching(pattern: str, number: int, least: int) -> str:
    """Return a text in which a pattern is found; not every one can be followed, so it must be checked.

    Args:
        pattern: As Python's ``re`` reads it.
        number: Another text for each, where there is more than one.
        least: Characters that it should have; repetitions that have no upper end go so far.

    Raises:
        Unfit: The pattern cannot be read, or has very long texts alone.
    """
    try:
        parsed = importlib.import_module("re._parser").parse(pattern)
    except (re.error, RecursionError, OverflowError) as e:
        raise Unfit(f"the pattern {pattern[:80]!r} cannot be read: {e}") from e
    text = _Writer(number, least).write(parsed)
    if len(text) > _LONGEST:
        raise Unfit(f"the pattern {pattern[:80]!r} has very long texts alone")
    return text


class _Writer:
    def __init__(self, number: int, least: int) -> None:
        self._number = number
        self._least = least
        self._left = _LONGEST + 1

    def write(self, parsed: Any) -> str:
        return "".join(self._one(str(word), value) for word, value in parsed)

    def _one(self, word: str, value: Any) -> str:
        if self._left <= 0:
            return ""
        if word in _CHARACTERS:
            self._left -= 1
            return self._chosen(_CHARACTERS[word](value))
        if word in _REPEATS:
            low, high, inner = value
            times = min(int(high), max(low, self._least, 1))
            return "".join(self.write(inner) for _ in range(min(times, self._left)))
        match word:
            case "SUBPATTERN" | "ATOMIC_GROUP":
                return self.write(value[-1] if word == "SUBPATTERN" else value)
            case "BRANCH":
                return self.write(value[1][self._number % len(value[1])])
            case _:  # a place such as the begin, or what cannot be followed
                return ""

    def _chosen(self, choice: str) -> str:
        if not choice:
            raise Unfit("a pattern has a class of characters that is empty")
        self._number, place = divmod(self._number, len(choice))
        return choice[place]


def _in(items: Any) -> str:
    """Return characters of a class, the usual ones first."""
    is_other = bool(items) and str(items[0][0]) == "NEGATE"
    found: list[str] = []
    for word, value in items[1:] if is_other else items:
        match str(word):
            case "LITERAL":
                found.append(chr(value))
            case "RANGE":
                low, high = value
                found += map(chr, range(low, min(high, low + 200) + 1))
            case "CATEGORY":
                found += _CLASSES.get(str(value), "")
    if is_other:
        return "".join(one for one in _USUAL if one not in found)
    return "".join(dict.fromkeys(found))


_CHARACTERS: Mapping[str, Callable[[Any], str]] = {
    "LITERAL": chr,
    "ANY": lambda _: _USUAL,
    "NOT_LITERAL": lambda value: _USUAL.replace(chr(value), ""),
    "IN": _in,
}
"""What may stand for one character, by the parser's word for it."""
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
