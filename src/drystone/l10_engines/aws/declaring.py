"""Brings about what is declared: compares it with what is there, and asks for the difference.

What cannot change in place without losing what it holds is refused.
"""

from __future__ import annotations

import json
from typing import Any, assert_never

from drystone.l10_engines.aws.access import Made
from drystone.l10_engines.aws.calls import Calls
from drystone.l10_engines.aws.declarations import (
    Declaration,
    Function,
    Job,
    Key,
    Queue,
    Stream,
    Table,
    Topic,
)
from drystone.l10_engines.aws.errors import NotDeclarable

_MARK = "drystone:to"
"""The tag by which a topic remembers which subscriptions were declared, beside those that a service makes itself."""


_WAITING = "ApproximateNumberOfMessages"

_SETTLING = 30
"""Seconds beyond its timeout in which a call has been answered, or is given out again."""


async def bring_about(calls: Calls, name: str, wanted: Declaration) -> Made:
    """Make something be as it is declared. Idempotent.

    Args:
        calls: Asks the services.
        name: What it is called in its account.
        wanted: What it is to be.

    Raises:
        NotDeclarable: It is there as something that does not become this in place, or no such thing can be.
    """
    match wanted:
        case Queue():
            return await _queue(calls, name, wanted)
        case Topic():
            return await _topic(calls, name, wanted)
        case Table():
            return await _table(calls, name, wanted)
        case Stream():
            return await _stream(calls, name, wanted)
        case Key():
            return await _key(calls, name, wanted)
        case Function() | Job():
            return await _run_by_the_agent(calls, name, wanted)
        case _:
            assert_never(wanted)


async def remove(calls: Calls, name: str, was: Declaration) -> None:
    """Remove something and all that it holds. Idempotent.

    Args:
        calls: Asks the services.
        name: What it is called in its account.
        was: What it was declared to be.

    Raises:
        NotDeclarable: The service does not let it go.
    """
    match was:
        case Queue():
            await _remove_queue(calls, name, was)
        case Function():
            await _remove_queue(calls, calls_name(name), calls_of(was))
        case Job():
            pass
        case Topic():
            await calls.form(
                "sns", "DeleteTopic", {"TopicArn": calls.arn("sns", topic_name(name, was))}
            )
        case Table():
            await calls.asked("dynamodb", "DeleteTable", {"TableName": name}, absent="NotFound")
        case Stream():
            await calls.asked("kinesis", "DeleteStream", {"StreamName": name}, absent="NotFound")
        case Key():
            alias = key_name(name)
            found = await calls.asked("kms", "DescribeKey", {"KeyId": alias}, absent="NotFound")
            if found is not None:
                await calls.json("kms", "DeleteAlias", {"AliasName": alias})
                calls.drop_key(found["KeyMetadata"]["KeyId"])
        case _:
            assert_never(was)


async def _run_by_the_agent(calls: Calls, name: str, wanted: Function | Job) -> Made:
    if isinstance(wanted, Job):
        return Made(name=name, arn=calls.arn("batch", f"job-definition/{name}:1"))
    await _queue(calls, calls_name(name), calls_of(wanted))
    return Made(name=name, arn=calls.arn("lambda", f"function:{name}"))


async def _remove_queue(calls: Calls, name: str, was: Queue) -> None:
    for queue in (queue_name(name, was), letters_name(name, was)):
        url = await _queue_url(calls, queue)
        if url is not None:
            await calls.json("sqs", "DeleteQueue", {"QueueUrl": url})


async def waiting(calls: Calls, name: str, queue: Queue) -> int | None:
    """Return how many messages of a queue can be taken; None where it is not there.

    Args:
        calls: Asks the services.
        name: What it is called in its account.
        queue: What it was declared to be.

    Raises:
        NotDeclarable: The service does not tell.
    """
    url = await _queue_url(calls, queue_name(name, queue))
    if url is None:
        return None
    asked = {"QueueUrl": url, "AttributeNames": [_WAITING]}
    found = await calls.json("sqs", "GetQueueAttributes", asked)
    return int(found["Attributes"][_WAITING])


def queue_name(name: str, queue: Queue) -> str:
    """Return what a client calls a queue."""
    return f"{name}.fifo" if queue.fifo else name


def letters_name(name: str, queue: Queue) -> str:
    """Return what a client calls the queue of dead letters; no declared name has an underscore."""
    return queue_name(f"{name}_dead_letters", queue)


def calls_name(function: str) -> str:
    """Return what a client calls the queue of calls that nobody waits for; no declared name has an underscore."""
    return f"{function}_calls"


def calls_of(function: Function) -> Queue:
    """Return the queue of calls that nobody waits for: each is tried three times within six hours, as at AWS."""
    return Queue(
        fifo=False,
        visibility=function.timeout + _SETTLING,
        retain=6 * 3600,
        delay=0,
        attempts=3,
        dead_letter=True,
    )


def topic_name(name: str, topic: Topic) -> str:
    """Return what a client calls a topic."""
    return f"{name}.fifo" if topic.fifo else name


def key_name(name: str) -> str:
    """Return what a client calls a key."""
    return f"alias/{name}"


async def _queue_url(calls: Calls, name: str) -> str | None:
    found = await calls.asked("sqs", "GetQueueUrl", {"QueueName": name}, absent="DoesNotExist")
    return None if found is None else str(found["QueueUrl"])


async def _queue(calls: Calls, name: str, wanted: Queue) -> Made:
    attributes = {
        "VisibilityTimeout": str(wanted.visibility),
        "MessageRetentionPeriod": str(wanted.retain),
        "DelaySeconds": str(wanted.delay),
    }
    called, letters = queue_name(name, wanted), letters_name(name, wanted)
    if wanted.dead_letter:
        longest = {"MessageRetentionPeriod": "1209600"}
        await _set_queue(calls, letters, longest, fifo=wanted.fifo)
        policy = {
            "deadLetterTargetArn": calls.arn("sqs", letters),
            "maxReceiveCount": str(wanted.attempts),
        }
        attributes["RedrivePolicy"] = json.dumps(policy)
    else:
        attributes["RedrivePolicy"] = ""
    await _set_queue(calls, called, attributes, fifo=wanted.fifo)
    return Made(name=called, arn=calls.arn("sqs", called), url=f"/{calls.account}/{called}")


async def _set_queue(calls: Calls, name: str, attributes: dict[str, str], *, fifo: bool) -> None:
    url = await _queue_url(calls, name)
    if url is not None:
        await calls.json("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
        return
    made = {key: value for key, value in attributes.items() if value}
    if fifo:
        made |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    await calls.json("sqs", "CreateQueue", {"QueueName": name, "Attributes": made})


async def _topic(calls: Calls, name: str, wanted: Topic) -> Made:
    called = topic_name(name, wanted)
    arn = calls.arn("sns", called)
    form = {"Name": called}
    if wanted.fifo:
        form |= {
            "Attributes.entry.1.key": "FifoTopic",
            "Attributes.entry.1.value": "true",
            "Attributes.entry.2.key": "ContentBasedDeduplication",
            "Attributes.entry.2.value": "true",
        }
    await calls.form("sns", "CreateTopic", form)
    tags = await calls.form("sns", "ListTagsForResource", {"ResourceArn": arn})
    before = set(_between(tags, f"<Key>{_MARK}</Key><Value>", "</Value>").split())
    listed = await calls.form("sns", "ListSubscriptionsByTopic", {"TopicArn": arn})
    there = dict(_subscriptions(listed))
    for queue in sorted(set(wanted.to) | before):
        endpoint = calls.arn("sqs", queue)
        if queue in wanted.to and endpoint not in there:
            form = {"TopicArn": arn, "Protocol": "sqs", "Endpoint": endpoint}
            await calls.form("sns", "Subscribe", form)
        elif queue not in wanted.to and endpoint in there:
            await calls.form("sns", "Unsubscribe", {"SubscriptionArn": there[endpoint]})
    tag = {
        "ResourceArn": arn,
        "Tags.member.1.Key": _MARK,
        "Tags.member.1.Value": " ".join(wanted.to),
    }
    await calls.form("sns", "TagResource", tag)
    return Made(name=called, arn=arn)


def _between(text: str, before: str, after: str) -> str:
    _, found, rest = "".join(text.split("\n")).partition(before)
    return rest.partition(after)[0] if found else ""


def _subscriptions(listed: str) -> list[tuple[str, str]]:
    """Give endpoints and names of the subscriptions in an answer; neither holds what XML escapes."""
    return [
        (
            _between(part, "<Endpoint>", "</Endpoint>"),
            _between(part, "<SubscriptionArn>", "</SubscriptionArn>"),
        )
        for part in listed.split("<member>")[1:]
    ]


async def _table(calls: Calls, name: str, wanted: Table) -> Made:
    found = await calls.asked(
        "dynamodb", "DescribeTable", {"TableName": name}, absent="ResourceNotFound"
    )
    if found is None:
        found = await calls.json("dynamodb", "CreateTable", _new_table(name, wanted))
        there = found["TableDescription"]
    else:
        there = found["Table"]
        if there["KeySchema"] != _schema(wanted.key, wanted.sort):
            raise NotDeclarable(
                f"{name} has another key, and items are found by it; declare a table with another name, and move the items"
            )
        there = await _change_table(calls, name, wanted, there)
    ttl = await calls.json("dynamodb", "DescribeTimeToLive", {"TableName": name})
    now = ttl["TimeToLiveDescription"]
    attribute = now.get("AttributeName") if now["TimeToLiveStatus"] == "ENABLED" else None
    if attribute != wanted.ttl:
        for specification in (
            {"Enabled": False, "AttributeName": attribute},
            {"Enabled": True, "AttributeName": wanted.ttl},
        ):
            if specification["AttributeName"] is not None:
                data = {"TableName": name, "TimeToLiveSpecification": specification}
                await calls.json("dynamodb", "UpdateTimeToLive", data)
    return Made(
        name=name,
        arn=there["TableArn"],
        stream=there.get("LatestStreamArn", "") if wanted.stream else "",
    )


def _schema(key: str, sort: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": key, "KeyType": "HASH"}]
    return schema if sort is None else [*schema, {"AttributeName": sort, "KeyType": "RANGE"}]


def _attributes(wanted: Table) -> list[dict[str, str]]:
    named = {
        wanted.key,
        wanted.sort,
        *(part for index in wanted.indexes.values() for part in index),
    }
    return [{"AttributeName": one, "AttributeType": "S"} for one in sorted(filter(None, named))]


def _index(name: str, index: tuple[str, str | None]) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": _schema(*index),
        "Projection": {"ProjectionType": "ALL"},
    }


_VIEW = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def _new_table(name: str, wanted: Table) -> dict[str, Any]:
    data: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema(wanted.key, wanted.sort),
        "AttributeDefinitions": _attributes(wanted),
    }
    if wanted.indexes:
        data["GlobalSecondaryIndexes"] = [_index(*one) for one in sorted(wanted.indexes.items())]
    if wanted.stream:
        data["StreamSpecification"] = _VIEW
    return data


async def _change_table(
    calls: Calls, name: str, wanted: Table, there: dict[str, Any]
) -> dict[str, Any]:
    indexes = {
        one["IndexName"]: one["KeySchema"] for one in there.get("GlobalSecondaryIndexes") or ()
    }
    steps: list[dict[str, Any]] = []
    for index, schema in sorted(indexes.items()):
        if index not in wanted.indexes or schema != _schema(*wanted.indexes[index]):
            steps.append({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": index}}]})
    for index, keys in sorted(wanted.indexes.items()):
        if indexes.get(index) != _schema(*keys):
            steps.append(
                {
                    "AttributeDefinitions": _attributes(wanted),
                    "GlobalSecondaryIndexUpdates": [{"Create": _index(index, keys)}],
                }
            )
    is_streaming = bool((there.get("StreamSpecification") or {}).get("StreamEnabled"))
    if is_streaming != wanted.stream:
        steps.append({"StreamSpecification": _VIEW if wanted.stream else {"StreamEnabled": False}})
    for step in steps:
        changed = await calls.json("dynamodb", "UpdateTable", {"TableName": name, **step})
        there = changed["TableDescription"]
    return there


async def _stream(calls: Calls, name: str, wanted: Stream) -> Made:
    about = {"StreamName": name}
    found = await calls.asked("kinesis", "DescribeStreamSummary", about, absent="ResourceNotFound")
    if found is None:
        await calls.json("kinesis", "CreateStream", {**about, "ShardCount": wanted.shards})
        found = await calls.json("kinesis", "DescribeStreamSummary", about)
    now = found["StreamDescriptionSummary"]
    if now["OpenShardCount"] != wanted.shards:
        data = {**about, "TargetShardCount": wanted.shards, "ScalingType": "UNIFORM_SCALING"}
        await calls.json("kinesis", "UpdateShardCount", data)
    hours = now["RetentionPeriodHours"]
    if hours != wanted.retain:
        action = "Increase" if wanted.retain > hours else "Decrease"
        data = {**about, "RetentionPeriodHours": wanted.retain}
        await calls.json("kinesis", f"{action}StreamRetentionPeriod", data)
    return Made(name=name, arn=now["StreamARN"])


async def add_version(calls: Calls, name: str) -> bool:
    """Let a new version of a key that is declared encrypt from now on; tell whether there is such a key.

    Args:
        calls: Asks the services.
        name: What it is called in its account.
    """
    found = await calls.asked("kms", "DescribeKey", {"KeyId": key_name(name)}, absent="NotFound")
    if found is not None:
        calls.add_version(found["KeyMetadata"]["KeyId"])
    return found is not None


async def _key(calls: Calls, name: str, wanted: Key) -> Made:
    alias = key_name(name)
    found = await calls.asked("kms", "DescribeKey", {"KeyId": alias}, absent="NotFound")
    if found is None:
        found = await calls.json("kms", "CreateKey", {})
        key = found["KeyMetadata"]["KeyId"]
        await calls.json("kms", "CreateAlias", {"AliasName": alias, "TargetKeyId": key})
    calls.furnish_key(found["KeyMetadata"]["KeyId"], wanted)
    return Made(name=alias, arn=found["KeyMetadata"]["Arn"])
