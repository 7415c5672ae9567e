"""What functions are given of queues, streams and clocks, in the forms of Lambda, and what they answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drystone.l10_engines.aws.access import REGION
from drystone.l25_deployer.local.functions.worker import Answer


def of_messages(messages: Sequence[dict[str, Any]], arn: str) -> bytes:
    """Write the event of messages, as SQS gave them.

    Args:
        messages: What ``ReceiveMessage`` answered.
        arn: Of the queue.
    """
    return json.dumps({"Records": [_record(one, arn) for one in messages]}).encode()


def _record(message: dict[str, Any], arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    found = {"dataType": value.get("DataType", "String")}
    for theirs, ours in (("StringValue", "stringValue"), ("BinaryValue", "binaryValue")):
        if theirs in value:
            found[ours] = value[theirs]
    return {**found, "stringListValues": [], "binaryListValues": []}


def of_records(records: Sequence[dict[str, Any]], arn: str, shard: str) -> bytes:
    """Write the event of records, as Kinesis gave them.

    Args:
        records: What ``GetRecords`` answered.
        arn: Of the stream.
        shard: Which part of it.
    """
    made = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": one.get("PartitionKey", ""),
                "sequenceNumber": one["SequenceNumber"],
                "data": one.get("Data", ""),
                "approximateArrivalTimestamp": one.get("ApproximateArrivalTimestamp", 0),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{one['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "",
            "awsRegion": REGION,
            "eventSourceARN": arn,
        }
        for one in records
    ]
    return json.dumps({"Records": made}).encode()


def of_clock(at: datetime, *, account: str, rule: str, name: str) -> bytes:
    """Write the event of a moment.

    Args:
        at: When.
        account: In whose account.
        rule: What the descriptor calls it.
        name: Of the event.
    """
    return json.dumps(
        {
            "version": "0",
            "id": name,
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{account}:rule/{rule}"],
            "detail": {},
        }
    ).encode()


def failed(answer: Answer, given: Sequence[str]) -> set[str]:
    """Say which of the things that a function was given have failed.

    A function fails as a whole, or names some by ``batchItemFailures``. As at Lambda, one that names what it was not given,
    or says something that is no such list, has failed as a whole.

    Args:
        answer: Its answer.
        given: Names of what it was given.
    """
    every = set(given)
    if answer.is_failure:
        return every
    said = json.loads(answer.payload)
    listed = said.get("batchItemFailures") if isinstance(said, dict) else None
    if not listed:
        return set()
    try:
        named = {str(one["itemIdentifier"]) for one in listed}
    except (TypeError, KeyError):
        return every
    return named if every.issuperset(named) else every
