"""Resources that run code."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import Count, Cpu, Duration, Positive, Size
from drystone.l25_deployer.descriptor.schema.resources.common import MEBI, Resource
from drystone.l25_deployer.descriptor.words import Identifier, Name, RelativePath, Words

LONGEST_CALL = timedelta(minutes=15)
MOST_MEMORY = 10240 * MEBI
LEAST_MEMORY = 32 * MEBI
MOST_AT_ONCE = 100
MOST_KEPT = 1000


class Trigger(Block, frozen=True, kw_only=True):
    """What calls a function: one of a queue, a stream and a span of time."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("queue", "stream", "every"),)

    queue: Annotated[Name | None, "queue of this service whose messages it is given"] = None
    stream: Annotated[Name | None, "stream of this service whose records it is given"] = None
    every: Annotated[Duration | None, "time between two calls"] = None
    batch: Annotated[Positive, "messages or records that it is given at once, at most"] = 10
    begin: Annotated[
        Literal["oldest", "latest"], "where a stream is read from, before anything was"
    ] = "oldest"

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.queue is not None and self.batch > 10:
            yield Rule("batch", "a queue gives out 10 messages at once at most", "write 10")
        if self.batch > 10_000:
            yield Rule("batch", "a stream gives 10000 records at once at most", "write 10000")
        if self.every is not None and self.every < timedelta(seconds=1):
            yield Rule(
                "every", "a function is called once a second at most", "write for example 1m"
            )


class Function(Resource, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that runs when something happens."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "region")

    runtime: Annotated[Literal["python", "javascript", "typescript"], "language"]
    handler: Annotated[Identifier, "what is called, such as app.handler"]
    artifact: Annotated[RelativePath | None, "folder of its code in the service's own"] = None
    timeout: Annotated[Duration, "time for one call"] = timedelta(seconds=30)
    memory: Annotated[Size, "memory of one call"] = 256 * MEBI
    concurrency: Annotated[Positive | None, "calls at once"] = None
    on: Annotated[dict[Name, Trigger], "what calls it"] = {}

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not timedelta(seconds=1) <= self.timeout <= LONGEST_CALL:
            yield Rule("timeout", "a call may take 1s to 15m", "write for example 30s")
        if not LEAST_MEMORY <= self.memory <= MOST_MEMORY:
            yield Rule("memory", "a call may use 32Mi to 10Gi", "write for example 256Mi")
        if (self.concurrency or 1) > MOST_AT_ONCE:
            yield Rule("concurrency", "100 calls run at once at most", "write 100")
        if "." not in self.handler:
            yield Rule(
                "handler",
                "it names a file and what is called in it, parted by a dot",
                "write for example app.handler",
            )


class JobSize(Block, frozen=True, kw_only=True):
    """What one run may use."""

    cpu: Annotated[Cpu, "CPUs"] = 1.0
    memory: Annotated[Size, "memory; more ends the run"] = 512 * MEBI

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.memory < MEBI:
            yield Rule("memory", "less than 1Mi of memory runs nothing", "write for example 256Mi")


class BatchJob(Resource, frozen=True, kw_only=True, tag_field="type", tag="batch-job"):
    """A command that runs to its end when somebody asks for it."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "queue", "definition", "region")
    ALSO_CALLED: ClassVar[dict[str, str]] = {"cmd": "command", "attempts": "retries"}

    command: Annotated[tuple[Words, ...], "program and arguments"]
    size: Annotated[JobSize, "what one run may use"] = JobSize()
    timeout: Annotated[Duration, "time for one attempt"] = timedelta(hours=1)
    retries: Annotated[Count, "how often a run that failed is tried again"] = 0
    parallel: Annotated[Positive, "runs at once"] = 1
    keep: Annotated[Positive, "runs that have ended and are remembered"] = 50

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.command:
            yield Rule("command", "the command is empty", "write it as a list: [python, report.py]")
        if self.timeout < timedelta(seconds=1):
            yield Rule("timeout", "an attempt takes 1s at least", "write for example 1h")
        if self.retries > 10:
            yield Rule("retries", "a run is tried again 10 times at most", "write 10")
        if self.parallel > MOST_AT_ONCE:
            yield Rule("parallel", "100 runs run at once at most", "write 100")
        if self.keep > MOST_KEPT:
            yield Rule("keep", "1000 runs are remembered at most", "write 1000")
