"""The one place that knows ministack: which of its services are used, how they are called, and where they keep things.

Its front door (``ministack.app``) offers a hundred services, answers whoever knows an account's number, and has pages that
wipe everything. So its services are called directly, seven of them, after somebody else has seen who asks and for what.
They keep their state in dictionaries of their modules; :data:`COLLECTIONS` names those that are worth keeping.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from ministack.core.responses import (  # type: ignore[import-untyped]
    AccountRegionScopedDict,
    request_scope,
)

from drystone.l10_engines.aws.access import REGION

Answer: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@functools.cache
def _modules() -> dict[str, Any]:
    """Load the services; that of DynamoDB starts a thread, which lets items end."""
    from ministack.services import (  # type: ignore[import-untyped]  # noqa: PLC0415 - because of the thread
        dynamodb,
        dynamodb_streams,
        kinesis,
        kms,
        sns,
        sqs,
        sts,
    )

    return {
        "sqs": sqs,
        "sns": sns,
        "dynamodb": dynamodb,
        "dynamodbstreams": dynamodb_streams,
        "kinesis": kinesis,
        "kms": kms,
        "sts": sts,
    }


Shape: TypeAlias = Literal["whole", "messages", "shards", "items", "list"]
"""What a collection's entries are made of: ``whole`` are small, the others hold many parts."""


class Collection(msgspec.Struct, frozen=True):
    """A dictionary that a service keeps its state in.

    Attributes:
        service: Which service.
        state: What it calls the dictionary when it restores it; empty where it does not.
        attribute: What its module calls it.
        shape: What an entry is made of.
    """

    service: str
    state: str
    attribute: str
    shape: Shape = "whole"

    @property
    def name(self) -> str:
        """Service and dictionary in one name."""
        return f"{self.service}.{self.attribute.lstrip('_')}"


COLLECTIONS = (
    Collection("sqs", "queues", "_queues", "messages"),
    Collection("sns", "topics", "_topics"),
    Collection("sns", "sub_arn_to_topic", "_sub_arn_to_topic"),
    Collection("dynamodb", "tables", "_tables", "items"),
    Collection("dynamodb", "tags", "_tags"),
    Collection("dynamodb", "ttl_settings", "_ttl_settings"),
    Collection("dynamodb", "", "_stream_records", "list"),
    Collection("dynamodb", "", "_stream_trimmed"),
    Collection("dynamodb", "", "_closed_streams"),
    Collection("kinesis", "streams", "_streams", "shards"),
    Collection("kinesis", "shard_iterators", "_shard_iterators"),
    Collection("kms", "keys", "_keys"),
    Collection("kms", "aliases", "_aliases"),
    Collection("kms", "alias_dates", "_alias_dates"),
)

_REACHES = {
    "sns": ("sns", "sqs"),
    "dynamodb": ("dynamodb",),
    "dynamodbstreams": (),
    "sts": (),
}
"""Which services' state a request to one may change; its own alone when it is not named."""


async def call(
    service: str,
    *,
    account: str,
    region: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, list[str]],
) -> Answer:
    """Let a service answer one request.

    Args:
        service: Its name here.
        account: In whose name.
        region: In which region.
        path: Of the request; SQS finds a queue by it.
        headers: By their names in small letters.
        body: Of the request.
        query: Of the request.
    """
    handle: Callable[..., Awaitable[tuple[int, Any, Any]]] = _modules()[service].handle_request
    with request_scope(account, region):
        status, made, content = await handle("POST", path, dict(headers), body, dict(query))
    if not isinstance(content, bytes):
        content = str(content).encode()
    return status, {str(name): str(value) for name, value in made.items()}, content


def touched(service: str) -> tuple[Collection, ...]:
    """Name the collections that a request to a service may have changed."""
    services = _REACHES.get(service, (service,))
    return tuple(one for one in COLLECTIONS if one.service in services)


def entries(
    collection: Collection, account: str | None = None
) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Give the entries of a collection, of one account or of all, by account, region and key."""
    module = _modules()[collection.service]
    if collection.service == "kms":  # key material has another form when it is kept
        scoped = module.get_state()[collection.state]
    else:
        scoped = getattr(module, collection.attribute)
    for key, value in list(scoped._data.items()):  # noqa: SLF001 - the only way to see all accounts
        if account is None or key[0] == account:
            yield key, value


def restore(kept: Mapping[Collection, Mapping[tuple[str, str, str], Any]]) -> None:
    """Give the services what they had, before the first request.

    Args:
        kept: By collection the entries, as :func:`entries` gave them.
    """
    states: dict[str, dict[str, Any]] = {}
    for collection, found in kept.items():
        scoped = AccountRegionScopedDict()
        for (account, region, key), value in found.items():
            scoped.set_scoped(account, region, key, value)
        if collection.state:
            states.setdefault(collection.service, {})[collection.state] = scoped
        else:
            getattr(_modules()[collection.service], collection.attribute).update(scoped)
    for service, state in states.items():
        _modules()[service].load_persisted_state(state)
    _modules()["dynamodb"]._stream_seq_counter = max(  # noqa: SLF001 - it counts from nothing after a start
        (int(record["dynamodb"]["SequenceNumber"]) for record in _stream_records()), default=0
    )


def _stream_records() -> Iterator[Any]:
    for records in list(_modules()["dynamodb"]._stream_records._data.values()):  # noqa: SLF001
        yield from records


def forget(account: str) -> None:
    """Drop everything that an account has."""
    dictionaries = [(one.service, one.attribute) for one in COLLECTIONS]
    for service, attribute in (*dictionaries, ("sqs", "_queue_name_to_url")):
        scoped = getattr(_modules()[service], attribute)
        for key in [key for key in list(scoped._data) if key[0] == account]:  # noqa: SLF001
            scoped._data.pop(key, None)  # noqa: SLF001


def key_of(account: str, region: str, wanted: str) -> dict[str, Any] | None:
    """Return the record of a key by its id, alias or ARN, as KMS keeps it; None when the account has none such."""
    with request_scope(account, region):
        found: dict[str, Any] | None = _modules()["kms"]._resolve_key(wanted)  # noqa: SLF001
        return found


def account_of_key(region: str, key: str) -> str | None:
    """Return the number of the account that has a key, by its id; None when none has."""
    every = _modules()["kms"]._keys._data  # noqa: SLF001 - the only way to see all accounts
    return next((at[0] for at in list(every) if at[1:] == (region, key)), None)


def key_trouble(record: dict[str, Any]) -> Answer | None:
    """Return what KMS answers for a key that cannot be used now; None for one that can."""
    answer: Answer | None = _modules()["kms"]._check_key_state(record)  # noqa: SLF001
    return answer


def drop_key(account: str, region: str, key: str) -> None:
    """Remove a key at once, and what it encrypted with it."""
    _modules()["kms"]._keys.pop_scoped(account, region, key, None)  # noqa: SLF001


def put_key(account: str, collection: Collection, key: str, value: Any) -> None:
    """Put a key, or its alias, back as it was; it opens what it sealed, whatever number its account had then.

    Args:
        account: Number of the account now.
        collection: Of keys, or of aliases.
        key: Id of the key, or ARN of the alias.
        value: As :func:`entries` gave it.
    """
    module = _modules()["kms"]
    with request_scope(account, REGION):
        if collection.state == "keys":
            scoped = AccountRegionScopedDict()
            scoped.set_scoped(account, REGION, key, value)
            module.load_persisted_state({"keys": scoped})
        else:
            name = key.partition(":alias/")[2]
            arn = f"arn:aws:kms:{REGION}:{account}:alias/{name}"
            module._aliases.set_scoped(account, REGION, arn, value)  # noqa: SLF001
