"""What a text is, and how far it may go."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a text is, for its messages, and how large it may be.

    Attributes:
        name: A noun, such as ``descriptor``.
        begin: What to begin an empty one with.
        too_large: What to do about one that is too large.
        most_bytes: Largest text.
        most_values: Most values within, aliases counted each time.
    """

    name: str
    begin: str
    too_large: str
    most_bytes: int
    most_values: int


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What texts of others may do that ours do not.

    Attributes:
        tags: What a tagged value stands for: with ``{"!Ref": "Ref"}``, ``!Ref a`` is read as ``{Ref: a}``.
        any_key: Whether a number or a truth value may be a key; it is taken as it was written.
    """

    tags: Mapping[str, str] = {}
    any_key: bool = False


OURS = Dialect()
