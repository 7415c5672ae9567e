"""Resources that have an engine of their own kind: databases, buckets, caches, volumes; and secrets, which are files."""

from __future__ import annotations

from typing import Any

from drystone.l25_deployer.descriptor.schema import resources
from drystone.l25_deployer.stacks import model, provided
from drystone.l25_deployer.stacks.wiring.shape import (
    NOW,
    Context,
    Realised,
    ResourceType,
    Wired,
    backed_up,
    planned,
)


def _postgres(_name: str, resource: resources.Postgres, _context: Context) -> Wired:
    entry = model.Postgres(
        version=resource.version,
        connections=resource.connections,
        extensions=resource.extensions,
        protect=resource.protect,
        backup=planned(resource.backup),
    )
    return Wired(entry, resource.KEYS)


def _bucket(_name: str, resource: resources.Bucket, _context: Context) -> Wired:
    entry = model.Bucket(protect=resource.protect, backup=planned(resource.backup))
    return Wired(entry, resource.KEYS)


def _cache(_name: str, resource: resources.Cache, _context: Context) -> Wired | None:
    if resource.engine != "redis":
        return None
    entry = model.Cache(
        memory=resource.memory,
        eviction=resource.eviction,
        protect=resource.protect,
        backup=planned(resource.backup),
    )
    return Wired(entry, resource.KEYS)


def _search(_name: str, resource: resources.Search, _context: Context) -> Wired:
    entry = provided.Search(
        storage=resource.storage,
        indices={name: _mapping(said) for name, said in sorted(resource.mappings.items())},
        protect=resource.protect,
        backup=planned(resource.backup),
    )
    return Wired(entry, resource.KEYS)


def _mapping(said: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping as OpenSearch has it; what has no ``properties`` is fields with their types."""
    if "properties" in said:
        return said
    fields = {name: {"type": one} if isinstance(one, str) else one for name, one in said.items()}
    return {"properties": fields}


def _volume(_name: str, resource: resources.Volume, _context: Context) -> Wired:
    entry = model.Volume(protect=resource.protect, backup=planned(resource.backup))
    return Wired(entry, resource.KEYS)


def _secret(_name: str, resource: resources.Secret, _context: Context) -> Wired:
    entry = provided.Secret(
        generate=resource.generate, protect=resource.protect, rotate=resource.rotate
    )
    return Wired(entry, resource.KEYS)


POSTGRES = ResourceType(
    resources.Postgres,
    _postgres,
    Realised(
        local="a database and a role on the PostgreSQL of this home",
        aws="RDS for PostgreSQL",
        kubernetes="a cluster of CloudNativePG",
    ),
    {
        "version": NOW,
        "connections": NOW,
        "extensions": NOW,
        "storage": "space is not limited yet",
        "size": "the engine of this machine serves every size",
        "replicas": "there is one copy on this machine",
        "settings": "the engine keeps its own settings",
        "pool": "connections go straight to the engine",
        **backed_up(NOW),
    },
)

BUCKET = ResourceType(
    resources.Bucket,
    _bucket,
    Realised(
        local="a bucket of SeaweedFS, and a key that opens no other",
        aws="S3",
        kubernetes="a bucket of SeaweedFS",
    ),
    {
        "versioned": "earlier versions are not kept yet",
        "expire": "objects stay until they are removed",
        "public": "the bucket stays private",
        "cors": "pages of other origins may not read yet",
        **backed_up("only databases can go back to any moment"),
    },
)

CACHE = ResourceType(
    resources.Cache,
    _cache,
    Realised(
        local="a Valkey process of its own",
        aws="ElastiCache for Valkey",
        kubernetes="a Valkey of its own",
    ),
    {
        "engine": NOW,
        "memory": NOW,
        "eviction": NOW,
        "replicas": "there is one copy on this machine",
        **backed_up("only databases can go back to any moment"),
    },
)

SEARCH = ResourceType(
    resources.Search,
    _search,
    Realised(
        local="a process of its own that speaks the protocol of OpenSearch; documents in SQLite, words in tantivy",
        aws="OpenSearch Service",
        kubernetes="a cluster of the OpenSearch operator",
    ),
    {
        "storage": NOW,
        "mappings": NOW,
        "nodes": "there is one copy on this machine",
        **backed_up("only databases can go back to any moment"),
    },
)

VOLUME = ResourceType(
    resources.Volume,
    _volume,
    Realised(
        local="a folder of this home",
        aws="a volume of EBS, or EFS where several instances share it",
        kubernetes="a PersistentVolumeClaim",
    ),
    {
        "storage": "space is not limited yet",
        **backed_up("only databases can go back to any moment"),
    },
)

SECRET = ResourceType(
    resources.Secret,
    _secret,
    Realised(
        local="a file that only the platform may read",
        aws="Secrets Manager",
        kubernetes="a Secret",
    ),
    {"generate": NOW, "rotate": NOW},
)
