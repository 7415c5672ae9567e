"""Values that are plain text in a path or a query, and the two directions between them and the text.

The text is what msgspec writes as a JSON string or number, without quotes: RFC 3339 for moments, ISO 8601
for durations (``PT1.5S``; a bare number of seconds is understood), base64 for bytes, ``true`` and ``false``.
"""

from __future__ import annotations

import enum
import math
import types
import typing
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

import msgspec

_PLAIN = (str, int, float, bool, bytes, datetime, date, time, timedelta, uuid.UUID, Decimal)


def is_scalar(hint: Any) -> bool:
    """Tell whether a type's values have one plain text form; ``X | None`` counts as ``X``."""
    members = [m for m in _members(hint) if m is not types.NoneType]
    return len(members) == 1 and _is_plain(members[0])


def is_optional(hint: Any) -> bool:
    """Tell whether a type admits None."""
    return types.NoneType in _members(hint)


def _bare(hint: Any) -> Any:
    """Strip constraints and new names off a type."""
    while True:
        if typing.get_origin(hint) is Annotated:
            hint = hint.__origin__
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def _members(hint: Any) -> list[Any]:
    bare = _bare(hint)
    if typing.get_origin(bare) in {Union, types.UnionType}:
        return [part for member in typing.get_args(bare) for part in _members(member)]
    return [bare]


def _is_plain(hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return True
    return isinstance(hint, type) and (hint in _PLAIN or issubclass(hint, enum.Enum))


def to_text(value: Any) -> str:
    """Write a scalar as text.

    Raises:
        ValueError: A number that is not finite; JSON has none either.
    """
    plain = msgspec.to_builtins(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, float) and not math.isfinite(plain):
        raise ValueError(f"{plain} is not a finite number")
    return str(plain)


def from_text(text: str, hint: Any) -> Any:
    """Read a scalar.

    Raises:
        ValueError: The text is none of this type; the message says what was expected.
    """
    value = msgspec.convert(text, hint, strict=False)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Expected a finite number")
    return value
