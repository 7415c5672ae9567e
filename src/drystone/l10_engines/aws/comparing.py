"""What is really there of a queue or a table, compared with its declaration. Asks, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from drystone.l10_engines.aws.declarations import Declaration, Queue, Table
from drystone.l10_engines.aws.declaring import letters_name, queue_name
from drystone.l10_engines.aws.errors import NotDeclarable

Ask: TypeAlias = Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Asks a service: its name, the action, about what."""

Found: TypeAlias = dict[str, tuple[str | None, str | None]]
"""What should be and what is, by what it is called; None for nothing."""

_ABSENT = ("NonExistent", "DoesNotExist", "NotFound")


async def differences(ask: Ask, name: str, wanted: Declaration) -> Found | None:
    """Return in what something is not as it was declared; None where nobody can tell.

    Args:
        ask: Asks the services, in the name of the account.
        name: What it is called there.
        wanted: What it was declared to be.

    Raises:
        NotDeclarable: A service refuses to tell.
    """
    match wanted:
        case Queue():
            return await _of_queue(ask, name, wanted)
        case Table():
            return await _of_table(ask, name, wanted)
        case _:
            return None


async def _of_queue(ask: Ask, name: str, wanted: Queue) -> Found:
    called = queue_name(name, wanted)
    there = await _attributes(ask, called)
    if there is None:
        return {"queue": (called, None)}
    should = {
        "VisibilityTimeout": ("visibility", wanted.visibility),
        "MessageRetentionPeriod": ("retain", wanted.retain),
        "DelaySeconds": ("delay", wanted.delay),
    }
    told: Found = {
        field: (str(value), there.get(attribute))
        for attribute, (field, value) in should.items()
        if there.get(attribute) != str(value)
    }
    redrive = json.loads(there.get("RedrivePolicy") or "{}")
    letters = letters_name(name, wanted)
    attempts = redrive.get("maxReceiveCount")
    goes = str(redrive.get("deadLetterTargetArn", "")).rpartition(":")[2] or None
    if goes != (letters if wanted.dead_letter else None):
        told["dead_letter"] = (letters if wanted.dead_letter else None, goes)
    elif wanted.dead_letter and str(attempts) != str(wanted.attempts):
        told["attempts"] = (str(wanted.attempts), str(attempts))
    if wanted.dead_letter and await _attributes(ask, letters) is None:
        told["dead_letter.queue"] = (letters, None)
    return told


async def _attributes(ask: Ask, queue: str) -> dict[str, str] | None:
    found = await _unless_absent(ask, "sqs", "GetQueueUrl", {"QueueName": queue})
    if found is None:
        return None
    about = {"QueueUrl": found["QueueUrl"], "AttributeNames": ["All"]}
    told = await _unless_absent(ask, "sqs", "GetQueueAttributes", about)
    return None if told is None else dict(told.get("Attributes") or {})


async def _of_table(ask: Ask, name: str, wanted: Table) -> Found:
    about = {"TableName": name}
    found = await _unless_absent(ask, "dynamodb", "DescribeTable", about)
    if found is None:
        return {"table": (name, None)}
    there = found["Table"]
    told: Found = {}
    key = _key(there["KeySchema"])
    if key != (wanted.key, wanted.sort):
        told["key"] = (_spoken((wanted.key, wanted.sort)), _spoken(key))
    indexes = {
        one["IndexName"]: _key(one["KeySchema"])
        for one in there.get("GlobalSecondaryIndexes") or ()
    }
    for index in sorted(indexes.keys() | wanted.indexes.keys()):
        should, is_ = wanted.indexes.get(index), indexes.get(index)
        if should != is_:
            told[f"indexes.{index}"] = (_spoken(should), _spoken(is_))
    is_streaming = bool((there.get("StreamSpecification") or {}).get("StreamEnabled"))
    if is_streaming != wanted.stream:
        told["stream"] = (str(wanted.stream).lower(), str(is_streaming).lower())
    said = (await ask("dynamodb", "DescribeTimeToLive", about))["TimeToLiveDescription"]
    ttl = said.get("AttributeName") if said["TimeToLiveStatus"] == "ENABLED" else None
    if ttl != wanted.ttl:
        told["ttl"] = (wanted.ttl, ttl)
    return told


def _key(schema: list[dict[str, str]]) -> tuple[str, str | None]:
    names = [one["AttributeName"] for one in schema]
    return names[0], names[1] if len(names) > 1 else None


def _spoken(key: tuple[str, str | None] | None) -> str | None:
    return None if key is None else ", ".join(filter(None, key))


async def _unless_absent(
    ask: Ask, service: str, action: str, data: dict[str, Any]
) -> dict[str, Any] | None:
    try:
        return await ask(service, action, data)
    except NotDeclarable as e:
        if any(word in f"{e.details.get('code', '')} {e.message}" for word in _ABSENT):
            return None
        raise
