"""A value that satisfies a schema: the examples that it gives first, else one that is made, always the same.

Candidates are made from the keywords and checked against the whole schema; the first that satisfies it is the sample. What is left to
chance elsewhere is told by a number here, so that the items of a list differ and two runs do not. The work is limited: a schema
that needs more ends in :class:`Unfit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from drystone.l85_surfaces.sandbox.mocking.formats import of_format
from drystone.l85_surfaces.sandbox.mocking.merging import Keywords, both
from drystone.l85_surfaces.sandbox.mocking.patterns import matching
from drystone.l85_surfaces.sandbox.mocking.schemas import Schemas, types_of
from drystone.l85_surfaces.sandbox.mocking.words import Json, Schema, Unfit

MOST_STEPS = 5_000
"""Values that are tried for one sample."""
_WHOLE = 3
"""Levels to which optional properties and items are made; below, only what is needed."""
_DEEPEST = 24
_MOST_VARIANTS = 24
_MOST_ITEMS = 1_000
_ANY = ("object", "string", "integer", "array", "boolean", "null")

_KINDS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"}),
    "number": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    ),
}


class Samples:
    """Makes samples of the schemas of one document.

    Args:
        schemas: Checks them.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, number: int = 0) -> Json:
        """Return a value that satisfies a schema; another one for each number, where that is easy.

        Raises:
            Unfit: The schema cannot be followed, or no value was found.
        """
        return _Maker(self._schemas).make(schema, number, 0)


class _Maker:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._steps = 0

    def make(self, schema: Schema, number: int, depth: int) -> Json:
        for candidate in self._candidates(schema, number, depth):
            self._steps += 1
            if self._steps > MOST_STEPS:
                break
            if self._schemas.satisfies(schema, candidate):
                return candidate
        raise Unfit("no value was found that satisfies the schema; give an example")

    def _candidates(self, schema: Schema, number: int, depth: int) -> Iterator[Json]:
        if depth > _DEEPEST:
            raise Unfit("the schema needs itself without an end")
        for count, flat in enumerate(self._flat(schema, 0)):
            if count == _MOST_VARIANTS:
                return
            yield from _given(flat, number)
            yield from self._made(flat, number, depth)

    def _flat(self, schema: Schema, depth: int) -> Iterator[Keywords]:
        """Yield schemas without references and choices, any value of which may satisfy the schema."""
        if depth > _DEEPEST:
            raise Unfit("the schema refers to itself without an end")
        if isinstance(schema, bool):
            if schema:
                yield {}
            return
        rest = {key: value for key, value in schema.items() if key not in _FOLLOWED}
        parts: list[list[Schema]] = []
        if "$ref" in schema:
            parts.append([self._schemas.target(schema["$ref"])])
        parts += [[one] for one in schema.get("allOf", ())]
        parts += [list(schema[key]) for key in ("oneOf", "anyOf") if key in schema]
        if "if" in schema:
            yes: Schema = {"allOf": [schema["if"], schema.get("then", True)]}
            parts.append([yes, schema.get("else", True)])
        yield from self._joined(rest, parts, depth)

    def _joined(self, base: Keywords, parts: list[list[Schema]], depth: int) -> Iterator[Keywords]:
        if not parts:
            yield base
            return
        for choice in parts[0]:
            for flat in self._flat(choice, depth + 1):
                merged = both(base, flat)
                if isinstance(merged, dict):
                    yield from self._joined(merged, parts[1:], depth)

    def _made(self, flat: Keywords, number: int, depth: int) -> Iterator[Json]:
        for kind in types_of(flat) or _guessed(flat):
            match kind:
                case "null":
                    yield None
                case "boolean":
                    yield from (number % 2 == 0, number % 2 != 0)
                case "integer" | "number":
                    yield from _numbers(flat, number, is_whole=kind == "integer")
                case "string":
                    yield from _texts(flat, number)
                case "array":
                    yield from self._lists(flat, number, depth)
                case "object":
                    yield from self._objects(flat, number, depth)
                case _:
                    raise Unfit(f"{kind!r} is no type")

    def _lists(self, flat: Keywords, number: int, depth: int) -> Iterator[list[Json]]:
        least, most = flat.get("minItems", 0), flat.get("maxItems", math.inf)
        first = flat.get("prefixItems", [])
        wanted = [one for one in [flat.get("contains")] if one is not None]
        needed = max(least, flat.get("minContains", 1) if wanted else 0)
        if needed > _MOST_ITEMS:
            raise Unfit(f"a list of {needed} values is too long to be made up")
        usual = 1 if depth < _WHOLE else 0
        for length in dict.fromkeys((max(needed, min(usual, most), len(first)), needed)):
            made: list[Json] = []
            try:
                for at in range(int(length)):
                    below = first[at] if at < len(first) else flat.get("items", True)
                    kind = {"allOf": [below, wanted[0]]} if wanted else below
                    made.append(self.make(kind, number + at, depth + 1))
            except Unfit:
                continue
            yield made
        if needed == 0:
            yield []

    def _objects(self, flat: Keywords, number: int, depth: int) -> Iterator[dict[str, Json]]:
        known, needed = flat.get("properties", {}), flat.get("required", [])
        if depth < _WHOLE:
            whole = self._object(flat, [*dict.fromkeys([*needed, *known])], number, depth)
            if whole is not None:
                yield whole
        small = self._object(flat, list(needed), number, depth)
        if small is not None:
            yield small

    def _object(
        self, flat: Keywords, names: list[str], number: int, depth: int
    ) -> dict[str, Json] | None:
        """Make an object; None where a property that it needs cannot be made."""
        known, needed = flat.get("properties", {}), set(flat.get("required", ()))
        other = flat.get("additionalProperties", True)
        made: dict[str, Json] = {}
        for name in names:
            try:
                made[name] = self.make(known.get(name, other), number, depth + 1)
            except Unfit:
                if name in needed:
                    return None
        spare = list(known) if len(made) < flat.get("minProperties", 0) else []
        spare += [f"name{at}" for at in range(min(_MOST_ITEMS, flat.get("minProperties", 0)))]
        for name in spare:
            if len(made) >= flat.get("minProperties", 0):
                break
            if name not in made:
                try:
                    made[name] = self.make(known.get(name, other), number, depth + 1)
                except Unfit:
                    continue
        return made


_FOLLOWED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "not"})


def _given(flat: Keywords, number: int) -> Iterator[Json]:
    """Yield what a schema itself gives as values; with a number, another one of them first."""
    if "const" in flat:
        yield flat["const"]
    examples = flat.get("examples")
    found = [flat["example"]] if "example" in flat else []
    found += examples if isinstance(examples, list) else []
    found += [flat["default"]] if "default" in flat else []
    enumerated = flat.get("enum")
    if not found and isinstance(enumerated, list):
        found = enumerated[:_MOST_ITEMS]
    turn = number % len(found) if found else 0
    yield from found[turn:] + found[:turn]
    if isinstance(enumerated, list):
        yield from enumerated[:_MOST_ITEMS]


def _guessed(flat: Keywords) -> tuple[str, ...]:
    """Say which types a schema without a type is about, by its keywords."""
    hinted = tuple(kind for kind, words in _KINDS.items() if words & flat.keys())
    return tuple(dict.fromkeys((*hinted, *_ANY)))


def _texts(flat: Keywords, number: int) -> Iterator[str]:
    least, most = flat.get("minLength", 0), flat.get("maxLength", math.inf)
    if least > 100_000:
        raise Unfit(f"a text of {least} characters is too long to be made up")
    if "pattern" in flat:
        for goal in dict.fromkeys((1, least)):
            yield from (matching(flat["pattern"], number + one, goal) for one in range(4))
    made = of_format(str(flat.get("format")), number)
    if made is not None:
        yield made
    usual = f"text{number}" if number else "text"
    padded = usual + "x" * (least - len(usual))
    yield padded if len(padded) <= most else padded[-int(most) :] if most else ""
    yield "x" * int(least)


def _numbers(flat: Keywords, number: int, *, is_whole: bool) -> Iterator[float]:
    """Yield numbers near the lower end of what is allowed, or near the upper one where there is no lower."""
    step = _exact(flat.get("multipleOf"))
    if is_whole and (step is None or step.denominator != 1):
        step = Fraction(1) if step is None else Fraction(step.numerator)
    low, high = (
        _end(flat, "minimum", "exclusiveMinimum", max),
        _end(flat, "maximum", "exclusiveMaximum", min),
    )
    unit = step or Fraction(1)
    start = low if low is not None else min(Fraction(1), high) if high is not None else Fraction(1)
    for turn in (number, 0, 1):
        yield _written(unit * (math.ceil(start / unit) + turn), is_whole=is_whole)
    if high is not None:
        yield from (_written(unit * (high // unit - turn), is_whole=is_whole) for turn in (0, 1))
    if low is not None and high is not None:
        yield _written((low + high) / 2, is_whole=is_whole)
    yield from (0, _written(start, is_whole=is_whole))


def _end(
    flat: Keywords, plain: str, exclusive: str, choose: Callable[[list[Fraction]], Fraction]
) -> Fraction | None:
    """Return the narrower of two limits; None where there is neither."""
    ends = (_exact(flat.get(plain)), _exact(flat.get(exclusive)))
    found = [one for one in ends if one is not None]
    return choose(found) if found else None


def _exact(value: Json) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Fraction(str(value)) if math.isfinite(value) else None


def _written(value: Fraction, *, is_whole: bool) -> float:
    """Return a number as JSON writes it: whole where it is, and where the schema wants one."""
    return int(value) if is_whole or value.denominator == 1 else float(value)
