"""An OpenAPI 3.1 document from contracts alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec

from drystone.l00_kernel.contract.declaration import Api, Argument, Call, calls_of
from drystone.l00_kernel.contract.errors import BodyTooLarge, CallRunning, KeyReused, WrongMediaType
from drystone.l00_kernel.contract.wire import JSON, NDJSON, PROBLEM, Problem
from drystone.l00_kernel.errors import (
    DeadlineExceeded,
    Denied,
    Invalid,
    PlatformError,
    Unauthenticated,
    Unavailable,
)

Document: TypeAlias = dict[str, Any]

_ALWAYS = (Invalid, Unauthenticated, Denied, PlatformError, Unavailable, DeadlineExceeded)
_HEADERS: Document = {
    "Timeout": {
        "name": "Drystone-Timeout",
        "in": "header",
        "description": "Seconds that the caller waits; the server gives up after them.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "RequestId": {
        "name": "Drystone-Request-Id",
        "in": "header",
        "description": "Names the request in logs; echoed in the answer.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeated request with the same key happens once; kept for 24 hours.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
}


def openapi(*contracts: type[Api], title: str, version: str) -> Document:
    """Describe contracts.

    Args:
        contracts: In the order in which their tags appear.
        title: Of the document.
        version: Of the API, for readers.

    Returns:
        An OpenAPI 3.1 document of plain dictionaries and lists.
    """
    calls = [(contract, call) for contract in contracts for call in calls_of(contract)]
    schemas, components = _schemas(call for _, call in calls)
    paths: Document = {}
    for contract, call in calls:
        paths.setdefault(call.path, {})[call.verb.lower()] = _operation(
            contract, call, schemas[call.id], components
        )
    for schema in schemas.values():  # the arguments stand in the operations
        components.pop(_component(schema.others))
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "tags": [
            {"name": c.name, "description": _first_line(inspect.getdoc(c))} for c in contracts
        ],
        "paths": paths,
        "components": {"schemas": components, "parameters": _HEADERS},
    }
    # Defaults are still Python values, such as tuples and enumeration members.
    written: Document = msgspec.json.decode(msgspec.json.encode(document))
    return written


class _Schemas(msgspec.Struct, frozen=True):
    """The schemas of one call."""

    result: Document
    in_path: list[Document]
    others: Document
    problem: Document


def _schemas(calls: Iterable[Call]) -> tuple[dict[str, _Schemas], Document]:
    """Return the schemas of each call by its id, and those that they refer to by name."""
    calls = list(calls)
    wanted: list[Any] = [Problem]
    for call in calls:
        wanted += [call.returns, *(a.type for a in call.in_path), call.others]
    made, components = msgspec.json.schema_components(
        wanted, ref_template="#/components/schemas/{name}"
    )
    rest: Iterator[Document] = iter(made[1:])
    schemas = {
        call.id: _Schemas(next(rest), [next(rest) for _ in call.in_path], next(rest), made[0])
        for call in calls
    }
    return schemas, dict(components)


def _operation(
    contract: type[Api], call: Call, schemas: _Schemas, components: Document
) -> Document:
    others = components[_component(schemas.others)]
    headers = ["Timeout", "RequestId", *(["IdempotencyKey"] if call.verb == "POST" else [])]
    parameters: list[Document] = [
        {"name": a.name, "in": "path", "required": True, "schema": schema}
        for a, schema in zip(call.in_path, schemas.in_path, strict=True)
    ]
    if not call.has_body:
        parameters += [_in_query(a, others["properties"][a.name]) for a in call.arguments]
    operation: Document = {
        "operationId": call.id,
        "tags": [contract.name],
        "summary": _first_line(call.doc),
        "parameters": [*parameters, *({"$ref": f"#/components/parameters/{h}"} for h in headers)],
        "responses": {
            **_success(call, schemas.result),
            **_problems(contract, call, schemas.problem),
        },
    }
    if call.has_body and call.arguments:
        body = {key: value for key, value in others.items() if key != "title"}
        operation["requestBody"] = {
            "required": any(a.required for a in call.arguments),
            "content": {JSON: {"schema": body}},
        }
    return operation


def _in_query(argument: Argument, schema: Document) -> Document:
    parameter: Document = {"name": argument.name, "in": "query", "required": argument.required}
    if not argument.scalar:
        return parameter | {"content": {JSON: {"schema": schema}}}
    if "anyOf" in schema:  # None is written by leaving the argument out
        rest = [member for member in schema["anyOf"] if member != {"type": "null"}]
        schema = rest[0] if len(rest) == 1 else {"anyOf": rest}
    return parameter | {"schema": schema}


def _success(call: Call, schema: Document) -> Document:
    if call.returns is type(None):
        return {"204": {"description": "Done."}}
    if call.streams:
        text = (
            "One item per line as they come; blank lines are signs of life; a last line "
            f'{{"{PROBLEM}": problem}} tells that the stream failed.'
        )
        return {"200": {"description": text, "content": {NDJSON: {"schema": schema}}}}
    return {"200": {"description": "Done.", "content": {JSON: {"schema": schema}}}}


def _problems(contract: type[Api], call: Call, problem: Document) -> Document:
    """Describe what a call may raise, by status; the codes tell errors of one status apart."""
    errors: list[type[PlatformError]] = [*_ALWAYS, *contract.errors]
    if call.has_body:
        errors += [BodyTooLarge, WrongMediaType]
    if call.verb == "POST":
        errors += [CallRunning] if call.streams else [KeyReused]
    by_status: dict[HTTPStatus, dict[str, str]] = {}
    for error in errors:
        by_status.setdefault(error.status, {})[error.code()] = _first_line(error.__doc__)
    return {
        str(status.value): {
            "description": " ".join(f"`{code}`: {text}" for code, text in codes.items()),
            "content": {PROBLEM: {"schema": _problem_schema(problem, list(codes))}},
        }
        for status, codes in sorted(by_status.items())
    }


def _problem_schema(problem: Document, codes: list[str]) -> Document:
    return {"allOf": [problem, {"properties": {"type": {"enum": codes}}}]}


def _component(reference: Document) -> str:
    """Return the name of the component that a reference points at."""
    name: str = reference["$ref"]
    return name.rpartition("/")[2]


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
