"""One schema of several that all hold, as far as their keywords can be put together.

What cannot be put together is left out: a value made from the result is checked against the schemas themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drystone.l85_surfaces.sandbox.mocking.schemas import types_of
from drystone.l85_surfaces.sandbox.mocking.words import Json, Schema, same

Keywords = dict[str, Json]


def both(one: Schema, other: Schema) -> Keywords | bool:
    """Return a schema that holds when both do, as far as it can be written; False when that is plain to see."""
    if isinstance(one, bool):
        return _plain(other) if one else False
    if isinstance(other, bool):
        return _plain(one) if other else False
    merged: Keywords = dict(one)
    for key, value in other.items():
        if key not in merged:
            merged[key] = value
        elif key in _TOGETHER:
            merged[key] = _TOGETHER[key](merged[key], value)
        elif key not in _FIRST:
            merged[key] = value
    types = _types(one, other)
    if types is not None:
        if not types:
            return False
        merged["type"] = types
    return merged


def _plain(schema: Schema) -> Keywords | bool:
    return schema if isinstance(schema, bool) else dict(schema)


def _types(one: Mapping[str, Json], other: Mapping[str, Json]) -> list[str] | None:
    """Return the types that both allow; None where neither says anything."""
    mine, yours = types_of(one), types_of(other)
    if not mine or not yours:
        return mine or yours or None
    found = [kind for kind in mine if kind in yours]
    found += [
        "integer" for kinds in (mine, yours) if "integer" in kinds and "number" in mine + yours
    ]
    return list(dict.fromkeys(found))


def _keyed(mine: Mapping[str, Json], yours: Mapping[str, Json]) -> Keywords:
    """Put properties together; those of both have to satisfy both."""
    return {
        **mine,
        **{key: {"allOf": [mine[key], one]} if key in mine else one for key, one in yours.items()},
    }


_TOGETHER: Mapping[str, Callable[[Json, Json], Json]] = {
    "required": lambda mine, yours: list(dict.fromkeys([*mine, *yours])),
    "properties": _keyed,
    "patternProperties": _keyed,
    "enum": lambda mine, yours: [one for one in mine if any(same(one, each) for each in yours)],
    "items": lambda mine, yours: {"allOf": [mine, yours]},
    "additionalProperties": lambda mine, yours: (
        False if mine is False or yours is False else {"allOf": [mine, yours]}
    ),
    "multipleOf": lambda mine, yours: mine if mine == yours else mine * yours,
    "uniqueItems": lambda mine, yours: mine or yours,
    **dict.fromkeys(
        ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"),
        max,
    ),
    **dict.fromkeys(
        ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"),
        min,
    ),
}

_FIRST = frozenset({"type", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref"})
"""Keywords that are not put together by their names; the maker of samples follows them one by one."""
