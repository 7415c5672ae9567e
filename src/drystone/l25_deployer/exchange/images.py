"""Images that everybody knows, and the resources that take their place."""

# ruff: noqa: S106  (what is called password here is the name of a variable)

from __future__ import annotations

import re
from typing import Any

import msgspec


class Known(msgspec.Struct, frozen=True):
    """A resource in place of a container.

    Attributes:
        type: Of the resource.
        port: On which the container listens.
        keys: Further keys of the resource.
        user: Variable of the container with the user's name, and what it is when that is not there.
        password: Variable with the password.
        database: Variable with the database's name.
    """

    type: str
    port: int
    keys: dict[str, Any] = {}
    user: tuple[str, str] = ("", "")
    password: str = ""
    database: str = ""


POSTGRES = Known(
    "postgres",
    5432,
    user=("POSTGRES_USER", "postgres"),
    password="POSTGRES_PASSWORD",
    database="POSTGRES_DB",
)
BITNAMI_POSTGRES = Known(
    "postgres",
    5432,
    user=("POSTGRESQL_USERNAME", "postgres"),
    password="POSTGRESQL_PASSWORD",
    database="POSTGRESQL_DATABASE",
)
REDIS = Known("cache", 6379, password="REDIS_PASSWORD")
MEMCACHED = Known("cache", 11211, {"engine": "memcached"})
BUCKET = Known(
    "bucket",
    9000,
    user=("MINIO_ROOT_USER", "minioadmin"),
    password="MINIO_ROOT_PASSWORD",
)
SEARCH = Known("search", 9200, password="ELASTIC_PASSWORD")

KNOWN = {
    "postgres": POSTGRES,
    "postgis/postgis": POSTGRES,
    "timescale/timescaledb": POSTGRES,
    "pgvector/pgvector": POSTGRES,
    "bitnami/postgresql": BITNAMI_POSTGRES,
    "redis": REDIS,
    "redis/redis-stack": REDIS,
    "redis/redis-stack-server": REDIS,
    "redislabs/redismod": REDIS,
    "bitnami/redis": REDIS,
    "valkey/valkey": REDIS,
    "bitnami/valkey": REDIS,
    "memcached": MEMCACHED,
    "bitnami/memcached": MEMCACHED,
    "minio/minio": BUCKET,
    "bitnami/minio": BUCKET,
    "chrislusf/seaweedfs": BUCKET,
    "elasticsearch": SEARCH,
    "elasticsearch/elasticsearch": SEARCH,
    "opensearchproject/opensearch": SEARCH,
}

UNPROVIDED = {
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "bitnami/mariadb": "MariaDB",
    "mongo": "MongoDB",
    "rabbitmq": "RabbitMQ",
    "nats": "NATS",
    "confluentinc/cp-kafka": "Kafka",
    "bitnami/kafka": "Kafka",
    "zookeeper": "ZooKeeper",
    "mcr.microsoft.com/mssql/server": "SQL Server",
    "mcr.microsoft.com/azure-sql-edge": "SQL Server",
}
"""Stores that speak no HTTP, which no resource replaces."""

_REGISTRY = re.compile(
    r"^(?:docker\.io/|index\.docker\.io/|docker\.elastic\.co/|quay\.io/)?(?:library/)?"
)


def repository(image: str) -> str:
    """Return the name of an image without registry, tag and digest."""
    folders, slash, name = image.partition("@")[0].lower().rpartition("/")
    return _REGISTRY.sub("", f"{folders}{slash}{name.partition(':')[0]}", count=1)


def major(image: str) -> str:
    """Return the major version that a tag begins with; empty when it begins with none."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = re.match(r"v?(\d{1,3})(?=$|[.-])", tag)
    return found[1] if found else ""
