"""Blocks that say what a service wants provisioned: forty types of resource."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import Count, Duration, Positive, Size
from drystone.l25_deployer.descriptor.references import Credential
from drystone.l25_deployer.descriptor.words import (
    AlarmLine,
    Ari,
    DataClass,
    Extension,
    Host,
    Identifier,
    Link,
    MajorVersion,
    Name,
    Origin,
    RelativePath,
    ServiceName,
    UrlPath,
    Words,
)

MEBI = 1024 * 1024
GIBI = 1024 * MEBI


class Backup(Block, frozen=True, kw_only=True):
    """Copies of the data, and the proof that they can be used."""

    every: Annotated[Duration, "time between two copies"] = timedelta(days=1)
    keep: Annotated[Duration, "how long a copy is kept"] = timedelta(days=35)
    point_in_time: Annotated[bool, "whether any moment can be gone back to"] = False
    copy_to: Annotated[tuple[Name, ...], "further regions that hold a copy"] = ()
    restore_test: Annotated[Duration, "time between two trials to restore a copy"] = timedelta(
        days=7
    )


class Resource(Block, frozen=True, kw_only=True):
    """What every resource has in common."""

    KEYS: ClassVar[tuple[str, ...]] = ()
    """What ``${resources.<name>.<key>}`` may ask for; each is also injected as ``<NAME>_<KEY>``."""

    TYPES_ALSO_CALLED: ClassVar[dict[str, str]] = {
        "postgresql": "postgres",
        "postgres-db": "postgres",
        "pg": "postgres",
        "database": "postgres",
        "db": "postgres",
        "sql": "postgres",
        "mysql": "postgres",
        "dedicated-rds": "postgres",
        "rds": "postgres",
        "redis": "cache",
        "redisx": "cache",
        "valkey": "cache",
        "memcached": "cache",
        "s3": "bucket",
        "objects": "bucket",
        "storage": "bucket",
        "sqs": "queue",
        "sns": "topic",
        "kinesis": "stream",
        "kafka": "stream",
        "dynamo-db": "keyvalue",
        "dynamodb": "keyvalue",
        "kv": "keyvalue",
        "elasticsearch": "search",
        "opensearch": "search",
        "lambda": "function",
        "kms": "encryption-key",
        "cryptor": "encryption-key",
        "globaledge": "edge-route",
        "disk": "volume",
        "directory": "volume",
        "iam": "role",
    }

    data: Annotated[tuple[DataClass, ...], "classes of the data it holds"] = ()
    shared_from: Annotated[
        Ari | None, "another service's resource to use in place of an own one"
    ] = None
    protect: Annotated[bool, "whether its removal must be confirmed by name"] = True
    alarms: Annotated[dict[Name, AlarmLine | None], "alarms on its metrics; null removes one"] = {}
    tags: Annotated[dict[Name, Words], "for the cost report and the like"] = {}

    @property
    def type_name(self) -> str:
        """The type as it stands in the descriptor."""
        return str(self.__struct_config__.tag)


class Postgres(Resource, frozen=True, kw_only=True, tag_field="type", tag="postgres"):
    """A PostgreSQL database with a role of its own."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host", "port", "name", "user", "password")

    version: Annotated[MajorVersion, "major version"] = "18"
    storage: Annotated[Size, "space on disk"] = 10 * GIBI
    size: Annotated[Literal["dev", "small", "medium", "large", "xlarge"], "size of the engine"] = (
        "small"
    )
    replicas: Annotated[Count, "copies that answer reads"] = 0
    connections: Annotated[Positive, "connections of the role at once"] = 50
    extensions: Annotated[tuple[Extension, ...], "extensions to create"] = ()
    settings: Annotated[dict[Identifier, Words], "settings of the engine"] = {}
    pool: Annotated[
        Literal["session", "transaction", "none"], "how a pooler shares connections"
    ] = "transaction"
    backup: Annotated[Backup, "copies of the data"] = Backup()


class Provisioned(Block, frozen=True, kw_only=True):
    """Capacity that is paid whether it is used or not."""

    read: Annotated[Positive, "reads a second"]
    write: Annotated[Positive, "writes a second"]


class Index(Block, frozen=True, kw_only=True):
    """A second way to find items."""

    SHORT: ClassVar[tuple[str, ...]] = ("key",)

    key: Annotated[Identifier, "attribute to find by"]
    sort: Annotated[Identifier | None, "attribute to sort by"] = None


class KeyValue(Resource, frozen=True, kw_only=True, tag_field="type", tag="keyvalue"):
    """A table of items that are found by a key."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "arn", "region", "endpoint")

    key: Annotated[Identifier, "attribute that identifies an item"]
    sort: Annotated[Identifier | None, "second part of the key"] = None
    ttl: Annotated[Identifier | None, "attribute that holds when an item ends"] = None
    indexes: Annotated[dict[Name, Index], "further ways to find items"] = {}
    capacity: Annotated[Literal["on-demand"] | Provisioned, "how capacity is paid"] = "on-demand"
    stream: Annotated[bool, "whether changes are published"] = False
    replicate_to: Annotated[tuple[Name, ...], "further regions"] = ()
    backup: Annotated[Backup, "copies of the data"] = Backup()


class Bucket(Resource, frozen=True, kw_only=True, tag_field="type", tag="bucket"):
    """A bucket of objects with a key of its own (S3)."""

    KEYS: ClassVar[tuple[str, ...]] = (
        "name",
        "endpoint",
        "access_key",
        "secret_key",
        "region",
        "url",
    )

    versioned: Annotated[bool, "whether earlier versions of an object are kept"] = True
    expire: Annotated[Duration | None, "how long objects live"] = None
    public: Annotated[bool, "whether anybody may read"] = False
    cors: Annotated[tuple[Origin, ...], "origins whose pages may read"] = ()
    backup: Annotated[Backup | None, "copies of the data"] = None


class Cache(Resource, frozen=True, kw_only=True, tag_field="type", tag="cache"):
    """A cache in memory."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host", "port", "password")

    engine: Annotated[Literal["redis", "memcached"], "protocol"] = "redis"
    memory: Annotated[Size, "most memory"] = 256 * MEBI
    eviction: Annotated[
        Literal[
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "noeviction",
        ],
        "what is dropped when memory is full",
    ] = "allkeys-lru"
    replicas: Annotated[Count, "copies"] = 0

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.memory < MEBI:
            yield Rule("memory", "a cache needs at least 1Mi", "write for example 64Mi")


class Queue(Resource, frozen=True, kw_only=True, tag_field="type", tag="queue"):
    """A queue of messages."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "name", "arn", "region")
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "retries": "attempts",
        "retention": "retain",
        "timeout": "visibility",
        "dlq": "dead_letter",
    }

    fifo: Annotated[bool, "whether order is kept"] = False
    visibility: Annotated[Duration, "time to work on a message before it is given out again"] = (
        timedelta(seconds=30)
    )
    retain: Annotated[Duration, "how long a message waits"] = timedelta(days=4)
    attempts: Annotated[Positive, "how often a message is given out"] = 5
    dead_letter: Annotated[bool, "whether messages that failed are kept"] = True
    delay: Annotated[Duration | None, "time before a message can be taken"] = None

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.visibility > timedelta(hours=12):
            yield Rule("visibility", "a message can be worked on for 12h at most", "write 12h")
        if not timedelta(minutes=1) <= self.retain <= timedelta(days=14):
            yield Rule("retain", "a message waits 1m to 14d", "write for example 4d")
        if (self.delay or timedelta()) > timedelta(minutes=15):
            yield Rule("delay", "a message can be held back for 15m at most", "write 15m")
        if self.attempts > 1000:
            yield Rule("attempts", "a message is given out 1000 times at most", "write 1000")


class Topic(Resource, frozen=True, kw_only=True, tag_field="type", tag="topic"):
    """A topic that passes messages on to queues."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "arn", "region")

    fifo: Annotated[bool, "whether order is kept"] = False
    to: Annotated[tuple[Name, ...], "queues of this service that receive"] = ()


class Stream(Resource, frozen=True, kw_only=True, tag_field="type", tag="stream"):
    """A log of records that many may read."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "arn", "region")

    shards: Annotated[Positive, "parts that are read in parallel"] = 1
    retain: Annotated[Duration, "how long records are kept"] = timedelta(days=1)

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not timedelta(days=1) <= self.retain <= timedelta(days=365):
            yield Rule("retain", "records are kept 1d to 365d", "write for example 7d")
        if self.shards > 500:
            yield Rule("shards", "a stream has 500 shards at most", "write 500")


class Search(Resource, frozen=True, kw_only=True, tag_field="type", tag="search"):
    """A search engine."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host", "port", "user", "password")

    storage: Annotated[Size, "space on disk"] = 10 * GIBI
    nodes: Annotated[Positive, "machines"] = 1
    mappings: Annotated[dict[Identifier, Any], "fields of the documents"] = {}
    backup: Annotated[Backup, "copies of the data"] = Backup()


class Function(Resource, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that runs when something happens."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "region")

    runtime: Annotated[Literal["python", "javascript", "typescript"], "language"]
    handler: Annotated[Identifier, "what is called"]
    artifact: Annotated[RelativePath | None, "folder or archive of the code"] = None
    timeout: Annotated[Duration, "time for one call"] = timedelta(seconds=30)
    memory: Annotated[Size, "memory of one call"] = 256 * MEBI
    concurrency: Annotated[Positive | None, "calls at once"] = None
    on: Annotated[dict[Name, Any], "what calls it"] = {}


class EncryptionKey(Resource, frozen=True, kw_only=True, tag_field="type", tag="encryption-key"):
    """A key that never leaves the platform."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "arn")

    encrypt: Annotated[tuple[ServiceName, ...], "further services that may encrypt"] = ()
    decrypt: Annotated[tuple[ServiceName, ...], "further services that may decrypt"] = ()
    rotate: Annotated[Duration, "age at which a new version replaces it"] = timedelta(days=365)
    regions: Annotated[tuple[Name, ...], "regions in which it works"] = ()


class AsapKey(Resource, frozen=True, kw_only=True, tag_field="type", tag="asap-key"):
    """A key to sign calls to other services."""

    KEYS: ClassVar[tuple[str, ...]] = ("id", "issuer", "audience", "private_key")

    audience: Annotated[tuple[ServiceName, ...], "services that it may call"] = ()
    rotate: Annotated[Duration, "age at which another replaces it"] = timedelta(days=90)


class EdgeRoute(Resource, frozen=True, kw_only=True, tag_field="type", tag="edge-route"):
    """A way in for people outside."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host")

    hosts: Annotated[tuple[Host, ...], "names that lead here"]
    allow: Annotated[tuple[Name, ...], "networks that may come in"] = ("public",)
    deny: Annotated[tuple[Name, ...], "networks that may not"] = ()
    paths: Annotated[tuple[UrlPath, ...], "paths that lead here"] = ("/",)
    waf: Annotated[bool, "whether attacks are filtered"] = True
    tls: Annotated[bool, "whether the way is encrypted"] = True

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.hosts:
            yield Rule("hosts", "no host leads here", "write for example [orders.example.com]")


class Secret(Resource, frozen=True, kw_only=True, tag_field="type", tag="secret"):
    """A secret that the platform makes up."""

    KEYS: ClassVar[tuple[str, ...]] = ("value",)

    generate: Annotated[Literal["password", "rsa", "ed25519", "hex32"], "what is made"] = "password"
    rotate: Annotated[Duration | None, "age at which another replaces it"] = None


class CloudFormation(Resource, frozen=True, kw_only=True, tag_field="type", tag="cloudformation"):
    """A template of one's own, on AWS."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "outputs")

    template: Annotated[RelativePath, "file of the template"]
    parameters: Annotated[dict[Identifier, Any], "its parameters"] = {}


class External(Resource, frozen=True, kw_only=True, tag_field="type", tag="external"):
    """Something that exists elsewhere."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "credentials")

    url: Annotated[Link, "where it is"]
    credentials: Annotated[Credential | None, "what opens it, such as ${secrets.PARTNER}"] = None


class Volume(Resource, frozen=True, kw_only=True, tag_field="type", tag="volume"):
    """A directory that outlives releases."""

    KEYS: ClassVar[tuple[str, ...]] = ("path",)

    storage: Annotated[Size, "space on disk"] = GIBI
    backup: Annotated[Backup | None, "copies of the data"] = None


class Later(Resource, frozen=True, kw_only=True):
    """A type whose parameters are checked by the part of the platform that provides it."""

    KEYS: ClassVar[tuple[str, ...]] = ("id", "name", "url")
    TYPES: ClassVar[tuple[str, ...]] = (
        "workflow",
        "batch-job",
        "dataset",
        "vector-index",
        "certificate",
        "role",
        "oidc-client",
        "policy",
        "domain",
        "graphql-subgraph",
        "egress-ip",
        "config-namespace",
        "flag-set",
        "email-sender",
        "notification-template",
        "media-collection",
        "search-index",
        "tenant-binding",
        "monitor",
        "error-project",
        "dashboard",
        "log-archive",
        "realtime-channel",
        "static-site",
    )

    type: Annotated[Name, "which type"]
    params: Annotated[dict[Identifier, Any], "what the type asks for"] = {}

    @property
    @override
    def type_name(self) -> str:
        return self.type


AnyResource: TypeAlias = (
    Postgres
    | KeyValue
    | Bucket
    | Cache
    | Queue
    | Topic
    | Stream
    | Search
    | Function
    | EncryptionKey
    | AsapKey
    | EdgeRoute
    | Secret
    | CloudFormation
    | External
    | Volume
    | Later
)
