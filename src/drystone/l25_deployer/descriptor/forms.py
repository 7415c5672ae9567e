"""The forms that a single value may take: what is accepted, what it means, how it is called.

A form is declared once, as metadata of a type (``Duration = Annotated[timedelta, …]``), and feeds the check, the JSON
Schema and the reference page. Whatever a form accepts is harmless in a shell, a path, SQL and the proxy's configuration
by its pattern; texts that are free are free of control characters.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Iterable

from typing_extensions import override

from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted
from drystone.l00_kernel.yaml_text.tree import Scalar, kind

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPOKEN = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Mistake(Exception):
    """A value does not have its form."""

    def __init__(self, message: str, help_: str | None = None) -> None:
        super().__init__(message)
        self.message, self.help = message, help_


class Form(abc.ABC):
    """What a single value may look like.

    Attributes:
        title: What to call it, for example ``duration``.
        expected: The same with examples, as it stands in messages.
    """

    title: str
    expected: str

    @abc.abstractmethod
    def parse(self, scalar: Scalar) -> object:
        """Turn a value as written into a value as meant.

        Raises:
            Mistake: It does not have this form.
        """

    @abc.abstractmethod
    def schema(self) -> dict[str, object]:
        """Describe the form in JSON Schema."""

    def wrong(self, scalar: Scalar, help_: str | None = None) -> Mistake:
        """Say that a value does not have this form."""
        got = quoted(scalar.text) if isinstance(scalar.value, str) else kind(scalar)
        return Mistake(f"expected {self.expected}, got {got}", help_)


class Text(Form):
    """A text that satisfies a pattern.

    Args:
        title: What to call it.
        expected: The same with examples.
        pattern: The whole text must match; None accepts every text without control characters.
        convert: Makes the value of the matched text; may raise Mistake.
        most: Most characters.
        repair: Makes of a wrong text one that was probably meant, or None.
    """

    def __init__(
        self,
        title: str,
        expected: str,
        pattern: str | None = None,
        *,
        convert: Callable[[str], object] | None = None,
        most: int = 10_000,
        repair: Callable[[str], str | None] | None = None,
    ) -> None:
        self.title, self.expected, self.pattern, self.most = title, expected, pattern, most
        self._compiled = re.compile(pattern) if pattern is not None else None
        self._convert = convert
        self._repair = repair

    @override
    def parse(self, scalar: Scalar) -> object:
        text = self.text(scalar)
        if self._compiled is not None and not self._compiled.fullmatch(text):
            raise self.wrong(scalar, self._advice(text))
        return self._convert(text) if self._convert is not None else text

    def text(self, scalar: Scalar) -> str:
        """Give the text as written, if it is one; numbers count as the text that they were written with.

        Raises:
            Mistake: It is no text, holds characters that no text may hold, or is too long.
        """
        value, text = scalar.value, scalar.text
        if value is None or isinstance(value, bool):
            help_ = f"write it in quotes: '{text}'" if text else None
            raise self.wrong(scalar, help_)
        found = _CONTROL.search(text)
        if found is not None:
            raise Mistake(
                f"holds the character U+{ord(found[0]):04X}, which no value may hold", "remove it"
            )
        if len(text) > self.most:
            raise Mistake(f"has {len(text):,} characters; at most {self.most:,} are allowed")
        if "${" in text.replace("$${", ""):
            raise Mistake(
                "a reference has no meaning here",
                "references work in image, command, env, migrate and setup; write '$${' for a plain '${'",
            )
        return text.replace("$${", "${")

    def _advice(self, text: str) -> str | None:
        better = self._repair(text) if self._repair is not None else None
        if better is not None and self._compiled is not None and self._compiled.fullmatch(better):
            return f"did you mean '{better}'?"
        return None

    @override
    def schema(self) -> dict[str, object]:
        described: dict[str, object] = {"type": ["string", "number"], "description": self.expected}
        if self.pattern is not None:
            described = {
                "type": "string",
                "pattern": f"^(?:{self.pattern})$",
                "description": self.expected,
            }
            if re.fullmatch(self.pattern, "1") or re.fullmatch(self.pattern, "18"):
                described["type"] = ["string", "number"]
        return described


class Whole(Form):
    """A whole number between two bounds, both allowed."""

    title = "whole number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        self.expected = f"a whole number {bounds}"

    @override
    def parse(self, scalar: Scalar) -> object:
        value = scalar.value
        if isinstance(value, bool) or not isinstance(value, int):
            is_number = scalar.quoted and re.fullmatch(r"-?\d{1,9}", scalar.text)
            raise self.wrong(scalar, "remove the quotes" if is_number else None)
        if value < self.least or (self.most is not None and value > self.most):
            raise Mistake(f"expected {self.expected}, got {value}")
        return value

    @override
    def schema(self) -> dict[str, object]:
        described: dict[str, object] = {"type": "integer", "minimum": self.least}
        return described if self.most is None else {**described, "maximum": self.most}


class Number(Form):
    """A number that is not negative."""

    title = "number"
    expected = "a number of at least 0, such as 1.5"

    @override
    def parse(self, scalar: Scalar) -> object:
        value = scalar.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise self.wrong(scalar)
        return float(value)

    @override
    def schema(self) -> dict[str, object]:
        return {"type": "number", "minimum": 0}


class Truth(Form):
    """True or false."""

    title = "truth value"
    expected = "true or false"

    @override
    def parse(self, scalar: Scalar) -> object:
        if not isinstance(scalar.value, bool):
            meant = _SPOKEN.get(scalar.text.lower())
            raise self.wrong(scalar, f"write {meant}" if meant else None)
        return scalar.value

    @override
    def schema(self) -> dict[str, object]:
        return {"type": "boolean"}


class Choice(Form):
    """One of a few words or numbers."""

    title = "choice"

    def __init__(self, values: Iterable[str | int]) -> None:
        self.values = tuple(values)
        self.words = tuple(str(value) for value in self.values)
        self.expected = one_of(self.words)

    @override
    def parse(self, scalar: Scalar) -> object:
        for value, word in zip(self.values, self.words, strict=True):
            if scalar.text == word and (isinstance(value, str) or scalar.value == value):
                return value
        near = nearest(scalar.text, self.words)
        help_ = f"did you mean '{near}'?" if near and near != scalar.text else None
        if scalar.text in self.words:
            help_ = "remove the quotes"
        shown = quoted(scalar.text) if scalar.value is not None else "nothing"
        what = (
            f"is not {self.expected}"
            if len(self.values) == 1
            else f"is not one of: {', '.join(self.words)}"
        )
        raise Mistake(f"{shown} {what}", help_)

    @override
    def schema(self) -> dict[str, object]:
        return {"enum": list(self.values)}
