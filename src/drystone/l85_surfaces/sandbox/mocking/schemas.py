"""What is wrong with a value, by a schema: the part of JSON Schema 2020-12 that OpenAPI documents use.

The draft is followed but for ``$dynamicRef``, ``$anchor`` and ``unevaluated…``, which hold nothing back here. Formats are checked
where the standard library knows them. A check takes a limited number of steps: a hostile schema ends in :class:`Unfit`, not in
minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from drystone.l85_surfaces.sandbox.mocking.formats import fits
from drystone.l85_surfaces.sandbox.mocking.words import (
    MOST_DEEP,
    Json,
    Schema,
    Unfit,
    pointed,
    same,
)

MOST_STEPS = 200_000
MOST_PROBLEMS = 10
_LONGEST = 80
_SIZES = {"Items": "items", "Properties": "properties", "Length": "characters"}


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Json], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def types_of(schema: Mapping[str, Json]) -> list[str]:
    """Return the types that a schema names; none where it says nothing of them."""
    said = schema.get("type")
    return [said] if isinstance(said, str) else list(said) if isinstance(said, list) else []


class Schemas:
    """Checks values against the schemas of one document.

    Args:
        root: The document, in which references are looked up.
    """

    def __init__(self, root: Json) -> None:
        self._root = root

    def target(self, reference: Json) -> Schema:
        """Return the schema that a reference means.

        Raises:
            Unfit: It means none.
        """
        found = pointed(self._root, reference) if isinstance(reference, str) else None
        if not isinstance(found, Mapping | bool):
            raise Unfit(f"{str(reference)[:200]!r} is no schema")
        return found

    def problems(self, schema: Schema, value: Json, where: str = "") -> list[str]:
        """Return what is wrong, at most ten sentences; nothing is when the list is empty.

        Args:
            schema: What it must satisfy.
            value: As it was decoded.
            where: What to call it; its parts are called ``where.name`` and ``where[0]``.

        Raises:
            Unfit: The schema cannot be followed.
        """
        found: list[str] = []
        for problem in _Check(self).all(schema, value, where, 0):
            found.append(problem)
            if len(found) == MOST_PROBLEMS:
                break
        return found

    def satisfies(self, schema: Schema, value: Json) -> bool:
        """Tell whether nothing is wrong with a value.

        Raises:
            Unfit: The schema cannot be followed.
        """
        return not any(True for _ in _Check(self).all(schema, value, "", 0))


class _Check:
    """One check, and the steps that it has taken."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._steps = 0

    def all(self, schema: Schema, value: Json, where: str, depth: int) -> Iterator[str]:
        self._steps += 1
        if self._steps > MOST_STEPS or depth > MOST_DEEP * 4:
            raise Unfit("the schema takes too many steps to check")
        if isinstance(schema, bool):
            if not schema:
                yield f"{where or 'it'} must not be there"
            return
        if not isinstance(schema, Mapping):
            raise Unfit(f"{str(schema)[:_LONGEST]!r} is no schema")
        if "$ref" in schema:
            yield from self.all(self._schemas.target(schema["$ref"]), value, where, depth + 1)
        yield from self._kind(schema, value, where)
        if isinstance(value, str):
            yield from _text(schema, value, where)
        elif _is_number(value):
            yield from _number(schema, value, where)
        elif isinstance(value, list):
            yield from self._list(schema, value, where, depth)
        elif isinstance(value, dict):
            yield from self._object(schema, value, where, depth)
        yield from self._together(schema, value, where, depth)

    def _kind(self, schema: Mapping[str, Json], value: Json, where: str) -> Iterator[str]:
        types = types_of(schema)
        if types and not any(TYPES[one](value) for one in types if one in TYPES):
            yield f"{where or 'it'} must be {_article(types)}, not {_shown(value)}"
        if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
            allowed = ", ".join(map(_shown, schema["enum"][:10]))
            yield f"{where or 'it'} must be one of {allowed}, not {_shown(value)}"
        if "const" in schema and not same(value, schema["const"]):
            yield f"{where or 'it'} must be {_shown(schema['const'])}, not {_shown(value)}"

    def _list(
        self, schema: Mapping[str, Json], value: list[Json], where: str, depth: int
    ) -> Iterator[str]:
        yield from _size(schema, len(value), where, of="Items")
        if schema.get("uniqueItems") is True and _repeats(value):
            yield f"{where or 'it'} must not hold the same value twice"
        first = schema.get("prefixItems", [])
        for number, one in enumerate(value):
            below = first[number] if number < len(first) else schema.get("items", True)
            if below is not True:
                yield from self.all(below, one, f"{where}[{number}]", depth + 1)
        if "contains" in schema:
            fit = sum(self._is_fit(schema["contains"], one, depth) for one in value)
            least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
            if not least <= fit <= most:
                yield f"{where or 'it'} holds {fit} of the values that it must contain"

    def _object(
        self, schema: Mapping[str, Json], value: dict[str, Json], where: str, depth: int
    ) -> Iterator[str]:
        yield from _size(schema, len(value), where, of="Properties")
        lacking = [name for name in schema.get("required", ()) if name not in value]
        for name, needed in schema.get("dependentRequired", {}).items():
            lacking += [one for one in needed if name in value and one not in value]
        yield from (f"{_below(where, name)} is missing" for name in lacking)
        for name, below in schema.get("dependentSchemas", {}).items():
            if name in value:
                yield from self.all(below, value, where, depth + 1)
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, one in value.items():
            if "propertyNames" in schema:
                yield from self.all(schema["propertyNames"], name, f"the name {name!r}", depth + 1)
            fitting = [known[name]] if name in known else []
            fitting += [below for pattern, below in patterns.items() if _finds(pattern, name)]
            if not fitting:
                other = schema.get("additionalProperties", True)
                if other is False:
                    yield f"{_below(where, name)} is unknown{_hint(known)}"
                    continue
                fitting = [other]
            for below in fitting:
                yield from self.all(below, one, _below(where, name), depth + 1)

    def _together(
        self, schema: Mapping[str, Json], value: Json, where: str, depth: int
    ) -> Iterator[str]:
        for below in schema.get("allOf", ()):
            yield from self.all(below, value, where, depth + 1)
        if "anyOf" in schema and not any(
            self._is_fit(one, value, depth) for one in schema["anyOf"]
        ):
            yield f"{where or 'it'} fits none of the {len(schema['anyOf'])} schemas of anyOf"
        if "oneOf" in schema:
            fit = sum(self._is_fit(one, value, depth) for one in schema["oneOf"])
            if fit != 1:
                yield f"{where or 'it'} must fit one schema of oneOf, and fits {fit}"
        if "not" in schema and self._is_fit(schema["not"], value, depth):
            yield f"{where or 'it'} is what it must not be"
        if "if" in schema:
            branch = "then" if self._is_fit(schema["if"], value, depth) else "else"
            if branch in schema:
                yield from self.all(schema[branch], value, where, depth + 1)

    def _is_fit(self, schema: Schema, value: Json, depth: int) -> bool:
        return not any(True for _ in self.all(schema, value, "", depth + 1))


def _text(schema: Mapping[str, Json], value: str, where: str) -> Iterator[str]:
    yield from _size(schema, len(value), where, of="Length")
    if "pattern" in schema and not _finds(schema["pattern"], value):
        yield f"{where or 'it'} must match {schema['pattern']}, not {_shown(value)}"
    kind = schema.get("format")
    if isinstance(kind, str) and not fits(kind, value):
        yield f"{where or 'it'} must be a {kind}, not {_shown(value)}"


def _number(schema: Mapping[str, Json], value: float, where: str) -> Iterator[str]:
    tests: tuple[tuple[str, str, Callable[[float], bool]], ...] = (
        ("minimum", "at least", lambda least: value >= least),
        ("maximum", "at most", lambda most: value <= most),
        ("exclusiveMinimum", "more than", lambda least: value > least),
        ("exclusiveMaximum", "less than", lambda most: value < most),
    )
    for key, words, holds in tests:
        limit: Json = schema.get(key)
        if _is_number(limit) and not holds(limit):
            yield f"{where or 'it'} must be {words} {limit}, not {value}"
    step: Json = schema.get("multipleOf")
    if _is_number(step) and step > 0 and not is_multiple(value, step):
        yield f"{where or 'it'} must be a multiple of {step}, not {value}"


def is_multiple(value: float, step: float) -> bool:
    """Tell whether a number is a multiple of another, of decimals as they are written."""
    try:
        return (Fraction(str(value)) / Fraction(str(step))).denominator == 1
    except ValueError:  # infinite, which JSON cannot write
        return False


def _size(schema: Mapping[str, Json], size: int, where: str, *, of: str) -> Iterator[str]:
    words = _SIZES[of]
    if size < schema.get(f"min{of}", 0):
        yield f"{where or 'it'} must have at least {schema[f'min{of}']} {words}, not {size}"
    if size > schema.get(f"max{of}", size):
        yield f"{where or 'it'} must have at most {schema[f'max{of}']} {words}, not {size}"


def _finds(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError) as e:
        raise Unfit(f"the pattern {pattern[:_LONGEST]!r} cannot be read: {e}") from e


def _repeats(values: list[Json]) -> bool:
    if len(values) > 1_000:
        return len({repr(one) for one in values}) < len(values)
    return any(same(one, other) for at, one in enumerate(values) for other in values[:at])


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _hint(known: Mapping[str, Json]) -> str:
    return f"; there are {', '.join(list(known)[:10])}" if known else ""


def _article(types: list[str]) -> str:
    return " or ".join(f"{'an' if one[:1] in 'aeiou' else 'a'} {one}" for one in types)


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
