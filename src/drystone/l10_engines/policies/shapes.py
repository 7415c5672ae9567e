"""What a document may hold, and which comparisons with that can never come out otherwise than they do.

Rego compares values of any two types, and those of different types are never equal. So ``input.environment == "dev"`` refuses nothing,
for ever, where the environment is an object with a name. Such a comparison is a mistake that nobody sees when it is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from drystone.l10_engines.policies.tokens import Token

Kind: TypeAlias = Literal["text", "number", "boolean", "list"]


class Leaf(msgspec.Struct, frozen=True):
    """A value that is no object.

    Attributes:
        kind: Of which type it is, where it is not null.
        values: The texts that there are; any when empty.
        items: What a list holds.
    """

    kind: Kind
    values: tuple[str, ...] = ()
    items: "Shape" = None  # noqa: UP037 - the alias stands below


Shape: TypeAlias = "Mapping[str, Shape] | Leaf | None"
"""What a document may hold: by key, ``*`` for any; None where nobody says."""

EQUAL = frozenset({"==", "!=", "="})
ORDER = frozenset({"<", ">", "<=", ">="})
_LITERALS = {"true": "boolean", "false": "boolean"}
_ARTICLES = {"list": "a list", "text": "a text", "number": "a number", "boolean": "true or false"}


def inside(shape: Shape, key: str | None) -> Shape:
    """Return what is below a key, or below one that is only known later (None)."""
    if isinstance(shape, Leaf):
        return shape.items
    if shape is None:
        return None
    if key is not None and key in shape:
        return shape[key]
    return shape.get("*")


def walked(every: Sequence[Token], at: int, root: Shape) -> tuple[Shape, int, str]:
    """Follow a reference; what it leads to, where what follows stands, and how it is written.

    Args:
        every: Tokens.
        at: Of the name that the reference begins with.
        root: What that name stands for.
    """
    shape, place = root, every[at].text
    at += 1
    while at < len(every):
        text = every[at].text
        if text == "." and at + 1 < len(every) and not every[at].begins:
            shape, place = inside(shape, every[at + 1].text), f"{place}.{every[at + 1].text}"
            at += 2
        elif text == "[" and at + 2 < len(every) and every[at + 2].text == "]":
            index = every[at + 1]
            key = index.text[1:-1] if index.kind == "text" else None
            shape, place = inside(shape, key), f"{place}[{index.text}]"
            at += 3
        elif text in {"[", "("}:
            return None, at, place
        else:
            break
    return shape, at, place


def never(place: str, shape: Shape, operator: str, literal: Token) -> str:
    """Say why a comparison never comes out otherwise; empty where it may.

    Args:
        place: What is compared, as it is written.
        shape: What that may be.
        operator: By which it is compared.
        literal: With which token.
    """
    kind = _kind(literal)
    if shape is None or kind is None or operator not in EQUAL | ORDER | {"in"}:
        return ""
    if not isinstance(shape, Leaf):
        return f"{place} is an object and no {_noun(kind)}: compare {_better(place, shape)}"
    if shape.kind != kind:
        return f"{place} is {_ARTICLES[shape.kind]}, and never {literal.text}"
    if shape.values and operator not in ORDER and literal.text[1:-1] not in shape.values:
        return f"{place} is one of {', '.join(shape.values)}, and never {literal.text}"
    return ""


def _kind(literal: Token) -> str | None:
    if literal.kind in {"text", "number"}:
        return literal.kind
    return _LITERALS.get(literal.text)


def _noun(kind: str) -> str:
    return "boolean" if kind == "boolean" else kind


def _better(place: str, shape: Mapping[str, Shape]) -> str:
    if "*" in shape:
        return f"what it holds by name, {place}[name]"
    if "name" in shape:
        return f"{place}.name"
    return "one of " + ", ".join(f"{place}.{key}" for key in sorted(shape))


def merged(first: Shape, second: Shape) -> Shape:
    """Return what holds of a value that is of either shape."""
    if isinstance(first, Leaf) and isinstance(second, Leaf):
        if first.kind != second.kind:
            return None
        is_listed = first.values and second.values
        values = tuple(sorted({*first.values, *second.values})) if is_listed else ()
        return Leaf(first.kind, values, first.items if first.items == second.items else None)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = first.keys() | second.keys()
        return {
            key: merged(first[key], second[key])
            if key in first and key in second
            else first.get(key, second.get(key))
            for key in keys
        }
    return None
