"""Blocks that say what a service wants provisioned: forty types of resource."""

from __future__ import annotations

from typing import TypeAlias

from drystone.l25_deployer.descriptor.schema.resources.certificate import Certificate
from drystone.l25_deployer.descriptor.schema.resources.common import Backup, Resource
from drystone.l25_deployer.descriptor.schema.resources.computing import BatchJob, Function, Trigger
from drystone.l25_deployer.descriptor.schema.resources.data import (
    Bucket,
    Cache,
    Index,
    KeyValue,
    Postgres,
    Provisioned,
    Search,
    Volume,
)
from drystone.l25_deployer.descriptor.schema.resources.edge import EdgeRoute
from drystone.l25_deployer.descriptor.schema.resources.elsewhere import (
    CloudFormation,
    External,
    Later,
)
from drystone.l25_deployer.descriptor.schema.resources.messaging import Queue, Stream, Topic
from drystone.l25_deployer.descriptor.schema.resources.static_site import StaticSite
from drystone.l25_deployer.descriptor.schema.resources.trust import AsapKey, EncryptionKey, Secret

__all__ = [
    "AnyResource",
    "AsapKey",
    "Backup",
    "BatchJob",
    "Bucket",
    "Cache",
    "Certificate",
    "CloudFormation",
    "EdgeRoute",
    "EncryptionKey",
    "External",
    "Function",
    "Index",
    "KeyValue",
    "Later",
    "Postgres",
    "Provisioned",
    "Queue",
    "Resource",
    "Search",
    "Secret",
    "StaticSite",
    "Stream",
    "Topic",
    "Trigger",
    "Volume",
]

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
    | BatchJob
    | EncryptionKey
    | AsapKey
    | EdgeRoute
    | Certificate
    | StaticSite
    | Secret
    | CloudFormation
    | External
    | Volume
    | Later
)
