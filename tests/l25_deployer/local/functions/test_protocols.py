"""What is read and written for functions by plain HTTP, by queues and by streams, whatever a function returns."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.aws.handing_over import URL, Handed, rest_of_url
from drystone.l25_deployer.local.functions.events import failed, of_messages
from drystone.l25_deployer.local.functions.url_protocol import event_of, response_of
from drystone.l25_deployer.local.functions.worker import Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


def handed(**more: Any) -> Handed:
    return Handed(
        URL,
        "dev.shop",
        "000000000001",
        **{"method": "GET", "path": "/", "query": "", "headers": {}, "function": "f", **more},
    )


@given(
    st.one_of(
        JSON,
        st.fixed_dictionaries(
            {"statusCode": JSON},
            optional={"headers": JSON, "body": JSON, "cookies": JSON, "isBase64Encoded": JSON},
        ),
        st.fixed_dictionaries(
            {
                "statusCode": st.just(200),
                "headers": st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
            }
        ),
    )
)
def test_whatever_a_function_returns_becomes_one_response(returned: object) -> None:
    head, content = response_of(Answer(json.dumps(returned).encode()))
    assert 200 <= head.status <= 599
    assert isinstance(content, bytes)
    for name, value in head.headers.items():
        assert set(name) <= set(string.ascii_lowercase + string.digits + "!#$%&'*+.^_`|~-")
        assert not set("\r\n\0") & set(value)
        value.encode("latin-1")
    assert not {"content-length", "transfer-encoding", "connection"} & head.headers.keys()


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ("text", 200, b"text"),
        ({"a": 1}, 200, b'{"a": 1}'),
        ({"statusCode": 404, "body": "gone"}, 404, b"gone"),
        ({"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}, 200, b"hi"),
        ({"statusCode": 200, "body": {"a": 1}}, 200, b'{"a": 1}'),
        ({"statusCode": 99}, 502, b"Internal Server Error"),
        (
            {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}},
            502,
            b"Internal Server Error",
        ),
        ({"statusCode": 200, "headers": {"x\r\ny": "a"}}, 502, b"Internal Server Error"),
    ],
)
def test_a_response_is_what_the_function_says(returned: object, status: int, body: bytes) -> None:
    head, content = response_of(Answer(json.dumps(returned).encode()))
    assert (head.status, content) == (status, body)


@given(st.binary(max_size=50), st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_asked_becomes_an_event(body: bytes, path: str, query: str) -> None:
    event = event_of(handed(path=f"/{path}", query=query), body, name="n")
    json.dumps(event)
    assert event["version"] == "2.0"


@given(st.text(max_size=40))
def test_only_what_lies_below_the_urls_is_one(path: str) -> None:
    assert rest_of_url(path) is None
    assert rest_of_url(f"/function-urls/1/f/proof/{path}") == ("1", "f", "proof", f"/{path}")
    assert rest_of_url("/function-urls/1/f") is None


@given(JSON)
def test_an_answer_that_names_what_was_not_given_has_failed_as_a_whole(said: object) -> None:
    given_ = ["a", "b"]
    lost = failed(Answer(json.dumps(said).encode()), given_)
    assert lost in (set(), set(given_))
    assert failed(Answer(b"null", is_failure=True), given_) == set(given_)


def test_what_an_answer_names_has_failed_alone() -> None:
    def said(*names: str) -> Answer:
        items = [{"itemIdentifier": name} for name in names]
        return Answer(json.dumps({"batchItemFailures": items}).encode())

    assert failed(said("b"), ["a", "b"]) == {"b"}
    assert failed(said(), ["a", "b"]) == set()
    assert failed(said("a", "c"), ["a", "b"]) == {"a", "b"}


def test_a_message_has_its_attributes() -> None:
    message = {
        "MessageId": "1",
        "ReceiptHandle": "r",
        "Body": "hi",
        "Attributes": {"ApproximateReceiveCount": "2"},
        "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "7"}},
    }
    [record] = json.loads(of_messages([message], "arn"))["Records"]
    assert (record["body"], record["eventSourceARN"]) == ("hi", "arn")
    assert record["attributes"] == {"ApproximateReceiveCount": "2"}
    assert record["messageAttributes"]["n"]["stringValue"] == "7"
