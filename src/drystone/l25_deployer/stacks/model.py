"""The five stacks: what a service is made of, whatever the target.

A stack says what shall be there and never how it gets there. The five differ in how long their contents live:

==================  ====================================================  ==========================
``Eternal``         databases, buckets, caches, volumes: what holds data  until removed by name
``ReleaseResources``what belongs to one release but is not compute        with its release
``Deployment``      the compute of one release                            until its release is cleaned up
``EnvironmentStack``the service's durable surroundings                    with the service
``Route``           how traffic moves to a release                        changed by every switch
==================  ====================================================  ==========================

Every value can be written as JSON and read back (:func:`encode`, :func:`decode`). Fields that may be absent
default to None or to an empty mapping; :mod:`~drystone.l25_deployer.stacks.plan` relies on that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias

import msgspec

from drystone.l05_graph.model import Acceptance
from drystone.l05_graph.words import Risk
from drystone.l25_deployer.stacks.accounting import Accounting
from drystone.l25_deployer.stacks.backup_plan import BackupPlan
from drystone.l25_deployer.stacks.claims import Claims
from drystone.l25_deployer.stacks.doors import Door
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l25_deployer.stacks.provided import Provided
from drystone.l25_deployer.stacks.scaling import Scaling
from drystone.l25_deployer.stacks.smoke import Smoke

Space: TypeAlias = Literal[
    "resources", "dependencies", "secrets", "sidecars", "config", "port", "build", "limits"
]


class Reference(msgspec.Struct, frozen=True):
    """Something known only when an instance starts; the driver puts its value in.

    Attributes:
        space: What is referred to; ``port``, ``build`` and ``limits`` stand alone, the others have a name.
        name: Resource, dependency, secret, sidecar or configuration namespace.
        key: Which of its values, for example ``url``.
    """

    space: Space
    name: str = ""
    key: str = ""


Template: TypeAlias = tuple[str | Reference, ...]
"""A text with places for what is known later; the parts are joined without anything between them."""

Command: TypeAlias = tuple[Template, ...]
"""Program and arguments; no shell reads them."""


class Postgres(msgspec.Struct, frozen=True, tag_field="type", tag="postgres"):
    """A database with a role of its own.

    Attributes:
        connections: How many connections the role may hold at once.
        extensions: Extensions to create, in this order.
        protect: Whether removing it must be confirmed by name.
        backup: When it is copied; by itself never when None.
    """

    version: str
    connections: int
    extensions: tuple[str, ...] = ()
    protect: bool = True
    backup: BackupPlan | None = None


class Bucket(msgspec.Struct, frozen=True, tag_field="type", tag="bucket"):
    """A bucket with a key of its own.

    Attributes:
        protect: Whether removing it must be confirmed by name.
        backup: When it is copied; by itself never when None.
    """

    protect: bool = True
    backup: BackupPlan | None = None


class Cache(msgspec.Struct, frozen=True, tag_field="type", tag="cache"):
    """A cache in memory.

    Attributes:
        memory: Most memory it may use, in bytes.
        eviction: What is dropped when memory is full, in the words of Redis' ``maxmemory-policy``.
        backup: When it is copied; by itself never when None.
    """

    memory: int
    eviction: str
    protect: bool = True
    backup: BackupPlan | None = None


class Volume(msgspec.Struct, frozen=True, tag_field="type", tag="volume"):
    """A directory that outlives releases.

    Attributes:
        protect: Whether removing it must be confirmed by name.
        backup: When it is copied; by itself never when None.
    """

    protect: bool = True
    backup: BackupPlan | None = None


Resource: TypeAlias = Postgres | Bucket | Cache | Volume | Provided


class Eternal(msgspec.Struct, frozen=True):
    """What holds data, by name."""

    resources: dict[str, Resource] = {}


class ImageArtifact(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """A container image.

    Attributes:
        ref: Reference as written in the descriptor, with the version put in; the driver pins it by digest.
    """

    ref: str


class ProcessArtifact(msgspec.Struct, frozen=True, tag_field="type", tag="process"):
    """A folder of files that is copied and runs as a process.

    Attributes:
        dir: The folder, relative to the descriptor's; never outside it.
        runtime: ``python`` when a virtual environment is to be made.
        setup: Command that runs once in the copy, at build; empty when there is none.
    """

    dir: str
    runtime: str | None = None
    setup: tuple[str, ...] = ()


class StaticArtifact(msgspec.Struct, frozen=True, tag_field="type", tag="static"):
    """A folder of files that the edge serves.

    Attributes:
        cache: How long a browser may keep files, by pattern of their path.
        headers: Headers of every answer.
        csp: Content-Security-Policy; the platform's own when None.
        keep_assets: Of how many earlier releases files are still served.
    """

    dir: str
    index: str
    spa: bool
    keep_assets: int
    cache: dict[str, timedelta] = {}
    headers: dict[str, str] = {}
    csp: str | None = None


class EmbeddedArtifact(msgspec.Struct, frozen=True, tag_field="type", tag="embedded"):
    """A Python module of the platform that the platform starts itself."""

    module: str


Artifact: TypeAlias = ImageArtifact | ProcessArtifact | StaticArtifact | EmbeddedArtifact


class Settings(msgspec.Struct, frozen=True):
    """What a release reads while it runs, by name; the values live elsewhere."""

    secrets: tuple[str, ...] = ()
    config: tuple[str, ...] = ()


class ReleaseResources(msgspec.Struct, frozen=True):
    """What belongs to one release but is not compute.

    Attributes:
        env: Environment of every instance: what the resources give, then what the descriptor says.
    """

    version: str
    artifact: Artifact
    env: dict[str, Template] = {}
    settings: Settings = Settings()


class Health(msgspec.Struct, frozen=True):
    """How to find out whether an instance is well.

    Attributes:
        grpc: Whether the gRPC health protocol is asked in place of the path.
        service: Which gRPC service is asked about; the whole server when None.
        port: Port to ask; the instance's own when None.
        healthy: Good answers in a row that make it well.
        unhealthy: Bad answers in a row that make it ill.
        grace: How long after its start bad answers do not count.
    """

    path: str
    interval: timedelta
    timeout: timedelta
    healthy: int
    unhealthy: int
    grace: timedelta
    port: int | None = None
    grpc: bool = False
    service: str | None = None


class Stop(msgspec.Struct, frozen=True):
    """How an instance is ended.

    Attributes:
        drain: How long running requests may finish after new ones go elsewhere.
        grace: How long it has after the signal before it is killed.
    """

    drain: timedelta
    grace: timedelta
    signal: Literal["TERM", "INT", "QUIT"]


class Group(msgspec.Struct, frozen=True):
    """Instances that are all alike.

    Attributes:
        command: Empty when the image's own command runs.
        cpu: Cores of one instance.
        memory: Bytes of one instance.
        stop: How one is ended.
        serves: Whether the edge and other services send requests to it.
        env: In addition to the release's.
        port: Port that an image listens on unless it honours ``${port}``; None for everything else.
        health: None when a running process counts as well.
        protocol: What one that serves speaks on its port when it is not HTTP/1.1: HTTP/2 with prior knowledge.
        scaling: How their number follows the load, from ``instances`` on; None where it stays.
    """

    command: Command
    instances: int
    cpu: float
    memory: int
    stop: Stop
    serves: bool
    env: dict[str, Template] = {}
    port: int | None = None
    health: Health | None = None
    protocol: Literal["http2"] | None = None
    scaling: Scaling | None = None


WEB = "web"
"""The group that serves; no worker may have this name."""


class Deployment(msgspec.Struct, frozen=True):
    """The compute of one release: the group ``web`` (absent for static files) and one for each worker."""

    groups: dict[str, Group] = {}


class Dependency(msgspec.Struct, frozen=True):
    """What the service needs of another service.

    Attributes:
        at: When it is needed, sorted.
        environment: Which environment of the other service; the same as this one's when None.
        risk: What it is used for; nothing in particular when None.
        without: What happens without it.
        group: The group of alternatives that it is in.
        is_fixed: Whether it can be neither removed nor made soft; None when it can.
        accepted: Who accepts what is wrong with it.
        calls: Requests that are made, such as ``GET /reports/*``; all when None.
        retries: How often a failed call is repeated; :data:`RETRIES` when None.
        retry_on: Which failures are repeated; :data:`RETRY_ON` when None.
    """

    needs: Literal["hard", "soft"]
    at: tuple[str, ...]
    timeout: timedelta
    environment: str | None = None
    risk: Risk | None = None
    without: str | None = None
    group: str | None = None
    is_fixed: Literal[True] | None = None
    accepted: Acceptance | None = None
    calls: tuple[str, ...] | None = None
    retries: int | None = None
    retry_on: tuple[str, ...] | None = None


RETRIES = 2
RETRY_ON = ("connect", "502", "503")
"""What happens to failed calls where a dependency says nothing else."""


TRACING = 0.05
"""Which share of the requests is traced where nothing else is said."""


class EnvironmentStack(msgspec.Struct, frozen=True):
    """The durable surroundings of a service in one environment.

    Attributes:
        hosts: Names under which the edge answers for the service.
        timeout: After which the edge gives up on a request.
        public: Whether people outside may reach it; the local edge answers on loopback either way.
        tier: 0, on which everything depends, to 4.
        layer: Pinned height in the cake; computed when None.
        claims: What it claims of itself.
        staff: Whether staff may reach it.
        shadow: Whether those who may not are let through all the same, and only written down.
        callers: Services that may call it if they declare it; every one that declares it when None.
        builds: Pipelines that may call it.
        groups: Groups of staff that may reach it.
        doors: Who may send some requests, in place of what is said for all, by what a descriptor calls these.
        egress: Hosts outside that it may call, as ``host:port``.
        private: Ranges of private addresses at which those hosts may be.
        body: Largest body of a request, in bytes; no bound when None.
        tracing: Share of the requests that are traced.
        limits: How often it may be called, by name.
        placement: Where its sidecar runs: in the proxy of the host, or in a process that it has alone; as the platform has it
            when None.
        accounting: Whom it is charged to.
    """

    service: str
    name: str
    owner: str
    tier: int
    hosts: tuple[str, ...]
    timeout: timedelta
    public: bool
    description: str | None = None
    region: str | None = None
    layer: int | None = None
    dependencies: dict[str, Dependency] = {}
    claims: Claims = Claims()
    staff: Literal[True] | None = None
    shadow: Literal[True] | None = None
    callers: tuple[str, ...] | None = None
    builds: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    doors: dict[str, Door] | None = None
    egress: tuple[str, ...] | None = None
    private: tuple[str, ...] | None = None
    body: int | None = None
    tracing: float | None = None
    limits: dict[str, Limit] = {}
    placement: Literal["node", "instance"] | None = None
    accounting: Accounting = Accounting()


class Route(msgspec.Struct, frozen=True):
    """How traffic moves to a release; the shares themselves are state that the driver keeps.

    Attributes:
        keep_warm: How long the previous release keeps running after a switch.
        keep: How many releases can be gone back to.
        migrate: Command that runs once before the first instance starts; empty when there is none.
    """

    strategy: Literal["blue-green", "progressive", "cutover"]
    keep_warm: timedelta
    keep: int
    migrate: Command = ()
    smoke: tuple[Smoke, ...] = ()


class Stacks(msgspec.Struct, frozen=True):
    """All five stacks of one service in one environment."""

    eternal: Eternal
    resources: ReleaseResources
    deployment: Deployment
    environment: EnvironmentStack
    route: Route


def encode(stacks: Stacks) -> bytes:
    """Write stacks as JSON with sorted keys, so that the same stacks give the same bytes."""
    return msgspec.json.format(msgspec.json.encode(stacks, order="deterministic"), indent=2) + b"\n"


def decode(document: bytes) -> Stacks:
    """Read what :func:`encode` wrote.

    Raises:
        msgspec.DecodeError: The document is not JSON, or not the JSON of stacks.
    """
    return msgspec.json.decode(document, type=Stacks)
