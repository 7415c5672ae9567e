"""What the address of a page asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from drystone.l80_governance.dependencies.errors import QuestionUnclear

LONGEST = 2000
MOST_PAIRS, MOST_LETTERS = 400, 40_000
Word = TypeVar("Word", bound=StrEnum)


class Asked:
    """The state of a page, as its address says it.

    Args:
        pairs: Keys and values, in order.

    Raises:
        QuestionUnclear: They are more than a page ever means; every link of a page would repeat them.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        room, left = MOST_LETTERS, MOST_PAIRS
        for key, value in pairs:
            self._values.setdefault(key, []).append(value[:LONGEST])
            room -= len(key) + len(self._values[key][-1])
            left -= 1
            if room < 0 or left < 0:
                raise QuestionUnclear(
                    f"the address says more than {MOST_PAIRS} things or {MOST_LETTERS:,} letters; begin anew"
                )

    def words(self) -> list[str]:
        """Return what something is said of."""
        return list(self._values)

    def text(self, key: str) -> str:
        """Return what is said, without spaces around it; empty when nothing is."""
        return self._values.get(key, [""])[-1].strip()

    def texts(self, key: str) -> list[str]:
        """Return all that is said of one kind."""
        return [value.strip() for value in self._values.get(key, [])]

    def words_of(self, key: str) -> tuple[str, ...]:
        """Return what is said with commas or lines between, each once."""
        parts = (part.strip() for text in self.texts(key) for part in re.split(r"[,\n]", text))
        return tuple(dict.fromkeys(part for part in parts if part))

    def number(self, key: str, otherwise: int, *, least: int = 0, most: int = 10**9) -> int:
        """Return a whole number.

        Raises:
            QuestionUnclear: It is none, or too small or large.
        """
        said = self.text(key)
        if not said:
            return otherwise
        if not (said.isascii() and said.isdecimal() and len(said) < 12):
            raise QuestionUnclear(f"{key} is {said[:40]!r}; give a whole number")
        if not least <= int(said) <= most:
            raise QuestionUnclear(f"{key} is {int(said)}; it lies between {least} and {most}")
        return int(said)

    def word(self, key: str, words: type[Word], otherwise: Word | None = None) -> Word | None:
        """Return one of some words.

        Raises:
            QuestionUnclear: It is none of them.
        """
        said = self.text(key)
        if not said:
            return otherwise
        if said not in list(words):
            raise QuestionUnclear(f"{key} is {said[:40]!r}; choose one of {', '.join(words)}")
        return words(said)

    def choice(self, key: str, choices: Mapping[str, str] | Iterable[str], otherwise: str) -> str:
        """Return one of some choices.

        Raises:
            QuestionUnclear: It is none of them.
        """
        said = self.text(key)
        if not said:
            return otherwise
        if said not in choices:
            raise QuestionUnclear(f"{key} is {said[:40]!r}; choose one of {', '.join(choices)}")
        return said

    def is_on(self, key: str) -> bool:
        """Whether a box is ticked."""
        return self.text(key) == "on"

    def without(self, *keys: str) -> dict[str, list[str]]:
        """Return the state without some keys, for links and forms that change these."""
        found = {key: values for key, values in self._values.items() if key not in keys}
        return {key: values for key, values in found.items() if any(values)}
