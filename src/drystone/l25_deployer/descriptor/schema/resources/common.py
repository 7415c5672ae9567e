"""What resources of every type have in common."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.quantities import Duration
from drystone.l25_deployer.descriptor.words import AlarmLine, Ari, DataClass, Name, Words

MEBI = 1024 * 1024
GIBI = 1024 * MEBI


class Backup(Block, frozen=True, kw_only=True):
    """Copies of the data, and the proof that they can be used."""

    every: Annotated[Duration, "time between two copies"] = timedelta(days=1)
    keep: Annotated[Duration, "how long a copy is kept"] = timedelta(days=35)
    point_in_time: Annotated[bool, "whether any moment can be gone back to"] = False
    copy_to: Annotated[
        tuple[Name, ...], "further places that hold a copy, by their names in the settings"
    ] = ()
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
