"""Resources that hold data: databases, tables, buckets, caches, search, volumes."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import Count, Duration, Positive, Size
from drystone.l25_deployer.descriptor.schema.resources.common import GIBI, MEBI, Backup, Resource
from drystone.l25_deployer.descriptor.words import (
    Extension,
    Identifier,
    MajorVersion,
    Name,
    Origin,
    Words,
)


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
    backup: Annotated[Backup | None, "copies of the data"] = None

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.memory < MEBI:
            yield Rule("memory", "a cache needs at least 1Mi", "write for example 64Mi")


class Search(Resource, frozen=True, kw_only=True, tag_field="type", tag="search"):
    """A search engine."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host", "port", "user", "password")

    storage: Annotated[Size, "space on disk"] = 10 * GIBI
    nodes: Annotated[Positive, "machines"] = 1
    mappings: Annotated[
        dict[Identifier, Any], "by name of an index, its fields with their types, or its mapping"
    ] = {}
    backup: Annotated[Backup, "copies of the data"] = Backup()

    @override
    def mistakes(self) -> Iterator[Rule]:
        for name, said in self.mappings.items():
            if name != name.lower() or name.startswith("_"):
                yield Rule("mappings", f"'{name}' is no name of an index", "write small letters")
            if not isinstance(said, dict):
                yield Rule(
                    "mappings",
                    f"'{name}' has no fields",
                    f"write for example {name}: {{title: text, tags: keyword}}",
                )
        if self.storage < 16 * MEBI:
            yield Rule("storage", "a search needs at least 16Mi", "write for example 1Gi")


class Volume(Resource, frozen=True, kw_only=True, tag_field="type", tag="volume"):
    """A directory that outlives releases."""

    KEYS: ClassVar[tuple[str, ...]] = ("path",)

    storage: Annotated[Size, "space on disk"] = GIBI
    backup: Annotated[Backup | None, "copies of the data"] = None
