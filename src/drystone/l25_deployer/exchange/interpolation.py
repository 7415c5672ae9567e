"""Variables in the values of Compose files, as Compose puts them in."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(
    r"\$(?:\$|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<other>[^{}]*))?\})"
)

MARK = "\0"
"""Around the name of a required variable that nobody knows; in no value that YAML can hold."""


class Interpolated:
    """A value with everything put in that is known.

    Args:
        text: As it is written.
        known: Values of variables.
        mark: Whether a required variable that nobody knows is marked in the value.

    Attributes:
        text: The value.
        missing: Variables that nobody knows; they are empty in it.
        defaults: Variables whose default was taken.
        required: Variables that must be known and are not.
    """

    def __init__(self, text: str, known: Mapping[str, str], *, mark: bool = False) -> None:
        self.required: list[str] = []
        self._mark = mark
        self.missing: list[str] = []
        self.defaults: list[str] = []
        self._known = known
        self.text = _PLACE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        name, how, other = match["name"] or match["bare"], match["how"] or "", match["other"] or ""
        if name is None:
            return "$"
        value = self._known.get(name)
        is_there = value is not None and (bool(value) or ":" not in how)
        if "+" in how:
            return other if is_there else ""
        if is_there:
            return value or ""
        if "-" in how:
            self.defaults.append(name)
            return other
        if "?" in how and self._mark:
            self.required.append(name)
            return f"{MARK}{name}{MARK}"
        self.missing.append(name)
        return ""


def variables(content: bytes) -> dict[str, str]:
    """Read a file of variables: ``NAME=VALUE`` in lines; quotes around values are left away."""
    found = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or name.startswith("#"):
            continue
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        found[name] = value
    return found
