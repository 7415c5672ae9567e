"""Words that the parts of the mock share: what JSON is in Python, and how an unfit document is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

Json: TypeAlias = Any
"""A value of JSON: None, a truth value, a number, a text, a list, or a dict with texts as keys."""

Schema: TypeAlias = Mapping[str, Any] | bool
"""A schema: a mapping, or a truth value (JSON Schema 2020-12, section 4.3)."""

MOST_DEEP = 60
"""Levels to which values and references are followed."""


class Unfit(Exception):
    """A schema cannot be followed: a reference leads nowhere or in a circle, or takes too many steps."""


def pointed(root: Json, reference: str) -> Json:
    """Return what a reference within the same document means (RFC 6901).

    Raises:
        Unfit: It leads to another document, or nowhere.
    """
    if not reference.startswith("#"):
        raise Unfit(f"{reference[:200]!r} leads to another document, which is never fetched")
    found = root
    for part in reference[1:].split("/")[1:]:
        word = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and word in found:
            found = found[word]
        elif isinstance(found, list) and word.isdecimal() and int(word) < len(found):
            found = found[int(word)]
        else:
            raise Unfit(f"{reference[:200]!r} leads nowhere")
    return found


def same(one: Json, other: Json) -> bool:
    """Tell whether two values are equal as JSON has it: 1 is 1.0, and true is not 1 (section 4.2.2)."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    both = (one, other)
    is_number = all(isinstance(each, int | float) for each in both)
    return one == other if is_number else type(one) is type(other) and one == other
