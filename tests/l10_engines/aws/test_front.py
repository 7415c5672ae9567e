"""What comes in that is not meant well, or too much."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec import structs

from drystone.l10_engines.aws.access import AccountAccess
from drystone.l10_engines.aws.declarations import Queue, Table
from drystone.l10_engines.aws.orders import ADMINISTRATION, TOKEN
from drystone.l10_engines.aws.server import AwsStandIn
from drystone.l10_engines.aws.signature import SKEW, Refused, verify
from drystone.testing.conformance.aws import asked, client, refusal
from drystone.testing.conformance.engines import short_home

QUEUE = Queue(fifo=False, visibility=30, retain=345600, delay=0, attempts=2, dead_letter=False)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine() -> Iterator[AwsStandIn]:
    with short_home() as home:
        engine = AwsStandIn("aws", home / "aws", most=200_000)
        asyncio.run(engine.start())
        try:
            yield engine
        finally:
            asyncio.run(engine.stop())


def signed(
    access: AccountAccess,
    body: bytes,
    *,
    target: str = "AmazonSQS.ListQueues",
    service: str = "sqs",
) -> dict[str, str]:
    """Sign a request as the public client does."""
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", access.endpoint + "/", headers, body)
    SigV4Auth(Credentials(access.access_key, access.secret_key), service, access.region).add_auth(
        request
    )
    return dict(request.headers.items())


def post(
    engine: AwsStandIn, headers: dict[str, str], body: bytes, path: str = "/"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=20)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def test_a_request_that_cannot_be_read_is_refused_and_the_next_is_answered(
    engine: AwsStandIn,
) -> None:
    access, made = await engine.declare("dev.junk", "jobs", QUEUE)
    send = "AmazonSQS.SendMessage"
    half = json.dumps({"QueueUrl": made.url, "MessageBody": "\ud800"}).encode()
    for body, target, status in (
        (b"{", send, 400),
        (b"[1]", send, 400),
        (b"\xff\xfe", send, 400),
        (b"[" * 200_000, send, 400),
        (b'{"a":' * 50_000, send, 400),
        (half, send, 400),
        (b"{}", "AmazonSQS.ListQueues.x", 403),
        (b"{}", "DynamoDB_20120810.ListTables", 403),
        (b"{}", "Nobody.ListTables", 403),
        (b'{"QueueUrl": {"a": []}}', send, 0),
    ):
        answered, content = await asyncio.to_thread(
            post, engine, signed(access, body, target=target), body
        )
        assert answered == status or (not status and answered in (400, 500)), content
        assert json.loads(content)["message"]
    found = await asked(client(access, "sqs").list_queues)
    assert found["QueueUrls"] == [made.url]


async def test_a_body_without_end_is_refused_and_that_of_a_stranger_is_not_read(
    engine: AwsStandIn,
) -> None:
    access, _ = await engine.declare("dev.long", "jobs", QUEUE)
    body = b"x" * (16 * 2**20 + 1)
    status, _ = await asyncio.to_thread(post, engine, signed(access, b"{}"), body)
    assert status == 413
    for headers in ({}, signed(structs.replace(access, access_key="AKIA" + "B" * 16), b"{}")):
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        lines = [f"{name}: {value}" for name, value in headers.items() if name != "Content-Length"]
        head = ["POST / HTTP/1.1", "host: x", "content-length: 1000000000", *lines, "", ""]
        writer.write("\r\n".join(head).encode())
        async with asyncio.timeout(10):
            assert (await reader.readline()).split()[1] == b"403"
        writer.close()


async def test_pages_of_the_simulator_and_of_the_agent_are_closed(engine: AwsStandIn) -> None:
    access, _ = await engine.declare("dev.pages", "jobs", QUEUE)
    for path in (
        "/_ministack/reset",
        "/_localstack/health",
        "/moto-api/reset",
        "/x/../_ministack/reset",
    ):
        status, _ = await asyncio.to_thread(post, engine, {}, b"", path)
        assert status == 403, path
        status, _ = await asyncio.to_thread(post, engine, signed(access, b"{}"), b"{}", path)
        assert status == 403, path
    order = b'{"owner": "dev.pages", "name": "jobs", "declaration": {"type": "key"}}'
    for headers in ({}, {TOKEN: ""}, {TOKEN: "guessed"}):
        status, content = await asyncio.to_thread(
            post, engine, headers, order, ADMINISTRATION + "declare"
        )
        assert (status, content) == (403, b"{}")


async def test_a_form_that_says_something_twice_and_one_that_calls_somebody_are_refused(
    engine: AwsStandIn,
) -> None:
    access, _ = await engine.declare("dev.form", "jobs", QUEUE)
    theirs, _ = await engine.declare("dev.theirs", "jobs", QUEUE)
    arns = [f"arn:aws:sns:us-local-1:{one.account}:news" for one in (theirs, access)]
    twice = f"Action=Publish&TopicArn={arns[0]}&TopicArn={arns[1]}&Message=x"
    for body, status in (
        (twice, 400),
        ("Action=ListTopics&Action=AddPermission", 400),
        ("Action=Publish&PhoneNumber=%2B1&Message=x", 400),
        ("Action=AddPermission", 403),
        (f"Action=Publish&TopicArn={arns[0]}&Message=x", 403),
        ("Action=ListTopics", 200),
    ):
        content = body.encode()
        request = AWSRequest("POST", access.endpoint + "/", {}, content)
        request.headers["content-type"] = "application/x-www-form-urlencoded"
        keys = Credentials(access.access_key, access.secret_key)
        SigV4Auth(keys, "sns", access.region).add_auth(request)
        headers = dict(request.headers.items())
        answered, said = await asyncio.to_thread(post, engine, headers, content)
        assert answered == status, (body, said)


async def test_what_a_message_says_is_nobodys_name(engine: AwsStandIn) -> None:
    access, made = await engine.declare("dev.words", "jobs", QUEUE)
    theirs, _ = await engine.declare("dev.theirs", "jobs", QUEUE)
    text = f"see arn:aws:sqs:us-local-1:{theirs.account}:jobs"
    sns, sqs = client(access, "sns"), client(access, "sqs")
    topic = await asked(sns.create_topic, Name="news")
    entry = {"Id": "1", "Message": text}
    sent = await asked(
        sns.publish_batch, TopicArn=topic["TopicArn"], PublishBatchRequestEntries=[entry]
    )
    assert not sent["Failed"]
    bodies = [{"Id": "1", "MessageBody": text}]
    assert not (await asked(sqs.send_message_batch, QueueUrl=made.url, Entries=bodies)).get(
        "Failed"
    )


async def test_a_request_that_was_changed_on_its_way_is_refused(engine: AwsStandIn) -> None:
    access, _ = await engine.declare("dev.changed", "jobs", QUEUE)
    headers = signed(access, b"{}")
    assert (await asyncio.to_thread(post, engine, headers, b"{}"))[0] == 200
    for other, body, path in (
        ({**headers, "X-Amz-Target": "AmazonSQS.PurgeQueue"}, b"{}", "/"),
        (headers, b'{"QueueNamePrefix":"a"}', "/"),
        (headers, b"{}", "/1/2"),
        (headers, b"{}", "/?Action=ListQueues"),
        ({**headers, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, b"{}", "/"),
    ):
        status, content = await asyncio.to_thread(post, engine, other, body, path)
        assert status == 403, content


@pytest.mark.parametrize("away", [timedelta(0), SKEW, -SKEW])
def test_a_signature_holds_for_a_quarter_of_an_hour(away: timedelta) -> None:
    access = AccountAccess(
        endpoint="http://127.0.0.1:1",
        account="1" * 12,
        access_key="AKIA" + "A" * 16,
        secret_key="s",
    )
    headers = {name.lower(): value for name, value in signed(access, b"{}").items()}
    headers["host"] = "127.0.0.1:1"
    at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    def check(now: datetime) -> str:
        return verify(
            method="POST",
            path=b"/",
            query=b"",
            headers=headers,
            body=b"{}",
            secret_of=lambda _: "s",
            now=now,
        ).service

    assert check(at + away) == "sqs"
    if away:
        with pytest.raises(Refused, match="too long ago"):
            check(at + away + away / 900)


async def test_an_account_that_is_full_can_be_read_and_emptied(engine: AwsStandIn) -> None:
    access, made = await engine.declare("dev.full", "jobs", QUEUE)
    _, table = await engine.declare("dev.full", "table", Table(key="id"))
    other, theirs = await engine.declare("dev.other", "jobs", QUEUE)
    sqs = client(access, "sqs")
    big = {"QueueUrl": made.url, "MessageBody": "x" * 100_000}
    for _ in range(2):
        await asked(sqs.send_message, **big)
    assert await refusal(sqs.send_message, **big) == "LimitExceededException"
    item = {"TableName": table.name, "Item": {"id": {"S": "1"}}}
    assert await refusal(client(access, "dynamodb").put_item, **item) == "LimitExceededException"
    got = await asked(sqs.receive_message, QueueUrl=made.url)
    handle = got["Messages"][0]["ReceiptHandle"]
    await asked(sqs.delete_message, QueueUrl=made.url, ReceiptHandle=handle)
    await asked(sqs.send_message, **big)
    neighbour = {"QueueUrl": theirs.url, "MessageBody": "x"}
    assert await asked(client(other, "sqs").send_message, **neighbour)
