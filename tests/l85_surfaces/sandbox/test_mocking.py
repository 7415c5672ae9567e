"""The mock: every answer satisfies its schema, and what the document does not allow is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drystone.l85_surfaces.sandbox.mocking.answering import DELAY, STATUS, Faults, Mock
from drystone.l85_surfaces.sandbox.mocking.patterns import matching
from drystone.l85_surfaces.sandbox.mocking.requests import Asked
from drystone.l85_surfaces.sandbox.mocking.samples import Samples
from drystone.l85_surfaces.sandbox.mocking.schemas import Schemas
from drystone.l85_surfaces.sandbox.mocking.words import Unfit
from l85_surfaces.sandbox.documents import LEAVES, SCHEMAS, TREE, VALUES, document

GET = Asked("GET", "/things/7")


def judged(schema: Any, value: Any) -> bool:
    """Judge a value by a library that others wrote; what is in reach of a reference is put beside the schema."""
    whole = {"components": {"schemas": {"Tree": TREE}}, "allOf": [schema]}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


@given(SCHEMAS)
@example({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 2}]})
@example({"allOf": [{"type": "integer", "minimum": 3}, {"type": "number", "maximum": 3}]})
@example({"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "integer"}})
@example({"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 7})
@example({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001})
@example({"type": "object", "minProperties": 3})
@example({"if": {"type": "string"}, "then": {"minLength": 90}, "type": "string"})
@example({"properties": {"a": {"not": {}}}, "type": "object"})
def test_every_answer_satisfies_its_schema(schema: Any) -> None:
    answered = Mock(document(schema)).answer(GET)

    assert answered.status == 200, answered.verdict
    assert judged(schema, json.loads(answered.body)), answered.body


@given(SCHEMAS)
def test_the_same_question_gets_the_same_answer(schema: Any) -> None:
    assert Mock(document(schema)).answer(GET) == Mock(document(schema)).answer(GET)


@given(LEAVES, VALUES)
@example({"const": 1}, 1.0)
@example({"const": 1}, True)
@example({"enum": [[0]]}, [False])
@example({"type": "integer"}, 1.0)
@example({"type": "integer"}, True)
@example({"uniqueItems": True}, [1, True, {"a": 1}, {"a": 1.0}])
@example({"dependentRequired": {"id": ["name"]}}, {"id": 1})
@example({"prefixItems": [{"type": "null"}], "items": False}, [None, 1])
@example({"contains": {"type": "null"}, "maxContains": 1}, [None, None])
@example({"patternProperties": {"^i": {"type": "null"}}, "additionalProperties": False}, {"id": 1})
@example({"propertyNames": {"maxLength": 2}}, {"name": 1})
@example({"if": {"type": "string"}, "else": {"minimum": 3}}, 2)
@example({"not": {"type": "null"}}, None)
@example({"minLength": 3}, "\N{GRINNING FACE}\N{GRINNING FACE}")
def test_a_value_is_judged_as_others_judge_it(schema: Any, value: Any) -> None:
    plain = {key: one for key, one in schema.items() if key != "format"}
    root = {"components": {"schemas": {"Tree": TREE}}}

    assert Schemas(root).satisfies(plain, value) == judged(plain, value)


@given(
    st.sampled_from(["^[A-Z]{3}$", "a|b|cd", "[^a-z]", "x{2,4}?y", "(?:ab)+", ".\\d\\s\\W"]),
    st.integers(0, 50),
)
def test_a_text_is_made_in_which_the_pattern_is_found(pattern: str, number: int) -> None:
    assert re.search(pattern, matching(pattern, number, 1))


def test_examples_come_first_and_only_when_they_satisfy_the_schema() -> None:
    schema = {"type": "integer"}
    good, bad = document(schema), document(schema)
    for one, value in ((good, 42), (bad, "forty-two")):
        answers = one["paths"]["/things/{id}"]["get"]["responses"]["200"]
        answers["content"]["application/json"]["example"] = value

    assert Mock(good).answer(GET).body == b"42"
    answered = Mock(bad).answer(GET)
    assert isinstance(json.loads(answered.body), int)
    assert "the example breaks its schema" in answered.verdict


def test_an_answer_of_the_document_can_be_asked_for() -> None:
    one = document({"type": "string"})
    said = one["paths"]["/things/{id}"]["get"]["responses"]
    said["404"] = {"description": "none"}
    said["200"]["content"]["application/json"]["examples"] = {
        "a": {"value": "A"},
        "b": {"value": "B"},
    }
    mock = Mock(one)

    def prefers(text: str) -> Any:
        return mock.answer(Asked("GET", "/things/7", headers={"prefer": text}))

    assert mock.answer(GET).body == b'"A"'
    assert prefers("example=b").body == b'"B"'
    assert prefers("code=404").status == 404
    assert (prefers("code=418").status, prefers("example=z").status) == (501, 501)


def test_what_the_document_does_not_have_is_refused_with_what_is_near() -> None:
    mock = Mock(document({"type": "string"}))

    missed = mock.answer(Asked("GET", "/thing/7"))
    assert (missed.status, json.loads(missed.body)["near"]) == (404, ["GET /things/{id}"])
    wrong = mock.answer(Asked("PUT", "/things/7"))
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET")
    assert mock.answer(Asked("HEAD", "/things/7")).status == 200


BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"type": "object", "required": ["total"]}}},
}
JSON = {"content-type": "application/json"}
PARAMETERS = [
    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
    {"name": "page", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 1}},
    {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "boolean"}}},
    {"name": "X-Trace", "in": "header", "schema": {"type": "string", "format": "uuid"}},
    {"name": "kind", "in": "cookie", "schema": {"enum": ["a", "b"]}},
]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (Asked("GET", "/things/7", "page=1", JSON, b'{"total": 1}'), ""),
        (Asked("GET", "/things/7", "page=1&tags=true&tags=false", JSON, b'{"total": 1}'), ""),
        (
            Asked("GET", "/things/x", "page=1", JSON, b'{"total": 1}'),
            "the path parameter id must be an integer",
        ),
        (
            Asked("GET", "/things/7", "", JSON, b'{"total": 1}'),
            "the query parameter page is missing",
        ),
        (Asked("GET", "/things/7", "page=0", JSON, b'{"total": 1}'), "must be at least 1, not 0"),
        (
            Asked("GET", "/things/7", "page=1&tags=no", JSON, b'{"total": 1}'),
            "tags[0] must be a boolean",
        ),
        (
            Asked("GET", "/things/7", "page=1", {**JSON, "x-trace": "1"}, b'{"total": 1}'),
            "must be a uuid",
        ),
        (
            Asked("GET", "/things/7", "page=1", {**JSON, "cookie": "kind=c"}, b'{"total": 1}'),
            "must be one of 'a', 'b'",
        ),
        (Asked("GET", "/things/7", "page=1", JSON, b"{}"), "body.total is missing"),
        (Asked("GET", "/things/7", "page=1", JSON, b""), "the body is missing"),
        (Asked("GET", "/things/7", "page=1", JSON, b"{"), "the body is no JSON"),
        (Asked("GET", "/things/7", "page=1", JSON, b"[" * 100_000), "the body is no JSON"),
        (Asked("GET", "/things/7", "page=1", JSON, b'{"total": NaN}'), "NaN is no number"),
        (
            Asked("GET", "/things/7", "page=1", {"content-type": "text/csv"}, b"1"),
            "must be application/json",
        ),
        (
            Asked("GET", "/things/7", "page=" + "9" * 5_000, JSON, b'{"total": 1}'),
            "must be an integer",
        ),
    ],
)
def test_a_request_is_held_against_the_document(asked: Asked, wrong: str) -> None:
    one = document({"type": "string"}, parameters=PARAMETERS, requestBody=BODY)

    answered = Mock(one).answer(asked)

    assert answered.status == (400 if wrong else 200), answered.verdict
    assert wrong in answered.verdict
    if wrong:
        assert answered.headers["content-type"] == "application/problem+json"


@given(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.integers(1, 200))
def test_failures_are_spread_evenly(share: float, requests: int) -> None:
    mock = Mock(document({"type": "null"}), Faults(errors=share))

    failed = sum(mock.answer(GET, number).status == 503 for number in range(requests))

    assert abs(failed - share * requests) < 1


def test_a_request_can_ask_to_fail_and_to_wait() -> None:
    mock = Mock(document({"type": "null"}), Faults(delay=0.5))

    def with_header(name: str, value: str) -> Any:
        return mock.answer(Asked("GET", "/things/7", headers={name: value}))

    assert with_header(STATUS, "503").status == 503
    assert with_header(STATUS, "200").status == 200
    assert [with_header(DELAY, text).delay for text in ("20ms", "2s", "9999s", "soon")] == [
        0.02,
        2.0,
        60.0,
        0.0,
    ]
    assert mock.answer(GET).delay == 0.5


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/No"},
        {"$ref": "http://127.0.0.1:9/x.json"},
        {
            "allOf": [
                {
                    "$ref": "#/paths/~1things~1{id}/get/responses/200/content/application~1json/schema"
                }
            ]
        },
        {"type": "array", "minItems": 10**9, "items": {}},
        {"type": "string", "minLength": 10**9},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "a{1000000}"},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "strange"},
        {"allOf": [{"oneOf": [{"minimum": n} for n in range(40)]} for _ in range(40)], "not": {}},
    ],
)
def test_a_schema_that_cannot_be_followed_is_told_and_not_waited_for(schema: Any) -> None:
    answered = Mock(document(schema)).answer(GET)

    assert answered.status == 501
    assert answered.verdict.startswith("the document cannot be followed: ")


def test_a_needed_circle_has_no_value() -> None:
    circle = {"s": {"type": "object", "required": ["s"], "properties": {"s": {"$ref": "#/s"}}}}

    with pytest.raises(Unfit):
        Samples(Schemas(circle)).of({"$ref": "#/s"})
