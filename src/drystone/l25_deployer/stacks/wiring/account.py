"""Resources that are reached by the protocols of AWS. All of a service in one environment lie in one account, with one key."""

from __future__ import annotations

from drystone.l25_deployer.descriptor.schema import resources
from drystone.l25_deployer.stacks import provided
from drystone.l25_deployer.stacks.wiring.shape import (
    NOW,
    Context,
    Realised,
    ResourceType,
    Wired,
    backed_up,
    planned,
    seconds,
)

SHARED = {
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ACCESS_KEY_ID": "access_key",
    "AWS_SECRET_ACCESS_KEY": "secret_key",
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "region",
}
"""By what clients of AWS find the account without a line of configuration; boto3 reads the last, others the one before."""

TAKEN_TOGETHER = frozenset(
    (
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
    )
)
"""A service that sets one of these itself means another account: half of each would lead nowhere, or keys astray."""


def _queue(_name: str, resource: resources.Queue, _context: Context) -> Wired:
    entry = provided.Queue(
        fifo=resource.fifo,
        visibility=seconds(resource.visibility),
        retain=seconds(resource.retain),
        delay=seconds(resource.delay),
        attempts=resource.attempts,
        dead_letter=resource.dead_letter,
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS, SHARED)


def _topic(_name: str, resource: resources.Topic, context: Context) -> Wired:
    to = tuple(
        f"{name}.fifo" if getattr(context.resources.get(name), "fifo", False) else name
        for name in sorted(set(resource.to))
    )
    entry = provided.Topic(fifo=resource.fifo, to=to, protect=resource.protect)
    return Wired(entry, resource.KEYS, SHARED)


def _keyvalue(_name: str, resource: resources.KeyValue, _context: Context) -> Wired:
    entry = provided.KeyValue(
        key=resource.key,
        sort=resource.sort,
        ttl=resource.ttl,
        indexes={
            name: provided.Index(key=index.key, sort=index.sort)
            for name, index in sorted(resource.indexes.items())
        },
        stream=resource.stream,
        protect=resource.protect,
        backup=planned(resource.backup),
    )
    return Wired(entry, resource.KEYS, SHARED)


def _stream(_name: str, resource: resources.Stream, _context: Context) -> Wired:
    entry = provided.Stream(
        shards=resource.shards,
        retain=-(-seconds(resource.retain) // 3600),
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS, SHARED)


def _encryption_key(_name: str, resource: resources.EncryptionKey, context: Context) -> Wired:
    def owners(services: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{context.environment}.{service}" for service in sorted(set(services)))

    entry = provided.EncryptionKey(
        protect=resource.protect,
        rotate=resource.rotate,
        encrypt=owners(resource.encrypt),
        decrypt=owners(resource.decrypt),
    )
    return Wired(entry, resource.KEYS, SHARED)


QUEUE = ResourceType(
    resources.Queue,
    _queue,
    Realised(
        local="a queue by the protocol of SQS, and one for dead letters, in an account of the service's own",
        aws="SQS",
        kubernetes="the same stand-in, as one Deployment",
    ),
    dict.fromkeys(("fifo", "visibility", "retain", "attempts", "dead_letter", "delay"), NOW),
)

TOPIC = ResourceType(
    resources.Topic,
    _topic,
    Realised(
        local="a topic by the protocol of SNS, which passes messages on to queues alone",
        aws="SNS",
        kubernetes="the same stand-in, as one Deployment",
    ),
    dict.fromkeys(("fifo", "to"), NOW),
)

KEYVALUE = ResourceType(
    resources.KeyValue,
    _keyvalue,
    Realised(
        local="a table by the protocol of DynamoDB; attributes that it is found by are texts",
        aws="DynamoDB",
        kubernetes="the same stand-in, as one Deployment",
    ),
    {
        **dict.fromkeys(("key", "sort", "ttl", "stream"), NOW),
        **dict.fromkeys(("indexes", "indexes.*", "indexes.*.key", "indexes.*.sort"), NOW),
        "capacity": "capacity is not limited here",
        "replicate_to": "this machine is the only region",
        **backed_up("only databases can go back to any moment"),
    },
)

STREAM = ResourceType(
    resources.Stream,
    _stream,
    Realised(
        local="a stream by the protocol of Kinesis",
        aws="Kinesis Data Streams",
        kubernetes="the same stand-in, as one Deployment",
    ),
    dict.fromkeys(("shards", "retain"), NOW),
)

ENCRYPTION_KEY = ResourceType(
    resources.EncryptionKey,
    _encryption_key,
    Realised(
        local="a key by the protocol of KMS, which encrypts with AES-256-GCM",
        aws="KMS",
        kubernetes="the same stand-in, as one Deployment",
    ),
    {
        **dict.fromkeys(("encrypt", "decrypt", "rotate"), NOW),
        "regions": "this machine is the only region",
    },
)
