"""Blocks that say what runs: artefact, health, size, scale, workers and sidecars."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import (
    Count,
    Cpu,
    Duration,
    Percent,
    Port,
    Positive,
    Rates,
    Size,
)
from drystone.l25_deployer.descriptor.references import Building, Image, Serving, Working
from drystone.l25_deployer.descriptor.words import (
    GrpcService,
    HeaderName,
    HeaderValue,
    Name,
    Pattern,
    RelativePath,
    UrlPath,
    Variable,
)

MEBI = 1024 * 1024


class Process(Block, frozen=True, kw_only=True):
    """A folder of files that runs as a process."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "cmd": "command",
        "run": "command",
        "entrypoint": "command",
        "build": "setup",
        "install": "setup",
        "directory": "dir",
        "cwd": "dir",
        "workdir": "dir",
    }

    command: Annotated[tuple[Serving, ...], "program and arguments; no shell reads them"]
    dir: Annotated[RelativePath, "folder that is copied and in which the command runs"] = "."
    runtime: Annotated[
        Literal["python"] | None,
        "`python` makes a virtual environment, first on PATH at build and run",
    ] = None
    artifact: Annotated[RelativePath | None, "archive to use in place of the folder"] = None
    setup: Annotated[tuple[Building, ...], "command that runs once, at build"] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.command:
            yield Rule(
                "command", "the command is empty", "write it as a list: [python, -m, orders]"
            )


class Static(Block, frozen=True, kw_only=True):
    """Files that the edge serves."""

    SHORT: ClassVar[tuple[str, ...]] = ("dir",)

    dir: Annotated[RelativePath, "folder of the files"]
    index: Annotated[RelativePath, "file that answers for a folder"] = "index.html"
    spa: Annotated[bool, "whether the index answers for paths that do not exist"] = False
    cache: Annotated[dict[Pattern, Duration], "how long browsers keep files, by pattern"] = {}
    headers: Annotated[dict[HeaderName, HeaderValue], "headers of every answer"] = {}
    csp: Annotated[HeaderValue | None, "Content-Security-Policy; strict when absent"] = None
    keep_assets: Annotated[Count, "of how many earlier releases files are still served"] = 10


class Health(Block, frozen=True, kw_only=True):
    """How to find out whether an instance is well."""

    SHORT: ClassVar[tuple[str, ...]] = ("path",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "uri": "path",
        "url": "path",
        "endpoint": "path",
        "period": "interval",
        "every": "interval",
        "start-period": "grace",
        "initial-delay": "grace",
        "retries": "unhealthy",
    }

    path: Annotated[UrlPath, "what is asked; an answer from 200 to 399 is good"] = "/healthcheck"
    grpc: Annotated[
        bool, "whether the gRPC health protocol is asked in place of the path; SERVING is good"
    ] = False
    service: Annotated[
        GrpcService | None, "which gRPC service is asked about; the whole server when absent"
    ] = None
    port: Annotated[
        Port | None, "port to ask, by HTTP/1.1 unless by gRPC; the service's own when absent"
    ] = None
    interval: Annotated[Duration, "time between two questions"] = timedelta(seconds=5)
    timeout: Annotated[Duration, "time for an answer"] = timedelta(seconds=2)
    healthy: Annotated[Positive, "good answers in a row that make an instance well"] = 2
    unhealthy: Annotated[Positive, "bad answers in a row that make it ill"] = 3
    grace: Annotated[Duration, "time after the start in which bad answers do not count"] = (
        timedelta(seconds=60)
    )

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.interval < timedelta(milliseconds=100):
            yield Rule(
                "interval",
                "the interval is shorter than 100ms",
                "every instance is asked that often",
            )
        if self.service is not None and not self.grpc:
            yield Rule(
                "service",
                "only the gRPC health protocol asks about a service",
                "write it as {grpc: true, service: shop.Orders}, or leave it out",
            )
        if not self.timeout:
            yield Rule("timeout", "a timeout of 0 leaves no time for an answer")


class Sizing(Block, frozen=True, kw_only=True):
    """What one instance may use."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "mem": "memory",
        "ram": "memory",
        "cpus": "cpu",
        "storage": "disk",
    }

    cpu: Annotated[Cpu, "CPUs"] = 0.5
    memory: Annotated[Size, "memory; more ends the instance"] = 512 * MEBI
    disk: Annotated[Size, "temporary files"] = 1024 * MEBI

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.memory < MEBI:
            yield Rule("memory", "less than 1Mi of memory runs nothing", "write for example 256Mi")


class Scale(Block, frozen=True, kw_only=True):
    """How many instances run."""

    SHORT: ClassVar[tuple[str, ...]] = ("min", "max")
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "instances": "min",
        "replicas": "min",
        "count": "min",
        "minimum": "min",
        "maximum": "max",
    }

    min: Annotated[Count, "fewest instances"] = 1
    max: Annotated[Count | None, "most instances; as many as the fewest when absent"] = None
    cpu: Annotated[Percent, "use of CPU to aim at"] = 0.7
    memory: Annotated[Percent | None, "use of memory to aim at"] = None
    requests: Annotated[Rates | None, "requests to each instance to aim at"] = None
    latency: Annotated[Duration | None, "time within which 95 of 100 answers are to be given"] = (
        None
    )
    queue: Annotated[dict[Name, Positive], "waiting messages per instance to aim at, by queue"] = {}
    cooldown: Annotated[Duration, "how long fewer must be enough before instances go"] = timedelta(
        seconds=60
    )

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.max is not None and self.max < self.min:
            yield Rule(
                "max", f"max {self.max} is less than min {self.min}", f"write at least {self.min}"
            )
        if not self.cpu or self.memory == 0:
            key = "memory" if self.cpu else "cpu"
            yield Rule(key, "no use at all cannot be aimed at", "write for example 70%")
        if self.requests is not None and not self.requests.count:
            yield Rule("requests", "no requests at all cannot be aimed at", "write such as 50/s")
        if self.latency is not None and not self.latency:
            yield Rule("latency", "no time at all cannot be aimed at", "write such as 200ms")


class Stop(Block, frozen=True, kw_only=True):
    """How an instance is ended."""

    drain: Annotated[Duration, "time for running requests after new ones go elsewhere"] = timedelta(
        seconds=10
    )
    grace: Annotated[Duration, "time after the signal before the instance is killed"] = timedelta(
        seconds=30
    )
    signal: Annotated[Literal["TERM", "INT", "QUIT"], "signal that asks it to end"] = "TERM"


class Worker(Block, frozen=True, kw_only=True):
    """Instances that serve no requests: they take work from a queue, a database or the clock."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "cmd": "command",
        "run": "command",
        "environment": "env",
    }

    command: Annotated[tuple[Working, ...], "program and arguments"]
    scale: Annotated[Scale, "how many run"] = Scale()
    size: Annotated[Sizing, "what one may use"] = Sizing()
    health: Annotated[
        Health | None, "how to find out whether one is well; a running one is when absent"
    ] = None
    env: Annotated[dict[Variable, Working], "in addition to the service's"] = {}

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.command:
            yield Rule(
                "command", "the command is empty", "write it as a list: [python, -m, orders.mailer]"
            )
        if self.health is not None and self.health.port is None:
            yield Rule(
                "health",
                "the health of a worker needs a port, since it serves none",
                "write it as {path: /healthcheck, port: 9000}",
            )


class Sidecar(Block, frozen=True, kw_only=True):
    """A container beside every instance."""

    image: Annotated[Image, "its image"]
    port: Annotated[Port | None, "port that it listens on"] = None
    command: Annotated[tuple[Working, ...], "in place of the image's own"] = ()
    env: Annotated[dict[Variable, Working], "its environment"] = {}
    size: Annotated[Sizing, "what it may use"] = Sizing()
    start: Annotated[
        Literal["before", "after", "with"], "when it starts, seen from the service"
    ] = "before"
    needed: Annotated[bool, "whether the instance ends when it ends"] = True
