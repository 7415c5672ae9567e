"""Words of a command line become arguments of a function."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from drystone.l85_surfaces.cli.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drystone.l85_surfaces.cli.parameters import Argument

END = "--"
"""What follows is told by its place, whatever it looks like (POSIX, utility syntax guideline 10)."""


def parse(arguments: list[Argument], words: Iterable[str]) -> dict[str, Any]:
    """Return the value of each argument that is given; places and options may be mixed.

    An option's value follows it, or ``=``; a short option's may follow at once, and short options without a value may
    be written together.

    Raises:
        Misuse: The words do not fit.
    """
    return _Parsing(arguments).read(iter(words))


class _Parsing:
    """One command line."""

    def __init__(self, arguments: list[Argument]) -> None:
        self._places = [argument for argument in arguments if not argument.options]
        self._arguments = arguments
        self._options = {option: a for a in arguments for option in a.options}
        self._negative = {a.said.negative: a for a in arguments if a.said.negative}
        self._given: dict[str, Any] = {}

    def read(self, words: Iterator[str]) -> dict[str, Any]:
        for word in words:
            if word == END:
                for literal in words:
                    self._place(literal)
            elif word.startswith("--"):
                self._long(word, words)
            elif word.startswith("-") and word != "-":
                self._short(word, words)
            else:
                self._place(word)
        for argument in self._arguments:
            if argument.required and argument.name not in self._given:
                raise Misuse(f"{argument.shown} is missing")
        return self._given

    def _place(self, word: str) -> None:
        for argument in self._places:
            if argument.many or argument.name not in self._given:
                self._take(argument, argument.shown, word)
                return
        raise Misuse(f"'{word}' is one word too many")

    def _long(self, word: str, words: Iterator[str]) -> None:
        name, equals, value = word.partition("=")
        if argument := self._negative.get(name):
            self._flag(argument, name, equals, on=False)
        elif (argument := self._option(name)).is_flag:
            self._flag(argument, name, equals, on=True)
        else:
            self._take(argument, name, value if equals else _next(name, words))

    def _short(self, word: str, words: Iterator[str]) -> None:
        letters = word[1:]
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            argument = self._option(name)
            if argument.is_flag:
                self._flag(argument, name, "", on=True)
            else:
                value = letters.removeprefix("=") if letters else _next(name, words)
                self._take(argument, name, value)
                return

    def _option(self, name: str) -> Argument:
        if argument := self._options.get(name):
            return argument
        near = difflib.get_close_matches(name, [*self._options, *self._negative], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        if any(argument.said.passed_on for argument in self._places):
            hint += "; what is for the program follows `--`"
        raise Misuse(f"unknown option: {name}{hint}")

    def _flag(self, argument: Argument, name: str, equals: str, *, on: bool) -> None:
        if equals:
            raise Misuse(f"{name} takes no value")
        self._put(argument, name, on)

    def _take(self, argument: Argument, name: str, word: str) -> None:
        value = _value(argument, name, word)
        if argument.many:
            self._given.setdefault(argument.name, []).append(value)
        else:
            self._put(argument, name, value)

    def _put(self, argument: Argument, name: str, value: object) -> None:
        if argument.name in self._given:
            raise Misuse(f"{name} is given twice")
        self._given[argument.name] = value


def _next(name: str, words: Iterator[str]) -> str:
    word = next(words, None)
    if word is None or (word.startswith("-") and word != "-" and not word[1:].isdecimal()):
        raise Misuse(f"{name} needs a value; one that begins with a hyphen follows `=`")
    return word


def _value(argument: Argument, name: str, word: str) -> object:
    if argument.choices and word not in argument.choices:
        near = difflib.get_close_matches(word, argument.choices, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"one of {', '.join(argument.choices)}"
        raise Misuse(f"{name} cannot be '{word}'; {hint}")
    if argument.type is not int:
        return word
    try:
        number = int(word)
    except ValueError:
        raise Misuse(f"{name} must be a whole number, not '{word}'") from None
    least, most = argument.said.least, argument.said.most
    if least is not None and number < least:
        raise Misuse(f"{name} must be at least {least}, not {number}")
    if most is not None and number > most:
        raise Misuse(f"{name} must be at most {most}, not {number}")
    return number
