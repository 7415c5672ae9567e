"""What is wrong with a request, by the operation that it means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from drystone.l85_surfaces.sandbox.mocking.operations import Operation, Operations
from drystone.l85_surfaces.sandbox.mocking.schemas import Schemas, types_of
from drystone.l85_surfaces.sandbox.mocking.words import Json, Schema


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method: In capitals.
        path: Without the query, as it was sent.
        query: What follows the question mark.
        headers: Their names in lower case.
        body: Its bytes.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def problems(
    asked: Asked,
    operation: Operation,
    values: Mapping[str, str],
    operations: Operations,
    schemas: Schemas,
) -> list[str]:
    """Return what is wrong with a request; nothing is when the list is empty.

    Args:
        asked: The request.
        operation: What it means.
        values: Of the parameters of its path.
        operations: Of the document.
        schemas: Of the document.

    Raises:
        Unfit: A schema cannot be followed.
    """
    found: list[str] = []
    for parameter in operation.parameters:
        found += _parameter(asked, parameter, values, schemas)
    body = operations.followed(operation.said.get("requestBody"))
    if isinstance(body, dict):
        found += _body(asked, body, schemas)
    return found


def _parameter(
    asked: Asked, parameter: Mapping[str, Json], values: Mapping[str, str], schemas: Schemas
) -> Iterator[str]:
    name, place = str(parameter.get("name")), str(parameter.get("in"))
    schema = parameter.get("schema", True)
    said = _said(asked, place, name, values)
    where = f"the {place} parameter {name}"
    if not said:
        if parameter.get("required") is True and place != "path" and not _is_deep(parameter):
            yield f"{where} is missing"
        return
    if "content" in parameter or _is_deep(parameter):
        return
    yield from schemas.problems(schema, _read(said, _whole(schema, schemas), parameter), where)


def _is_deep(parameter: Mapping[str, Json]) -> bool:
    """Tell whether a parameter is an object spread over several names, which is not looked into."""
    return parameter.get("style") == "deepObject"


def _said(asked: Asked, place: str, name: str, values: Mapping[str, str]) -> list[str]:
    match place:
        case "path":
            return [values[name]] if name in values else []
        case "query":
            return [
                value
                for key, value in parse_qsl(asked.query, keep_blank_values=True)
                if key == name
            ]
        case "header":
            known = name.lower() in {"accept", "content-type", "authorization"}
            return (
                [asked.headers[name.lower()]] if name.lower() in asked.headers and not known else []
            )
        case "cookie":
            return _cookie(asked.headers.get("cookie", ""), name)
        case _:
            return []


def _cookie(text: str, name: str) -> list[str]:
    try:
        return [one.value for key, one in SimpleCookie(text).items() if key == name]
    except CookieError:
        return []


def _whole(schema: Schema, schemas: Schemas) -> Mapping[str, Json]:
    """Return the schema that references lead to."""
    for _ in range(20):
        if isinstance(schema, bool):
            return {}
        if "$ref" not in schema:
            return schema
        schema = schemas.target(schema["$ref"])
    return {}


def _read(said: list[str], schema: Mapping[str, Json], parameter: Mapping[str, Json]) -> Json:
    """Return the value that texts of a parameter stand for."""
    if "array" in types_of(schema):
        is_spread = parameter.get("explode", parameter.get("in") in {"query", "cookie"})
        items = said if is_spread or len(said) > 1 else said[0].split(",")
        inner = schema.get("items")
        return [_scalar(one, inner if isinstance(inner, dict) else {}) for one in items]
    return _scalar(said[-1], schema)


def _scalar(text: str, schema: Mapping[str, Json]) -> Json:
    types = types_of(schema)
    if types and set(types) <= {"integer", "number", "boolean", "null"} and len(text) < 400:
        try:
            value = json.loads(text, parse_constant=str)
        except ValueError:
            return text
        return text if isinstance(value, dict | list) else value
    return text


def _body(asked: Asked, body: Mapping[str, Json], schemas: Schemas) -> Iterator[str]:
    if not asked.body:
        if body.get("required") is True:
            yield "the body is missing"
        return
    content = body.get("content", {})
    kind = media_type(asked.headers.get("content-type", ""))
    chosen = media(content, kind)
    if chosen is None:
        yield f"the body must be {' or '.join(content)}, not {kind or 'without a content-type'}"
        return
    if not is_json(kind):
        return
    try:
        value = json.loads(asked.body, parse_constant=_refused)
    except (ValueError, RecursionError) as e:
        yield f"the body is no JSON: {e}"
        return
    yield from schemas.problems(chosen.get("schema", True), value, "body")


def _refused(word: str) -> Json:
    raise ValueError(f"{word} is no number")


def media_type(text: str) -> str:
    """Return the media type of a header without its parameters."""
    return text.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """Tell whether a media type is written as JSON (RFC 6839, section 3.1)."""
    return kind == "application/json" or kind.endswith("+json")


def media(content: Mapping[str, Json], kind: str) -> Mapping[str, Json] | None:
    """Return what a document says of a media type; ranges such as ``text/*`` count."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        for name, said in content.items():
            if media_type(name) == wanted and isinstance(said, dict):
                return said
    return None
