from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from drystone.l00_kernel.contract import openapi
from l00_kernel.contract.sample import SecretsApi
from l00_kernel.contract.test_declaration import TreesApi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(SecretsApi, TreesApi, title="Samples", version="1")


def resolve(document: dict[str, Any], reference: dict[str, Any]) -> Any:
    target: Any = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert document["openapi"] == "3.1.0"


def test_arguments_stand_where_they_travel(document: dict[str, Any]) -> None:
    browse = document["paths"]["/v1/secrets"]["get"]
    query = {p["name"]: p for p in browse["parameters"] if p.get("in") == "query"}
    assert query["limit"]["schema"] == {"type": "integer", "default": 2}
    assert query["cursor"]["schema"] == {"type": "string"}
    write = document["paths"]["/v1/secrets/{path}/versions"]["post"]
    [path] = [p for p in write["parameters"] if p.get("in") == "path"]
    assert path["required"]
    body = write["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"value", "expect", "labels"}
    assert body["required"] == ["value"]
    assert not body["additionalProperties"]
    everything = document["paths"]["/v1/everything"]["get"]
    [labels] = [p for p in everything["parameters"] if p.get("name") == "labels"]
    assert set(labels["content"]) == {"application/json"}


def test_only_a_post_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for operations in document["paths"].values():
        for verb, operation in operations.items():
            assert (key in operation["parameters"]) == (verb == "post")
    assert resolve(document, key)["name"] == "Idempotency-Key"


def test_results_streams_and_pages_have_their_types(document: dict[str, Any]) -> None:
    watch = document["paths"]["/v1/secrets/{path}/watch"]["get"]["responses"]["200"]
    item = watch["content"]["application/x-ndjson"]["schema"]
    assert "version" in resolve(document, item)["properties"]
    browse = document["paths"]["/v1/secrets"]["get"]["responses"]["200"]
    page = resolve(document, browse["content"]["application/json"]["schema"])
    assert page["properties"]["items"]["items"] == item
    remove = document["paths"]["/v1/secrets/{path}"]["delete"]["responses"]
    assert remove["204"] == {"description": "Done."}


def test_each_call_names_the_codes_of_its_problems(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/secrets/{path}/versions"]["post"]["responses"]
    codes = {
        status: response["content"]["application/problem+json"]["schema"]["allOf"][1]
        for status, response in responses.items()
        if status != "200"
    }
    assert codes["404"]["properties"]["type"]["enum"] == ["contract.SecretNotFound"]
    assert codes["401"]["properties"]["type"]["enum"] == ["kernel.Unauthenticated"]
    assert "contract.KeyReused" in codes["422"]["properties"]["type"]["enum"]
    assert set(codes) == {"401", "403", "404", "409", "413", "415", "422", "500", "503", "504"}


def test_arguments_are_no_components(document: dict[str, Any]) -> None:
    assert not [name for name in document["components"]["schemas"] if "Api" in name]
