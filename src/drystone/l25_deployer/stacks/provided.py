"""What stacks hold of resources that are reached by the protocols of AWS, and of secrets.

Durations are whole seconds, hours where the protocol counts so.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypeAlias

import msgspec

from drystone.l25_deployer.stacks.backup_plan import BackupPlan
from drystone.l25_deployer.stacks.ways import WayIn


class Queue(msgspec.Struct, frozen=True, tag_field="type", tag="queue"):
    """A queue of messages.

    Attributes:
        fifo: Whether order is kept.
        visibility: Seconds to work on a message before it is given out again.
        retain: Seconds that a message waits.
        delay: Seconds before a message can be taken.
        attempts: How often a message is given out before it goes to the dead letters.
        dead_letter: Whether those are kept.
    """

    fifo: bool
    visibility: int
    retain: int
    delay: int
    attempts: int
    dead_letter: bool
    protect: bool = True


class Topic(msgspec.Struct, frozen=True, tag_field="type", tag="topic"):
    """A topic that passes messages on.

    Attributes:
        fifo: Whether order is kept.
        to: Queues of the same service, as clients call them.
    """

    fifo: bool
    to: tuple[str, ...] = ()
    protect: bool = True


class Index(msgspec.Struct, frozen=True):
    """A second way to find items: by an attribute, and within that by another one."""

    key: str
    sort: str | None = None


class KeyValue(msgspec.Struct, frozen=True, tag_field="type", tag="keyvalue"):
    """A table of items that are found by a key.

    Attributes:
        sort: Second part of the key.
        ttl: Attribute that holds when an item ends.
        stream: Whether changes are published.
        backup: When it is copied; by itself never when None.
    """

    key: str
    sort: str | None = None
    ttl: str | None = None
    indexes: dict[str, Index] = {}
    stream: bool = False
    protect: bool = True
    backup: BackupPlan | None = None


class Stream(msgspec.Struct, frozen=True, tag_field="type", tag="stream"):
    """A log of records.

    Attributes:
        shards: Parts that are read in parallel.
        retain: Hours that records are kept.
    """

    shards: int
    retain: int
    protect: bool = True


class EncryptionKey(msgspec.Struct, frozen=True, tag_field="type", tag="encryption-key"):
    """A key that encrypts and never leaves the platform.

    Attributes:
        rotate: Age at which a new version encrypts.
        encrypt: Further services that may encrypt, as ``<environment>.<service>``.
        decrypt: Further services that may decrypt, likewise.
    """

    protect: bool = True
    rotate: timedelta = timedelta(days=365)
    encrypt: tuple[str, ...] = ()
    decrypt: tuple[str, ...] = ()


class Search(msgspec.Struct, frozen=True, tag_field="type", tag="search"):
    """Documents that are found by their words and values.

    Attributes:
        storage: Bytes that documents and words may take.
        indices: By name of an index that is to be there, its mapping as OpenSearch has it.
        backup: When it is copied; by itself never when None.
    """

    storage: int
    indices: dict[str, dict[str, Any]] = {}
    protect: bool = True
    backup: BackupPlan | None = None


class Secret(msgspec.Struct, frozen=True, tag_field="type", tag="secret"):
    """A secret that the platform makes up.

    Attributes:
        generate: What is made.
        rotate: Age at which another replaces it; as the settings of the home say when None.
    """

    generate: Literal["password", "rsa", "ed25519", "hex32"]
    protect: bool = True
    rotate: timedelta | None = None


class Trigger(msgspec.Struct, frozen=True):
    """What calls a function; one of ``queue``, ``stream`` and ``every`` is set.

    Attributes:
        queue: Name of a queue of the service.
        stream: Name of a stream of the service.
        every: Seconds between two calls.
        batch: Messages or records that it is given at once, at most.
        begin: Where a stream is read from, before anything was.
    """

    queue: str | None = None
    stream: str | None = None
    every: int | None = None
    batch: int = 10
    begin: Literal["oldest", "latest"] = "oldest"


class Function(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """A function that runs when something happens.

    Attributes:
        runtime: The language that it is written in.
        handler: What is called.
        artifact: Folder of its code, below the service's own; empty for that itself.
        timeout: Seconds that one call may take.
        memory: Bytes that one call may use.
        concurrency: Calls at once.
        on: What calls it.
    """

    runtime: Literal["python", "javascript", "typescript"]
    handler: str
    artifact: str
    timeout: int
    memory: int
    concurrency: int
    on: dict[str, Trigger] = {}
    protect: bool = True


class BatchJob(msgspec.Struct, frozen=True, tag_field="type", tag="batch-job"):
    """A command that runs to its end when somebody asks for it.

    Attributes:
        command: Program and arguments.
        cpu: CPUs of one run.
        memory: Bytes of one run.
        timeout: Seconds that one attempt may take.
        retries: How often a run that failed is tried again.
        parallel: Runs at once.
        keep: Of how many runs that have ended it is remembered how.
    """

    command: tuple[str, ...]
    cpu: float
    memory: int
    timeout: int
    retries: int
    parallel: int
    keep: int
    protect: bool = True


Account: TypeAlias = Queue | Topic | KeyValue | Stream | EncryptionKey | Function | BatchJob
"""What lies in the account that a service has in one environment."""

Provided: TypeAlias = Account | Secret | WayIn | Search
