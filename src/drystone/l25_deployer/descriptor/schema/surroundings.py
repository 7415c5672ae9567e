"""Blocks that say what a service has to do with others: dependencies, network, limits, schedules, events."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import (
    Count,
    Duration,
    Percent,
    Positive,
    Rates,
    Size,
)
from drystone.l25_deployer.descriptor.references import Working
from drystone.l25_deployer.descriptor.schema.dependability import Acceptance
from drystone.l25_deployer.descriptor.words import (
    Cron,
    EventType,
    Group,
    HeaderName,
    HostPort,
    LimitedRequests,
    Match,
    Moment,
    Name,
    PrivateRange,
    RelativePath,
    Request,
    ServiceName,
    Words,
    Zone,
)


class Dependency(Block, frozen=True, kw_only=True):
    """Another service that this one needs."""

    SHORT: ClassVar[tuple[str, ...]] = ("needs",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "type": "needs",
        "kind": "needs",
        "fallback": "without",
        "env": "environment",
        "category": "risk",
        "strength": "needs",
        "phase": "at",
        "when": "at",
        "accept": "accepted",
        "waiver": "accepted",
    }

    needs: Annotated[
        Literal["hard", "soft"], "hard: no work without it; soft: less work without it"
    ]
    at: Annotated[
        tuple[Literal["build", "deploy", "start", "runtime", "recovery"], ...], "when it is needed"
    ] = ("runtime",)
    calls: Annotated[tuple[Match, ...], "requests that are made; all when empty"] = ()
    timeout: Annotated[Duration, "time for an answer"] = timedelta(seconds=5)
    retries: Annotated[Count, "how often a failed call is repeated"] = 2
    retry_on: Annotated[
        tuple[Literal["connect", "reset", "timeout", "429", "500", "502", "503", "504"], ...],
        "which failures are repeated",
    ] = ("connect", "502", "503")
    without: Annotated[Words | None, "what happens without it; a soft dependency must say"] = None
    environment: Annotated[Name | None, "another environment to find it in"] = None
    risk: Annotated[
        Literal[
            "deployments",
            "source",
            "artifacts",
            "builds",
            "configuration",
            "logging",
            "auth",
            "network",
            "data",
            "other",
        ],
        "what it is used for, and so what is lost with it",
    ] = "other"
    group: Annotated[Name | None, "group of alternatives that it is in, see `groups`"] = None
    can_change: Annotated[bool, "whether it could be removed or made soft at all"] = True
    accepted: Annotated[Acceptance | None, "who accepts what is wrong with it"] = None

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.needs == "soft" and not self.without:
            yield Rule(
                "needs",
                "a soft dependency must say what happens without it",
                "write it as {needs: soft, without: mails wait}",
            )
        if not self.at:
            yield Rule(
                "at", "a dependency that is never needed is none", "write for example [runtime]"
            )


class Door(Block, frozen=True, kw_only=True):
    """Which people and builds may send some requests; nobody unless said."""

    SHORT: ClassVar[tuple[str, ...]] = ("groups",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {"roles": "groups", "pipelines": "builds"}

    public: Annotated[bool, "whether people outside may"] = False
    staff: Annotated[bool, "whether everybody may who is signed in"] = False
    groups: Annotated[tuple[Group, ...], "groups of staff that may"] = ()
    builds: Annotated[tuple[Words, ...], "pipelines that may"] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.groups and (self.public or self.staff):
            wider = "public" if self.public else "staff"
            yield Rule(
                "groups",
                f"'{wider}' lets in more than these groups do, so they say nothing",
                f"remove one of the two, or give the groups requests of their own under 'routes' and keep '{wider}'",
            )


class Ingress(Door, frozen=True, kw_only=True):
    """Who may call: services that declare it, and nobody else unless said."""

    SHORT: ClassVar[tuple[str, ...]] = ()

    callers: Annotated[
        tuple[ServiceName, ...] | None,
        "services that may if they declare it; all that do when nothing is written",
    ] = None
    enforce: Annotated[
        bool,
        "whether others are refused; otherwise they are counted, and those that would be are written down",
    ] = True
    routes: Annotated[
        dict[Match, Door],
        "who may send some requests, in place of what is said for all; of several that fit, the one with the longest path",
    ] = {}

    @override
    def mistakes(self) -> Iterator[Rule]:
        yield from super().mistakes()
        if "*" in self.routes:
            yield Rule(
                "routes",
                "'*' stands for all requests, and what holds for these is said beside 'routes'",
                "write public, staff, groups and builds one level up",
            )


class Network(Block, frozen=True, kw_only=True):
    """What may come in and go out; a dependency implies its way out."""

    ingress: Annotated[Ingress, "who may call"] = Ingress()
    egress: Annotated[
        tuple[HostPort, ...],
        "hosts outside that may be called, at port 443 unless said; of *.example.com every name below, by TLS or HTTP",
    ] = ()
    private: Annotated[
        tuple[PrivateRange, ...],
        "private addresses at which those hosts may be; names that lead to other ones, or to this machine, are not followed",
    ] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        for way in self.egress:
            host, _, port = way.partition(":")
            if port and not 1 <= int(port) <= 65535:
                yield Rule("egress", f"{way}: there is no port {port}", "write one from 1 to 65535")
            if _is_here(host):
                yield Rule(
                    "egress",
                    f"{host} is this machine, or the metadata of it, and not outside",
                    "declare the service in 'dependencies', or the resource in 'resources'",
                )


def _is_here(host: str) -> bool:
    """Tell whether a host is the machine itself, or its neighbour that gives out its credentials."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_unspecified


class Proxy(Block, frozen=True, kw_only=True):
    """What the proxy does before a request reaches the service."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "app-protocol": "protocol",
        "scheme": "protocol",
        "http2": "protocol",
        "h2c": "protocol",
        "grpc": "protocol",
        "sidecar": "placement",
        "auth": "who may call, and so has to prove who it is, stands in network.ingress:"
        " callers, staff, groups, builds, public",
    }

    protocol: Annotated[
        Literal["http1", "http2"],
        "what the service speaks on its port: HTTP/1.1, or HTTP/2 without TLS (h2c) as gRPC servers do",
    ] = "http1"
    timeout: Annotated[Duration, "time for a request"] = timedelta(seconds=15)
    policy: Annotated[RelativePath | None, "file of a policy that decides"] = None
    tracing: Annotated[Percent, "share of the requests that are traced"] = 0.05
    body: Annotated[Size | None, "largest body; as large as it is when nothing is written"] = None
    placement: Annotated[
        Literal["node", "instance"] | None,
        "where the sidecar runs: in the proxy of the host, or in a process that this service has alone; as the platform has"
        " it when nothing is written",
    ] = None


_WINDOWS = frozenset({"sliding-window", "fixed-window"})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Limit(Block, frozen=True, kw_only=True):
    """How often something may be called."""

    SHORT: ClassVar[tuple[str, ...]] = ("rate",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "scope": "counted",
        "tier": "counted",
        "requests": "rate",
        "path": "match",
        "route": "match",
        "key": "per",
        "by": "per",
        "dry_run": "shadow",
        "dry-run": "shadow",
        "failure_mode": "when_down",
        "on_failure": "when_down",
    }

    rate: Annotated[Rates, "calls in a time"]
    match: Annotated[
        LimitedRequests, "which requests; none: only what the service itself asks about"
    ] = "*"
    burst: Annotated[
        Positive | None,
        "calls at once; when absent, as many as the rate has, and one with gcra",
    ] = None
    per: Annotated[
        Literal["caller", "tenant", "user", "ip", "service", "header"],
        "who is counted; service: all together",
    ] = "caller"
    header: Annotated[HeaderName | None, "with per: header, the one whose value is counted"] = None
    algorithm: Annotated[
        Literal["token-bucket", "gcra", "sliding-window", "fixed-window"], "how it is counted"
    ] = "token-bucket"
    counted: Annotated[
        Literal["local", "shared", "exact"],
        "where: in each proxy; in each proxy its share; in one place for all",
    ] = "local"
    shadow: Annotated[bool, "whether calls over the limit are told and let through"] = False
    when_down: Annotated[
        Literal["open", "closed"] | None,
        "with counted: exact, what happens to calls when nobody can count; open when absent",
    ] = None

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.rate.count == 0:
            yield Rule(
                "rate",
                "a limit of nothing lets nobody in",
                "write at least 1, or take callers out of network.ingress",
            )
        if self.algorithm in _WINDOWS and self.counted != "exact":
            yield Rule(
                "algorithm",
                f"a proxy cannot count by {self.algorithm} itself",
                "write 'counted: exact', or 'algorithm: token-bucket'",
            )
        if self.algorithm in _WINDOWS and self.burst is not None:
            yield Rule(
                "burst", f"a {self.algorithm} has no burst: its rate is all that comes", "remove it"
            )
        if self.when_down is not None and self.counted != "exact":
            yield Rule(
                "when_down",
                "a limit that the proxy counts itself is never down",
                "remove it, or write 'counted: exact'",
            )
        if self.match == "none" and self.counted != "exact":
            yield Rule(
                "match",
                "a proxy counts requests alone, and this limit is about none",
                "write 'counted: exact'; the service then asks at DRYSTONE_LIMITS_URL",
            )
        yield from self._header_mistakes()

    def _header_mistakes(self) -> Iterator[Rule]:
        if self.per == "header" and self.header is None:
            yield Rule(
                "per",
                "nothing says which header is counted",
                "write for example 'header: X-Plan' beside it",
            )
        if self.per != "header" and self.header is not None:
            yield Rule(
                "header", f"a limit per {self.per} looks at no header", "write 'per: header'"
            )
        if self.header is not None and self.header.lower() in _SECRET_HEADERS:
            yield Rule(
                "header",
                "what proves who calls is no name to count by",
                "write 'per: caller' or 'per: user'",
            )


class Schedule(Block, frozen=True, kw_only=True):
    """Something that happens at its time."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("cron", "every", "at"),
        ("call", "queue", "run"),
    )
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "command": "run",
        "request": "call",
        "tz": "timezone",
        "interval": "every",
    }

    cron: Annotated[Cron | None, "five fields: minute, hour, day, month, weekday"] = None
    every: Annotated[Duration | None, "time between two"] = None
    at: Annotated[Moment | None, "once"] = None
    call: Annotated[Request | None, "request to the service"] = None
    queue: Annotated[Name | None, "queue of the service that gets a message"] = None
    run: Annotated[tuple[Working, ...] | None, "command that runs as an instance of its own"] = None
    timezone: Annotated[Zone, "time zone of the cron line"] = "UTC"
    timeout: Annotated[Duration, "time for one run"] = timedelta(minutes=5)
    overlap: Annotated[
        Literal["skip", "allow", "queue"], "what happens when the last one still runs"
    ] = "skip"
    missed: Annotated[Literal["once", "all", "drop"], "what happens to runs that were missed"] = (
        "once"
    )
    retries: Annotated[Count, "how often a failed run is repeated"] = 0
    jitter: Annotated[Duration | None, "most delay, chosen by chance"] = None
    body: Annotated[Any, "body of the request or message"] = None


class Publish(Block, frozen=True, kw_only=True):
    """A type of event that the service publishes."""

    SHORT: ClassVar[tuple[str, ...]] = ("schema",)

    schema: Annotated[RelativePath, "file of its JSON Schema"]


class Subscribe(Block, frozen=True, kw_only=True):
    """Events that the service wants."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {"filter": "where", "event": "type", "queue": "to"}

    type: Annotated[EventType, "which"]
    to: Annotated[Words, "queue of the service, or a request such as POST /events"]
    where: Annotated[Words | None, "condition on the event, such as data.amount > 0"] = None
    batch: Annotated[Positive, "events at once"] = 1
    attempts: Annotated[Positive, "how often an event is given out"] = 5


class Events(Block, frozen=True, kw_only=True):
    """Events that go out and come in."""

    publishes: Annotated[dict[EventType, Publish], "types that go out, with their schema"] = {}
    subscribes: Annotated[dict[Name, Subscribe], "what comes in"] = {}
