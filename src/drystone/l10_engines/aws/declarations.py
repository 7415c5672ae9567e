"""What can be declared in an account. Durations are whole seconds, as the protocols have them."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Queue(msgspec.Struct, frozen=True, tag_field="type", tag="queue"):
    """A queue of messages (SQS).

    Attributes:
        fifo: Whether order is kept; its name then ends in ``.fifo``.
        visibility: Seconds to work on a message before it is given out again, at most 43200.
        retain: Seconds that a message waits, 60 to 1209600.
        delay: Seconds before a message can be taken, at most 900.
        attempts: How often a message is given out, 1 to 1000, before it goes to the queue of dead letters.
        dead_letter: Whether there is such a queue; without it a message is given out until it is too old.
    """

    fifo: bool
    visibility: int
    retain: int
    delay: int
    attempts: int
    dead_letter: bool


class Topic(msgspec.Struct, frozen=True, tag_field="type", tag="topic"):
    """A topic that passes messages on (SNS).

    Attributes:
        fifo: Whether order is kept; its name then ends in ``.fifo``.
        to: Queues in the same account that receive, as clients call them.
    """

    fifo: bool
    to: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True, tag_field="type", tag="table"):
    """A table of items (DynamoDB). Keys are texts.

    Attributes:
        key: Attribute that identifies an item.
        sort: Second part of the key.
        ttl: Attribute that holds when an item ends, in seconds since 1970.
        indexes: Further keys by the name of their index, each an attribute and, if any, a second one.
        stream: Whether changes are published, old and new.
    """

    key: str
    sort: str | None = None
    ttl: str | None = None
    indexes: dict[str, tuple[str, str | None]] = {}
    stream: bool = False


class Stream(msgspec.Struct, frozen=True, tag_field="type", tag="stream"):
    """A log of records (Kinesis).

    Attributes:
        shards: Parts that are read in parallel.
        retain: Hours that records are kept, 24 to 8760.
    """

    shards: int
    retain: int


class Key(msgspec.Struct, frozen=True, tag_field="type", tag="key"):
    """A symmetric key that encrypts and never leaves (KMS).

    Attributes:
        rotate: Seconds after which a new version encrypts.
        encrypt: Owners of other accounts that may encrypt with it.
        decrypt: Owners of other accounts that may decrypt with it.
    """

    rotate: float = 365 * 86400.0
    encrypt: tuple[str, ...] = ()
    decrypt: tuple[str, ...] = ()


class Function(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """A function that the agent runs (Lambda), and the queue in which calls wait that nobody waits for.

    Attributes:
        timeout: Seconds that one call may take, 1 to 900.
    """

    timeout: int


class Job(msgspec.Struct, frozen=True, tag_field="type", tag="job"):
    """A job that the agent runs to its end (Batch)."""


Declaration: TypeAlias = Queue | Topic | Table | Stream | Key | Function | Job
