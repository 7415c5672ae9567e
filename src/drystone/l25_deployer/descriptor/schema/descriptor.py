"""The descriptor: all that the platform needs to know about one service."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.overlays import Overlays
from drystone.l25_deployer.descriptor.quantities import Count, Percent, Port, Positive, Tier
from drystone.l25_deployer.descriptor.references import Image, Serving
from drystone.l25_deployer.descriptor.schema.compute import (
    Health,
    Process,
    Scale,
    Sidecar,
    Sizing,
    Static,
    Stop,
    Worker,
)
from drystone.l25_deployer.descriptor.schema.delivery import Deploy, Logs, Owner, Slo
from drystone.l25_deployer.descriptor.schema.dependability import BreakGlass, Recovery
from drystone.l25_deployer.descriptor.schema.resources import (
    AnyResource,
    Function,
    Queue,
    StaticSite,
)
from drystone.l25_deployer.descriptor.schema.surroundings import (
    Dependency,
    Events,
    Limit,
    Network,
    Proxy,
    Schedule,
)
from drystone.l25_deployer.descriptor.words import (
    AlarmLine,
    DataClass,
    Link,
    Module,
    Name,
    Namespace,
    SecretName,
    ServiceName,
    UrlPath,
    Variable,
    Words,
)


class Descriptor(Block, frozen=True, kw_only=True):
    """One service, as its team describes it."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "name": "service",
        "version": "schema",
        "apiversion": "schema",
        "healthcheck": "health",
        "health-check": "health",
        "environment": "env",
        "envs": "environments",
        "environmentoverrides": "environments",
        "environment-overrides": "environments",
        "depends-on": "dependencies",
        "requires": "dependencies",
        "replicas": "scale",
        "instances": "scale",
        "scaling": "scale",
        "cmd": "command",
        "entrypoint": "command",
        "expose": "port",
        "volumes": "a volume is a resource: 'resources: {files: {type: volume}}'",
        "databases": "a database is a resource: 'resources: {db: {type: postgres}}'",
        "database": "a database is a resource: 'resources: {db: {type: postgres}}'",
        "build": "the commands of a build stand in 'process: {setup: [...]}'",
        "hosts": "a host of one's own is a resource: 'resources: {front: {type: edge-route}}'",
        "crons": "schedules",
        "jobs": "schedules",
        "cron": "schedules",
        "rate-limits": "limits",
        "team": "owner",
        "maintainer": "owner",
        "labels": "tags",
        "region": "regions",
        "product": "products",
        "break-glass": "break_glass",
        "rto": "recovery",
        "sla": "slo",
        "alternatives": "groups",
    }

    schema: Annotated[Literal[1], "version of this format"]
    service: Annotated[Name, "name of the service, the same everywhere"]
    owner: Annotated[Owner, "who looks after it"]
    description: Annotated[Words | None, "what it is for"] = None
    tier: Annotated[Tier, "how much depends on it: 0 everything, 4 nothing"] = 3
    layer: Annotated[Count | None, "height in the cake, pinned; computed when absent"] = None
    plane: Annotated[
        Literal["control", "data"] | None,
        "control: it changes things and may be away for a while; data: it serves, and goes on without the control plane",
    ] = None
    regions: Annotated[tuple[Name, ...], "where it runs; the region of the deploy when empty"] = ()
    resilience: Annotated[
        Literal["single-zone", "multi-zone", "multi-region"] | None, "what it claims to survive"
    ] = None
    products: Annotated[tuple[Name, ...], "the products that it is a part of"] = ()
    data: Annotated[
        tuple[DataClass, ...] | dict[Name, tuple[DataClass, ...]],
        "classes of the data it holds, named",
    ] = ()
    tags: Annotated[dict[Name, Words], "for the catalogue and the like"] = {}
    links: Annotated[dict[Name, Link], "where source, runbook and the like are"] = {}

    image: Annotated[Image | None, "artefact: a container image"] = None
    process: Annotated[Process | None, "artefact: a folder that runs as a process"] = None
    static: Annotated[Static | None, "artefact: files that the edge serves"] = None
    embedded: Annotated[
        Module | None, "artefact: a part of the platform that the platform starts itself"
    ] = None

    command: Annotated[tuple[Serving, ...], "in place of the image's own"] = ()
    port: Annotated[Port, "port that an image listens on; `${port}` tells a process its own"] = 8080
    health: Annotated[Health, "how to find out whether an instance is well"] = Health()
    deepcheck: Annotated[UrlPath | None, "path that checks dependencies too"] = None
    size: Annotated[Sizing, "what one instance may use"] = Sizing()
    scale: Annotated[Scale, "how many instances run"] = Scale()
    stop: Annotated[Stop, "how an instance is ended"] = Stop()
    workers: Annotated[dict[Name, Worker], "instances that serve no requests"] = {}
    sidecars: Annotated[dict[Name, Sidecar], "containers beside every instance"] = {}

    env: Annotated[dict[Variable, Serving], "environment of every instance"] = {}
    secrets: Annotated[
        tuple[SecretName, ...] | dict[SecretName, Words],
        "names of secrets; their values are set elsewhere",
    ] = ()
    config: Annotated[
        tuple[Namespace, ...], "namespaces of the configuration that are watched"
    ] = ()

    resources: Annotated[dict[Name, AnyResource], "what is provisioned for the service"] = {}
    dependencies: Annotated[dict[ServiceName, Dependency], "services that this one needs"] = {}
    groups: Annotated[
        dict[Name, Positive],
        "alternatives: of the dependencies that name the group, how many are needed",
    ] = {}
    network: Annotated[Network, "what may come in and go out"] = Network()
    proxy: Annotated[Proxy, "what the proxy does with requests"] = Proxy()
    limits: Annotated[dict[Name, Limit], "how often it may be called"] = {}
    schedules: Annotated[dict[Name, Schedule], "what happens at its time"] = {}
    events: Annotated[Events, "what is published and wanted"] = Events()
    alarms: Annotated[
        dict[Name, AlarmLine | None], "when somebody is told; null removes a default"
    ] = {}
    slo: Annotated[Slo, "what users may rely on"] = Slo()
    availability: Annotated[
        Percent | None, "share of the time in which it works by itself when all that it needs does"
    ] = None
    recovery: Annotated[Recovery | None, "how long it takes to bring it back"] = None
    break_glass: Annotated[BreakGlass | None, "how it comes back without what it needs"] = None
    crew: Annotated[Words | None, "who brings it back in a disaster; the owner when absent"] = None
    logs: Annotated[Logs, "what happens to logs"] = Logs()
    deploy: Annotated[Deploy, "how a new release replaces the old one"] = Deploy()
    environments: Annotated[
        dict[str, Any], Overlays(), "what is different in an environment, or in one region of it"
    ] = {}

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets, whichever way they are written."""
        return tuple(self.secrets)

    @override
    def mistakes(self) -> Iterator[Rule]:
        for name, function in self.resources.items():
            if isinstance(function, Function):
                yield from self._too_early(name, function)
            if isinstance(function, StaticSite):
                yield from self._without_files(name, function)

    def _without_files(self, name: str, site: StaticSite) -> Iterator[Rule]:
        served = self.process or self.static
        if served is None:
            yield Rule(
                "resources",
                f"'{name}' serves files of the service's folder, and an image has none",
                "put the files into a service of their own with 'static: {dir: …}'",
            )
        elif not PurePosixPath(site.dir).is_relative_to(served.dir):
            yield Rule(
                "resources",
                f"'{name}' serves {site.dir}, which does not lie in {served.dir}, of which releases are made",
                f"move the files to {served.dir}/{PurePosixPath(site.dir).name}",
            )
        if f"static-site-{name}" in self.workers:
            yield Rule(
                "workers",
                f"'static-site-{name}' is what the instances that serve '{name}' are called",
                "give the worker another name",
            )

    def _too_early(self, name: str, function: Function) -> Iterator[Rule]:
        for trigger in function.on.values():
            queue = self.resources.get(trigger.queue or "")
            if isinstance(queue, Queue) and queue.visibility < function.timeout:
                yield Rule(
                    "resources",
                    f"'{trigger.queue}' gives a message out again after {queue.visibility.total_seconds():g} s, while"
                    f" '{name}' may work on it for {function.timeout.total_seconds():g} s",
                    f"raise the visibility of '{trigger.queue}', or lower the timeout of '{name}'",
                )
