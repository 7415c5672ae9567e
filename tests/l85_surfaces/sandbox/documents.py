"""Schemas and OpenAPI documents that Hypothesis makes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["id", "name", "total", "tags", "next", "owner"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-50, 50), st.text("abc01 -", max_size=6))
VALUES = st.recursive(
    SCALARS | st.sampled_from([0.5, 1.0, -2.25]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.integers(-30, 30))
    step = draw(st.sampled_from([None, 1, 3, 0.5, 0.25]))
    high = low + draw(st.integers(4, 40))
    made: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    made |= {"multipleOf": step} if step else {}
    made |= (
        {draw(st.sampled_from(["minimum", "exclusiveMinimum"])): low} if draw(st.booleans()) else {}
    )
    made |= (
        {draw(st.sampled_from(["maximum", "exclusiveMaximum"])): high}
        if draw(st.booleans())
        else {}
    )
    return made


@st.composite
def _texts(draw: st.DrawFn) -> dict[str, Any]:
    choice = draw(st.integers(0, 2))
    if choice == 0:
        patterns = ["^[A-Z]{3}-\\d{4}$", "^(red|green)$", "a+b?", "^\\w[^x]{2,5}$", "^$|^[a-f]{3}$"]
        return {"type": "string", "pattern": draw(st.sampled_from(patterns))}
    if choice == 1:
        kinds = ["date-time", "date", "uuid", "email", "uri", "ipv4", "ipv6", "hostname", "byte"]
        return {"type": "string", "format": draw(st.sampled_from(kinds))}
    least = draw(st.integers(0, 12))
    made: dict[str, Any] = {"type": "string", "minLength": least}
    return made | ({"maxLength": least + draw(st.integers(0, 4))} if draw(st.booleans()) else {})


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def made(draw: st.DrawFn) -> dict[str, Any]:
        known = draw(st.dictionaries(NAMES, inner, max_size=4))
        needed = [name for name in known if draw(st.booleans())]
        found: dict[str, Any] = {"type": "object", "properties": known, "required": needed}
        if draw(st.booleans()):
            found["additionalProperties"] = draw(st.sampled_from([True, False]))
        if draw(st.booleans()):
            found["minProperties"] = draw(st.integers(0, len(known)))
        return found

    return made()


@st.composite
def _lists(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    least = draw(st.integers(0, 3))
    made: dict[str, Any] = {"type": "array", "items": draw(inner), "minItems": least}
    return made | ({"maxItems": least + draw(st.integers(0, 2))} if draw(st.booleans()) else {})


def _together(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        inner.map(lambda one: {"allOf": [one]}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        inner.map(lambda one: {"oneOf": [one, {"type": "object", "required": ["no-such"]}]}),
        inner.map(lambda one: {"allOf": [one, {"description": "the same"}]}),
        inner.map(lambda one: {**one, "not": {"const": "never"}}),
    )


LEAVES = st.one_of(
    _numbers(),
    _texts(),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}]),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda some: {"enum": some}),
    SCALARS.map(lambda one: {"const": one}),
    st.just({"$ref": "#/components/schemas/Tree"}),
)
SCHEMAS = st.recursive(
    LEAVES, lambda inner: _objects(inner) | _lists(inner) | _together(inner), max_leaves=6
)
"""Schemas that some value satisfies, some of them by references that never end."""

TREE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "next": {"$ref": "#/components/schemas/Tree"},
        "kids": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
    },
}


def document(schema: Any, **said: Any) -> dict[str, Any]:
    """Return an OpenAPI document of one operation, which answers by a schema."""
    answers = {"200": {"description": "it", "content": {"application/json": {"schema": schema}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "it", "version": "1"},
        "paths": {"/things/{id}": {"get": {"responses": answers, **said}}},
        "components": {"schemas": {"Tree": TREE}},
    }
