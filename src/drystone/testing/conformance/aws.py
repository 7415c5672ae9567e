"""What every engine promises that answers by the protocols of AWS, as tests.

An author of one subclasses :class:`AwsConformance` in a test module and says how it is made; pytest with pytest-asyncio runs the tests on
the real engine, asked by the public client of these protocols.
"""

# ruff: noqa: S101, D102 - these are tests; their names are their documentation
from __future__ import annotations

import abc
import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import structs

from drystone.l10_engines.aws.access import AccountAccess
from drystone.l10_engines.aws.declarations import Key, Queue, Stream, Table, Topic
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.server import AwsEngine
from drystone.testing.conformance.engines import short_home

T = TypeVar("T")

QUEUE = Queue(fifo=False, visibility=30, retain=345600, delay=0, attempts=2, dead_letter=True)
TABLE = Table(key="id")


def client(access: AccountAccess, service: str) -> Any:
    """Return a client of a service, for the holder of a key."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


async def asked(call: Callable[..., T], **data: object) -> T:
    """Ask by a client, whose calls wait."""
    return await asyncio.to_thread(call, **data)


async def refusal(call: Callable[..., object], **data: object) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        await asked(call, **data)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.asyncio
class AwsConformance(abc.ABC):
    """Tests that every such engine passes."""

    @classmethod
    @abc.abstractmethod
    def make(cls, directory: Path) -> AwsEngine:
        """Return an engine that works in a directory."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[AwsEngine]:
        with short_home() as home:
            engine = cls.make(home / "aws")
            asyncio.run(engine.start())
            try:
                yield engine
            finally:
                asyncio.run(engine.stop())

    async def test_what_waits_in_a_queue_is_told(self, engine: AwsEngine) -> None:
        access, made = await engine.declare("dev.counted", "outbox", QUEUE)
        sqs = client(access, "sqs")
        assert await engine.waiting("dev.counted", "outbox", QUEUE) == 0
        for number in range(3):
            await asked(sqs.send_message, QueueUrl=made.url, MessageBody=str(number))
        assert await engine.waiting("dev.counted", "outbox", QUEUE) == 3
        await asked(sqs.receive_message, QueueUrl=made.url)
        assert await engine.waiting("dev.counted", "outbox", QUEUE) == 2
        assert await engine.waiting("dev.counted", "nothing", QUEUE) is None
        assert await engine.waiting("dev.nobody", "outbox", QUEUE) is None

    async def test_a_message_goes_back_until_it_is_a_dead_letter(self, engine: AwsEngine) -> None:
        access, made = await engine.declare("dev.letters", "jobs", QUEUE)
        sqs = client(access, "sqs")
        await asked(sqs.send_message, QueueUrl=made.url, MessageBody="hello")
        for _ in range(QUEUE.attempts):
            got = await asked(sqs.receive_message, QueueUrl=made.url, VisibilityTimeout=0)
            assert [one["Body"] for one in got["Messages"]] == ["hello"]
        assert "Messages" not in await asked(sqs.receive_message, QueueUrl=made.url)
        policy = await asked(
            sqs.get_queue_attributes, QueueUrl=made.url, AttributeNames=["RedrivePolicy"]
        )
        letters = json.loads(policy["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
        url = await asked(sqs.get_queue_url, QueueName=letters.rpartition(":")[2])
        dead = await asked(sqs.receive_message, QueueUrl=url["QueueUrl"])
        assert [one["Body"] for one in dead["Messages"]] == ["hello"]

    async def test_a_queue_that_keeps_order_keeps_it_and_drops_doubles(
        self, engine: AwsEngine
    ) -> None:
        wanted = structs.replace(QUEUE, fifo=True, dead_letter=False)
        access, made = await engine.declare("dev.order", "steps", wanted)
        sqs = client(access, "sqs")
        for body in ("1", "2", "2", "3"):
            await asked(sqs.send_message, QueueUrl=made.url, MessageBody=body, MessageGroupId="one")
        got = await asked(sqs.receive_message, QueueUrl=made.url, MaxNumberOfMessages=10)
        assert [one["Body"] for one in got["Messages"]] == ["1", "2", "3"]

    async def test_a_topic_passes_on_to_the_queues_that_are_declared_now(
        self, engine: AwsEngine
    ) -> None:
        access, topic = await engine.declare("dev.news", "news", Topic(False, ("first",)))
        _, first = await engine.declare("dev.news", "first", QUEUE)
        _, second = await engine.declare("dev.news", "second", QUEUE)
        sns, sqs = client(access, "sns"), client(access, "sqs")
        await asked(sns.publish, TopicArn=topic.arn, Message="one")
        await engine.declare("dev.news", "news", Topic(False, ("second",)))
        await asked(sns.publish, TopicArn=topic.arn, Message="two")
        for queue, told in ((first, "one"), (second, "two")):
            got = await asked(sqs.receive_message, QueueUrl=queue.url, MaxNumberOfMessages=10)
            assert [json.loads(one["Body"])["Message"] for one in got["Messages"]] == [told]

    async def test_a_table_changes_its_indexes_and_refuses_another_key(
        self, engine: AwsEngine
    ) -> None:
        access, made = await engine.declare("dev.table", "carts", TABLE)
        db = client(access, "dynamodb")
        item = {"id": {"S": "1"}, "of": {"S": "ann"}}
        await asked(db.put_item, TableName=made.name, Item=item)
        wanted = structs.replace(TABLE, indexes={"by-of": ("of", None)}, ttl="ends", stream=True)
        _, again = await engine.declare("dev.table", "carts", wanted)
        assert again.stream
        found = await asked(
            db.query,
            TableName=made.name,
            IndexName="by-of",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "of"},
            ExpressionAttributeValues={":o": {"S": "ann"}},
        )
        assert found["Items"] == [item]
        _, back = await engine.declare("dev.table", "carts", TABLE)
        assert not back.stream
        with pytest.raises(NotDeclarable, match="has another key"):
            await engine.declare("dev.table", "carts", Table(key="other"))
        assert (await asked(db.scan, TableName=made.name))["Items"] == [item]

    async def test_a_stream_is_read_from_all_of_its_shards(self, engine: AwsEngine) -> None:
        access, made = await engine.declare("dev.stream", "log", Stream(shards=2, retain=24))
        kinesis = client(access, "kinesis")
        records: list[dict[str, Any]] = [
            {"Data": str(n).encode(), "PartitionKey": str(n)} for n in range(20)
        ]
        await asked(kinesis.put_records, StreamName=made.name, Records=records)
        got = []
        for shard in (await asked(kinesis.list_shards, StreamName=made.name))["Shards"]:
            at = await asked(
                kinesis.get_shard_iterator,
                StreamName=made.name,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )
            read = await asked(kinesis.get_records, ShardIterator=at["ShardIterator"])
            assert read["Records"]
            got += [one["Data"] for one in read["Records"]]
        assert sorted(got) == sorted(one["Data"] for one in records)

    async def test_what_a_key_sealed_opens_with_the_same_context_alone(
        self, engine: AwsEngine
    ) -> None:
        access, made = await engine.declare("dev.seal", "seal", Key())
        kms = client(access, "kms")
        context = {"for": "ann"}
        answer = await asked(
            kms.encrypt, KeyId=made.name, Plaintext=b"x", EncryptionContext=context
        )
        sealed = answer["CiphertextBlob"]
        opened = await asked(kms.decrypt, CiphertextBlob=sealed, EncryptionContext=context)
        assert opened["Plaintext"] == b"x"
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for wrong in (
            {"CiphertextBlob": sealed},
            {"CiphertextBlob": changed, "EncryptionContext": context},
            {"CiphertextBlob": sealed[:40], "EncryptionContext": context},
        ):
            assert await refusal(kms.decrypt, **wrong) == "InvalidCiphertextException"
        data = await asked(kms.generate_data_key, KeyId=made.name, KeySpec="AES_256")
        again = await asked(kms.decrypt, CiphertextBlob=data["CiphertextBlob"])
        assert again["Plaintext"] == data["Plaintext"]
        assert len(data["Plaintext"]) == 32

    async def test_declaring_again_keeps_everything(self, engine: AwsEngine) -> None:
        access, made = await engine.declare("dev.again", "jobs", QUEUE)
        sqs = client(access, "sqs")
        await asked(sqs.send_message, QueueUrl=made.url, MessageBody="hello")
        wanted = structs.replace(QUEUE, dead_letter=False, visibility=5)
        assert await engine.declare("dev.again", "jobs", wanted) == (access, made)
        found = await asked(sqs.get_queue_attributes, QueueUrl=made.url, AttributeNames=["All"])
        assert found["Attributes"]["VisibilityTimeout"] == "5"
        assert "RedrivePolicy" not in found["Attributes"]
        got = await asked(sqs.receive_message, QueueUrl=made.url)
        assert len(got["Messages"]) == 1

    async def test_a_client_that_insists_on_a_region_finds_the_same_things(
        self, engine: AwsEngine
    ) -> None:
        access, made = await engine.declare("dev.region", "jobs", QUEUE)
        for region in ("us-east-1", "eu-west-1", access.region):
            sqs = client(structs.replace(access, region=region), "sqs")
            assert (await asked(sqs.list_queues))["QueueUrls"] == [
                f"{made.url}_dead_letters",
                made.url,
            ]

    async def test_what_was_removed_is_gone_and_the_last_takes_the_key_along(
        self, engine: AwsEngine
    ) -> None:
        access, _ = await engine.declare("dev.gone", "jobs", QUEUE)
        _, table = await engine.declare("dev.gone", "carts", TABLE)
        sqs = client(access, "sqs")
        for _ in range(2):
            await engine.remove("dev.gone", "jobs", QUEUE)
        assert not (await asked(sqs.list_queues)).get("QueueUrls")
        await engine.remove("dev.gone", "carts", TABLE)
        assert await refusal(sqs.list_queues) == "UnrecognizedClientException"
        new, _ = await engine.declare("dev.gone", "carts", TABLE)
        assert new.access_key != access.access_key
        assert (await asked(client(new, "dynamodb").scan, TableName=table.name))["Items"] == []

    async def test_a_key_opens_no_other_account(self, engine: AwsEngine) -> None:
        theirs, queue = await engine.declare("dev.theirs", "jobs", QUEUE)
        _, table = await engine.declare("dev.theirs", "carts", structs.replace(TABLE, stream=True))
        _, topic = await engine.declare("dev.theirs", "news", Topic(False, ("jobs",)))
        _, seal = await engine.declare("dev.theirs", "seal", Key())
        ours, _ = await engine.declare("dev.ours", "jobs", QUEUE)
        put: dict[str, Any] = {"TableName": table.arn, "Item": {"id": {"S": "1"}}}
        await asked(client(theirs, "dynamodb").put_item, **put)
        sealed = await asked(client(theirs, "kms").encrypt, KeyId=seal.arn, Plaintext=b"x")
        streams = client(theirs, "dynamodbstreams")
        described = await asked(streams.describe_stream, StreamArn=table.stream)
        shard = described["StreamDescription"]["Shards"][0]["ShardId"]
        at = await asked(
            streams.get_shard_iterator,
            StreamArn=table.stream,
            ShardId=shard,
            ShardIteratorType="TRIM_HORIZON",
        )
        sqs, db, sns, kms, read = (
            client(ours, name) for name in ("sqs", "dynamodb", "sns", "kms", "dynamodbstreams")
        )
        partiql = f'SELECT * FROM "{table.arn}"'  # noqa: S608 - it is to be refused
        denied: list[tuple[Callable[..., object], dict[str, Any]]] = [
            (sqs.receive_message, {"QueueUrl": queue.url}),
            (sqs.send_message, {"QueueUrl": queue.url, "MessageBody": "x"}),
            (sqs.get_queue_url, {"QueueName": "jobs", "QueueOwnerAWSAccountId": theirs.account}),
            (db.scan, {"TableName": table.arn}),
            (db.put_item, put),
            (db.batch_get_item, {"RequestItems": {table.arn: {"Keys": [{"id": {"S": "1"}}]}}}),
            (db.execute_statement, {"Statement": partiql}),
            (sns.publish, {"TopicArn": topic.arn, "Message": "x"}),
            (sns.subscribe, {"TopicArn": topic.arn, "Protocol": "sqs", "Endpoint": queue.arn}),
            (kms.encrypt, {"KeyId": seal.arn, "Plaintext": b"x"}),
            (read.describe_stream, {"StreamArn": table.stream}),
            (read.get_records, {"ShardIterator": at["ShardIterator"]}),
        ]
        for call, data in denied:
            code = await refusal(call, **data)
            assert "AccessDenied" in code, (call, code)
        blob = sealed["CiphertextBlob"]
        assert await refusal(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
        assert (await asked(db.list_tables))["TableNames"] == []
        assert (await asked(read.list_streams))["Streams"] == []
        forged = structs.replace(ours, access_key=theirs.access_key)
        code = await refusal(client(forged, "sqs").list_queues)
        assert code == "InvalidSignatureException"

    async def test_what_is_not_offered_is_refused_with_a_sentence(self, engine: AwsEngine) -> None:
        access, _ = await engine.declare("dev.closed", "jobs", QUEUE)
        _, topic = await engine.declare("dev.closed", "news", Topic(False))
        for service, name in (
            ("s3", "list_buckets"),
            ("iam", "list_users"),
            ("logs", "describe_log_groups"),
            ("dynamodb", "list_backups"),
            ("sts", "get_session_token"),
        ):
            code = await refusal(getattr(client(access, service), name))
            assert code in ("AccessDeniedException", "403"), (service, code)
        web = {"TopicArn": topic.arn, "Protocol": "http", "Endpoint": "http://127.0.0.1:1/"}
        code = await refusal(client(access, "sns").subscribe, **web)
        assert code == "InvalidParameterException"

    async def test_what_was_answered_is_there_after_a_kill_while_many_ask(
        self, engine: AwsEngine
    ) -> None:
        access, queue = await engine.declare("dev.kill", "jobs", QUEUE)
        _, table = await engine.declare("dev.kill", "carts", TABLE)
        pid = engine.status().pid
        if pid is None:
            pytest.skip("it runs elsewhere")
        answered: list[str] = []

        def ask_on(number: int) -> None:
            sqs, db = client(access, "sqs"), client(access, "dynamodb")
            for count in range(1000):
                name = f"{number}-{count}"
                try:
                    sqs.send_message(QueueUrl=queue.url, MessageBody=name)
                    db.put_item(TableName=table.name, Item={"id": {"S": name}})
                except (BotoCoreError, ClientError):
                    return
                answered.append(name)

        async def kill() -> None:
            while len(answered) < 100:  # noqa: ASYNC110 - what is waited for is in threads
                await asyncio.sleep(0.01)
            os.kill(pid, signal.SIGKILL)

        await asyncio.gather(kill(), *(asyncio.to_thread(ask_on, number) for number in range(4)))
        await engine.start()
        db, sqs = client(access, "dynamodb"), client(access, "sqs")
        there = {one["id"]["S"] for one in (await asked(db.scan, TableName=table.name))["Items"]}
        assert set(answered) <= there
        told: set[str] = set()
        while got := await asked(sqs.receive_message, QueueUrl=queue.url, MaxNumberOfMessages=10):
            if "Messages" not in got:
                break
            told |= {one["Body"] for one in got["Messages"]}
        assert set(answered) <= told
        assert len(told) <= len(answered) + 4
