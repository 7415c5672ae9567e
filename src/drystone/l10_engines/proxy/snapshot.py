"""What an Envoy shall do, as plain values; and the same packed for the wire."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import Message

from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, pack

CLUSTER = TYPE_PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT = TYPE_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = TYPE_PREFIX + "envoy.config.listener.v3.Listener"
ROUTE = TYPE_PREFIX + "envoy.config.route.v3.RouteConfiguration"
SECRET = TYPE_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = TYPE_PREFIX + "envoy.config.core.v3.TypedExtensionConfig"

KINDS = (SECRET, CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE)
"""The order in which a change is sent: what is named goes before what names it."""

WILDCARDS = frozenset({CLUSTER, LISTENER})
"""Kinds of which Envoy asks for everything; of the others it asks by name."""

Resources = Mapping[str, Config]


class Snapshot(msgspec.Struct, frozen=True):
    """The whole configuration of a group of Envoys, by resource name.

    Attributes:
        clusters: ``Cluster`` messages; one of type ``EDS`` finds its endpoints under its own name.
        endpoints: ``ClusterLoadAssignment`` messages by cluster name.
        listeners: ``Listener`` messages.
        routes: ``RouteConfiguration`` messages, for listeners that ask for them by name.
        secrets: ``Secret`` messages.
        extensions: ``TypedExtensionConfig`` messages.
        optional: Listeners without which the rest is still of use.
    """

    clusters: Resources = {}
    endpoints: Resources = {}
    listeners: Resources = {}
    routes: Resources = {}
    secrets: Resources = {}
    extensions: Resources = {}
    optional: frozenset[str] = frozenset()

    def without(self, listeners: Collection[str]) -> Snapshot:
        """Return the same without some listeners and the routes that only they name."""
        kept = {name: of for name, of in self.listeners.items() if name not in listeners}
        named = {route for listener in kept.values() for route in _routes_of(listener)}
        return msgspec.structs.replace(
            self,
            listeners=kept,
            routes={name: of for name, of in self.routes.items() if name in named},
        )

    def of_kind(self, kind: str) -> Resources:
        """Return the resources of one of :data:`KINDS`."""
        by_kind = {
            CLUSTER: self.clusters,
            ENDPOINT: self.endpoints,
            LISTENER: self.listeners,
            ROUTE: self.routes,
            SECRET: self.secrets,
            EXTENSION: self.extensions,
        }
        return by_kind[kind]


class Packed(NamedTuple):
    """One resource on the wire, and the version at which it last changed."""

    version: int
    message: Message
    source: Config


class PackedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot ready to be sent.

    Attributes:
        version: Grows with every snapshot of one server.
        versions: Per kind, the version at which anything of it last changed.
        resources: Per kind, by name.
        needed: Per kind, the names that others of the snapshot mention, so that Envoy will ask for them.
    """

    version: int
    versions: Mapping[str, int]
    resources: Mapping[str, Mapping[str, Packed]]
    needed: Mapping[str, frozenset[str]]


NOTHING = PackedSnapshot(0, dict.fromkeys(KINDS, 0), {kind: {} for kind in KINDS}, {})
"""What a group has before its first snapshot."""


def pack_snapshot(
    snapshot: Snapshot, version: int, before: PackedSnapshot = NOTHING
) -> PackedSnapshot:
    """Pack a snapshot; what did not change keeps its bytes and its version.

    Raises:
        InvalidProxyConfig: A resource does not fit its type, a cluster lacks its endpoints or a
            listener its routes.
    """
    needed = _needed(snapshot)
    versions: dict[str, int] = {}
    resources: dict[str, dict[str, Packed]] = {}
    for kind in KINDS:
        old = before.resources[kind]
        new = {
            name: _pack(kind, config, old.get(name), version)
            for name, config in snapshot.of_kind(kind).items()
        }
        unchanged = before.version > 0 and new == old
        versions[kind] = before.versions[kind] if unchanged else version
        resources[kind] = new
    return PackedSnapshot(version, versions, resources, needed)


def _needed(snapshot: Snapshot) -> dict[str, frozenset[str]]:
    clusters = {name for name, of in snapshot.clusters.items() if of.get("type") == "EDS"}
    routes = {name for listener in snapshot.listeners.values() for name in _routes_of(listener)}
    for what, wanted, given in (
        ("clusters of type EDS and endpoints", clusters, snapshot.endpoints.keys()),
        ("routes that listeners name and routes", routes, snapshot.routes.keys()),
    ):
        if wanted ^ given:
            alone = ", ".join(sorted(wanted ^ given))
            raise InvalidProxyConfig(f"{what} must have the same names; alone: {alone}")
    return {ENDPOINT: frozenset(clusters), ROUTE: frozenset(routes)}


def _routes_of(value: Any) -> Iterator[str]:
    """Find the names of all routes that a listener asks for."""
    if isinstance(value, Mapping):
        if "rds" in value:
            yield value["rds"]["route_config_name"]
        for inner in value.values():
            yield from _routes_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _routes_of(inner)


def _pack(kind: str, config: Config, old: Packed | None, version: int) -> Packed:
    if old is not None and (old.source is config or old.source == config):
        return old
    return Packed(version, pack(kind.removeprefix(TYPE_PREFIX), config), config)


def static_resources(snapshot: Snapshot) -> dict[str, Any]:
    """Return the same configuration as the ``static_resources`` of a bootstrap.

    Endpoints move into their clusters and routes into their listeners, so that an Envoy can start from
    the result when nobody serves it configuration.

    Raises:
        InvalidProxyConfig: The snapshot holds extensions, or a listener names routes that it lacks.
    """
    if snapshot.extensions:
        raise InvalidProxyConfig("extension configurations have no static form")
    return {
        "clusters": [
            static_cluster(cluster, snapshot.endpoints.get(name))
            for name, cluster in snapshot.clusters.items()
        ],
        "listeners": [
            _inlined(listener, snapshot.routes) for listener in snapshot.listeners.values()
        ],
        "secrets": list(snapshot.secrets.values()),
    }


def static_cluster(cluster: Config, endpoints: Config | None) -> dict[str, Any]:
    """Return a cluster that holds its endpoints, if it is one that asks for them."""
    static = {key: value for key, value in cluster.items() if key != "eds_cluster_config"}
    if endpoints is not None:
        static |= {"type": "STATIC", "load_assignment": endpoints}
    return static


def _inlined(value: Any, routes: Resources) -> Any:
    """Return the value with every ``rds`` replaced by the routes that it names."""
    if isinstance(value, Mapping):
        new = {key: _inlined(inner, routes) for key, inner in value.items() if key != "rds"}
        if "rds" in value:
            name = value["rds"]["route_config_name"]
            if name not in routes:
                raise InvalidProxyConfig(
                    f"a listener names the routes {name!r}, which do not exist"
                )
            new["route_config"] = routes[name]
        return new
    if isinstance(value, list | tuple):
        return [_inlined(inner, routes) for inner in value]
    return value
