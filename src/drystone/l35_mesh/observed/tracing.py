"""Traces of calls: what has to be added to a proxy's configuration so that it reports spans. Pure but for what it remembers.

Spans go by OTLP over HTTP, with the trace context of the W3C (``traceparent``), or in the format of Zipkin, with that and B3
(``b3``, ``x-b3-*``); a listener of Envoy has one tracer. Every listener that a call passes reports a span: the edge, the
address at which a service finds another (a client's span), and the sidecar of the service that is called (a server's). Which
share of the calls is traced a service says itself (``proxy.tracing``); all proxies draw from the same request id, so that they
agree, and a call that somebody has begun to trace is traced to its end.

What a client sends in a query stays out of spans: the address is cut, and a tag has the path alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.proxy.edge_listener import HTTP_CONNECTION
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.model import TRACING

COLLECTOR = "*collector"  # no service can have this name
EDGE = "edge"
_TRACE = TYPE_PREFIX + "envoy.config.trace.v3"
_ZIPKIN_PATH = "/api/v2/spans"
_OTLP_PATH = "/v1/traces"
_MILLION = 1_000_000


class CannotTrace(Invalid):
    """The settings say nothing to which spans can be sent."""


class Collector(msgspec.Struct, frozen=True):
    """Who gets the spans.

    Attributes:
        kind: ``otlp`` or ``zipkin``.
        host: Its name or IP address.
        port: TCP port.
        path: Where it takes spans.
    """

    kind: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port, as they stand in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def collector_of(otlp: str | None, zipkin: str | None) -> Collector | None:
    """Return who gets the spans by the settings; None when nobody does.

    Args:
        otlp: Address of a collector of OpenTelemetry.
        zipkin: Address of a Zipkin, or of what speaks as it does.

    Raises:
        CannotTrace: Both are set, or one is no address of HTTP.
    """
    if otlp and zipkin:
        raise CannotTrace(
            "telemetry.otlp and telemetry.zipkin are both set, and a proxy sends spans to one of them: remove one"
        )
    for kind, url, path in (("otlp", otlp, _OTLP_PATH), ("zipkin", zipkin, _ZIPKIN_PATH)):
        if not url:
            continue
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host, port, parts = None, 0, urlsplit("")
        if parts.scheme != "http" or not host or parts.username or parts.query:
            raise CannotTrace(
                f"telemetry.{kind} is no address such as http://127.0.0.1:4318; what is encrypted, a collector on this"
                " machine sends on"
            )
        return Collector(kind, host, port, parts.path if parts.path not in ("", "/") else path)
    return None


class Tracing:
    """Adds tracing to configurations; what did not change stays the same object.

    Args:
        collector: Who gets the spans.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._cluster = cluster_of(collector)
        self._listeners: dict[str, tuple[Config, float, Config]] = {}
        self._routes: dict[str, tuple[Config, Mapping[str, float], Config]] = {}

    def __call__(self, snapshot: Snapshot, members: Iterable[Member]) -> Snapshot:
        """Return a configuration with tracing.

        Args:
            snapshot: The whole of it.
            members: Every service, for the share that it wants.
        """
        shares = {
            member.name: share
            for member in members
            if member.surroundings and (share := member.surroundings[0].tracing) is not None
        }
        listeners, self._listeners = self._listeners, {}
        for name, config in snapshot.listeners.items():
            service = _service_at(name)
            if service is None:
                continue
            share = shares.get(service, TRACING)
            known = listeners.get(name)
            if known is None or known[0] is not config or known[1] != share:
                known = (config, share, traced(config, name, service, share, self._collector))
            self._listeners[name] = known
        return msgspec.structs.replace(
            snapshot,
            clusters={**snapshot.clusters, COLLECTOR: self._cluster},
            listeners={
                **snapshot.listeners,
                **{name: known[2] for name, known in self._listeners.items()},
            },
            routes={name: self._routed(name, of, shares) for name, of in snapshot.routes.items()},
        )

    def _routed(self, name: str, routes: Config, shares: Mapping[str, float]) -> Config:
        """Let the edge draw the share of the service that is called."""
        if name != EDGE:
            return routes
        known = self._routes.get(name)
        if known is None or known[0] is not routes or known[1] != shares:
            known = self._routes[name] = (routes, shares, with_shares(routes, shares))
        return known[2]


def traced(
    listener: Config, name: str, service: str, share: float, collector: Collector
) -> dict[str, Any]:
    """Return a ``Listener`` that reports spans.

    Args:
        listener: What it was.
        name: Its name.
        service: Whose spans these are, as the edge calls it, or :data:`EDGE`.
        share: Which share of the calls is traced, from 0 to 1.
        collector: Who gets the spans.
    """
    told = service if service == EDGE else _issuer(service)
    tracing = {
        "provider": _provider(told, collector),
        "client_sampling": {"value": 0},
        "random_sampling": {"value": round(100 * share, 4)},
        "overall_sampling": {"value": 100},
        "operation": "%REQ(:METHOD):32%",  # as the conventions of OpenTelemetry name spans of HTTP
        # The address has the query, which nobody else needs to see.
        "max_path_tag_length": 1,
        "custom_tags": [
            {"tag": "drystone.service", "literal": {"value": told}},
            {"tag": "url.path", "value": "%PATH(NQ:ORIG_OR_PATH):256%"},
        ],
    }
    chains = [
        {**chain, "filters": [_with_tracing(one, tracing) for one in chain["filters"]]}
        for chain in listener["filter_chains"]
    ]
    direction = {"traffic_direction": "OUTBOUND"} if name.startswith("outbound/") else {}
    return {**listener, "filter_chains": chains, **direction}


def with_shares(routes: Config, shares: Mapping[str, float]) -> dict[str, Any]:
    """Return a ``RouteConfiguration`` whose routes draw the share of their service."""
    return {
        **routes,
        "virtual_hosts": [
            {**host, "routes": [_drawn(route, shares[host["name"]]) for route in host["routes"]]}
            if host["name"] in shares
            else host
            for host in routes["virtual_hosts"]
        ],
    }


def cluster_of(collector: Collector) -> Config:
    """Return the ``Cluster`` that leads to who gets the spans; while it cannot be reached, spans are lost and calls go on."""
    at = {"socket_address": {"address": collector.host, "port_value": collector.port}}
    return {
        "name": COLLECTOR,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": COLLECTOR,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at}}]}],
        },
    }


def _provider(service: str, collector: Collector) -> Config:
    if collector.kind == "zipkin":
        return {
            "name": "envoy.tracers.zipkin",
            "typed_config": {
                "@type": f"{_TRACE}.ZipkinConfig",
                "collector_cluster": COLLECTOR,
                "collector_hostname": collector.authority,
                "collector_endpoint": collector.path,
                "collector_endpoint_version": "HTTP_JSON",
                "trace_id_128bit": True,
                "shared_span_context": False,
                "trace_context_option": "USE_B3_WITH_W3C_PROPAGATION",
            },
        }
    return {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": f"{_TRACE}.OpenTelemetryConfig",
            "service_name": service,
            "http_service": {
                "http_uri": {
                    "uri": f"http://{collector.authority}{collector.path}",
                    "cluster": COLLECTOR,
                    "timeout": "1s",
                }
            },
        },
    }


def _with_tracing(one: Config, tracing: Config) -> Config:
    config = one.get("typed_config", {})
    if config.get("@type") != TYPE_PREFIX + HTTP_CONNECTION:
        return one
    return {**one, "typed_config": {**config, "tracing": tracing}}


def _drawn(route: Config, share: float) -> Config:
    whole = {"numerator": 100}
    drawn = {"numerator": round(share * _MILLION), "denominator": "MILLION"}
    sampling = {
        "client_sampling": {"numerator": 0},
        "random_sampling": drawn,
        "overall_sampling": whole,
    }
    return {**route, "tracing": sampling}


def _service_at(listener: str) -> str | None:
    """Return whose spans a listener reports; None where it reports none."""
    kind, _, rest = listener.partition("/")
    if kind in ("inbound", "internal"):
        return rest
    if kind == "outbound":
        return rest.partition(">")[0]
    return EDGE if listener == EDGE else None


def _issuer(name: str) -> str:
    service, _, environment = name.partition(".")
    return f"{environment}/{service}"
