"""Keeps a request within the account of the one who signed it. Pure.

The simulator believes every account's number in a name. So before it is asked, each name in a request is looked at: one that holds
the number of another account is refused, wherever it stands but for what a client only stores (:data:`_CONTENT`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from drystone.l10_engines.aws.signature import Refused

_OWNER = re.compile(
    r"arn:[a-z0-9-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12})|https?://[^/\s]*/(\d{12})(?=/|$)|^/?(\d{12})/",
    re.IGNORECASE,
)
"""Where a name says whose it is: an ARN, a URL of a queue, or the end of one."""

_ACCOUNT = re.compile(r"account", re.IGNORECASE)
_CONTENT = frozenset(
    (
        "MessageBody",
        "Message",
        "Subject",
        "Data",
        "Item",
        "Items",
        "Plaintext",
        "CiphertextBlob",
        "ExpressionAttributeValues",
        "Expected",
        "MessageAttributes",
        "MessageSystemAttributes",
        "EncryptionContext",
        "ExplicitHashKey",
        "PartitionKey",
        "Parameters",
        "Key",
        "Keys",
        "ExclusiveStartKey",
        "AttributeUpdates",
        "Tags",
        "tags",
        "Description",
    )
)
"""What is kept as it is, and names nothing here."""


def check(service: str, action: str, data: Mapping[str, Any], account: str) -> None:
    """Return if a request stays within an account.

    Args:
        service: Which one it is meant for.
        action: What is asked of it.
        data: What it says.
        account: Of the one who signed it.

    Raises:
        Refused: It names what is another's, or leads away from here.
    """
    for text in _names(data):
        if _owners(text) - {account}:
            raise Refused(
                "AccessDeniedException",
                f"{text[:200]!r} is not of this account ({account}); a service reaches what is its own",
            )
    if service == "sns" and action == "Subscribe" and data.get("Protocol") != "sqs":
        raise Refused(
            "InvalidParameterException",
            "here a topic passes messages on to queues alone; subscribe with the protocol 'sqs'",
        )
    if service == "sns" and "PhoneNumber" in data:
        raise Refused("InvalidParameterException", "here nobody is called; publish to a topic")
    if service == "dynamodbstreams" and action == "GetRecords":
        _check_iterator(str(data.get("ShardIterator", "")), account)


def _owners(text: str) -> set[str]:
    """Give the numbers of the accounts that a text names."""
    return {number for found in _OWNER.findall(text) for number in found if number}


def _names(value: Any) -> Iterator[str]:
    """Give every text of a request that may name something."""
    match value:
        case str():
            yield value
        case dict():
            for key, below in value.items():
                if not _CONTENT.isdisjoint(key.split(".")):
                    continue
                yield key
                if isinstance(below, str) and _ACCOUNT.search(key):
                    yield f"{below}/"
                yield from _names(below)
        case list():
            for below in value:
                yield from _names(below)
        case _:
            pass


def _check_iterator(iterator: str, account: str) -> None:
    """Iterators of a table's stream say whose it is, and are not signed."""
    try:
        content = json.loads(base64.urlsafe_b64decode(iterator.encode("ascii")))
        owners = _owners(str(content.get("arn", ""))) | {content["a"]}
    except (ValueError, KeyError, AttributeError, RecursionError) as e:
        raise Refused(
            "ValidationException", "the shard iterator is not one of a table's stream"
        ) from e
    if owners != {account}:
        raise Refused(
            "AccessDeniedException", f"the shard iterator is not of this account ({account})"
        )
