"""Resources that pass on messages and records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Rule
from drystone.l25_deployer.descriptor.quantities import Duration, Positive
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import Name


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
