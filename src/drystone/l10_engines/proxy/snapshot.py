"""What an Envoy shall do, as plain values; and the same packed for the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from google.protobuf.message import Message

from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared, pack

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

_DIGEST = 16
"""Bytes: no two contents share one, also among all that an Envoy ever had."""

Resources = Mapping[str, Config]

Name: TypeAlias = tuple[str, str]
"""Something that is asked for apart: its kind and its name."""

Names: TypeAlias = frozenset[Name]


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

    def without(
        self, listeners: Collection[str], names_of: Callable[[Config], Iterable[Name]] | None = None
    ) -> Snapshot:
        """Return the same without some listeners and what only they name.

        Args:
            listeners: Which.
            names_of: Knows what a listener names; :func:`references` finds it out.
        """
        if not listeners:
            return self
        names_of = names_of or references
        kept = {name: of for name, of in self.listeners.items() if name not in listeners}
        left = (of for name, of in self.listeners.items() if name in listeners)
        gone = {name for listener in left for name in names_of(listener)}
        gone.difference_update(*(names_of(listener) for listener in kept.values()))
        return msgspec.structs.replace(
            self,
            listeners=kept,
            routes={name: of for name, of in self.routes.items() if (ROUTE, name) not in gone},
            extensions={
                name: of for name, of in self.extensions.items() if (EXTENSION, name) not in gone
            },
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
    """One resource on the wire, the version at which it last changed, what it names, and a digest of its bytes."""

    version: int
    message: Message
    source: Config
    names: Names
    digest: str


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
    changed = {kind: _changed(snapshot.of_kind(kind), before.resources[kind]) for kind in KINDS}
    named = {kind for kind in KINDS if changed[kind] is not None}
    names: dict[str, dict[str, Names]] = {}
    needed = before.needed
    if named - {ENDPOINT, ROUTE, SECRET} or _has_other_names(snapshot, before):
        names = {kind: _all_names(snapshot.of_kind(kind), before, kind) for kind in WILDCARDS}
        needed = _needed(snapshot, names)
    versions = dict(before.versions)
    resources: dict[str, Mapping[str, Packed]] = dict(before.resources)
    for kind in KINDS:
        new = changed[kind]
        if new is None:
            if before.version == 0:
                versions[kind] = version
            continue
        old, known = before.resources[kind], names.get(kind, {})
        packed = {
            name: _pack(kind, config, old.get(name), version, known.get(name, frozenset()))
            for name, config in new.items()
        }
        resources[kind] = {
            name: packed[name] if name in packed else old[name] for name in snapshot.of_kind(kind)
        }
        versions[kind] = before.versions[kind] if resources[kind] == old else version
    return PackedSnapshot(version, versions, resources, needed)


def _changed(new: Resources, old: Mapping[str, Packed]) -> Resources | None:
    """Return those that are not the same objects as before; None when nothing is new or gone."""
    changed = {
        name: config
        for name, config in new.items()
        if (was := old.get(name)) is None or was.source is not config
    }
    return changed if changed or new.keys() != old.keys() else None


def _has_other_names(snapshot: Snapshot, before: PackedSnapshot) -> bool:
    kinds = (ENDPOINT, ROUTE, EXTENSION)
    return any(snapshot.of_kind(kind).keys() != before.resources[kind].keys() for kind in kinds)


def _all_names(new: Resources, before: PackedSnapshot, kind: str) -> dict[str, Names]:
    old = before.resources[kind]
    return {
        name: was.names
        if (was := old.get(name)) is not None and was.source is config
        else references(config)
        for name, config in new.items()
    }


def _needed(
    snapshot: Snapshot, names: Mapping[str, Mapping[str, Names]]
) -> dict[str, frozenset[str]]:
    named: dict[str, set[str]] = {kind: set() for kind in (ENDPOINT, ROUTE, EXTENSION, SECRET)}
    for by_resource in names.values():
        for kind, name in frozenset[Name]().union(*by_resource.values()):
            named[kind].add(name)
    for what, wanted, given in (
        ("clusters of type EDS and endpoints", named[ENDPOINT], snapshot.endpoints.keys()),
        ("routes that listeners name and routes", named[ROUTE], snapshot.routes.keys()),
        (
            "extensions that listeners name and extensions",
            named[EXTENSION],
            snapshot.extensions.keys(),
        ),
    ):
        if wanted ^ given:
            alone = ", ".join(sorted(wanted ^ given))
            raise InvalidProxyConfig(f"{what} must have the same names; alone: {alone}")
    return {kind: frozenset(names) for kind, names in named.items()}


def references(value: Any) -> Names:
    """Return what a cluster or a listener asks for apart, as kind and name."""
    return frozenset(_references(value))


def _references(value: Any) -> Iterator[Name]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)
    # What is the same in many asks for nothing of its own.
    elif isinstance(value, dict) and not isinstance(value, Shared):
        yield from _asked_for(value)
        for inner in value.values():
            if isinstance(inner, dict | list | tuple):
                yield from _references(inner)


def _asked_for(value: Config) -> Iterator[Name]:
    if value.get("type") == "EDS":
        yield ENDPOINT, value["name"]
    if "rds" in value:
        yield ROUTE, value["rds"]["route_config_name"]
    if "config_discovery" in value:
        yield EXTENSION, value["name"]
    if "sds_config" in value:
        yield SECRET, value["name"]


def _pack(kind: str, config: Config, old: Packed | None, version: int, names: Names) -> Packed:
    if old is not None and (old.source is config or old.source == config):
        return old
    message: Any = pack(kind.removeprefix(TYPE_PREFIX), config)
    digest = hashlib.blake2b(message.value, digest_size=_DIGEST).hexdigest()
    return Packed(version, message, config, names, digest)


def static_resources(snapshot: Snapshot) -> dict[str, Any]:
    """Return the same configuration as the ``static_resources`` of a bootstrap.

    Endpoints move into their clusters, routes and extensions into their listeners, so that an Envoy can start from
    the result when nobody serves it configuration.

    Raises:
        InvalidProxyConfig: A listener names routes or extensions that the snapshot lacks.
    """
    named = (name for of in snapshot.clusters.values() for name in references(of))
    return {
        "clusters": [
            static_cluster(cluster, snapshot.endpoints.get(name))
            for name, cluster in snapshot.clusters.items()
        ],
        "listeners": [
            static_listener(listener, snapshot.routes, snapshot.extensions)
            for listener in snapshot.listeners.values()
        ],
        "secrets": static_secrets(snapshot.secrets, named),
    }


def static_cluster(cluster: Config, endpoints: Config | None) -> dict[str, Any]:
    """Return a cluster that holds its endpoints, if it is one that asks for them."""
    static: dict[str, Any] = _inlined(cluster, {}, {})
    static.pop("eds_cluster_config", None)
    if endpoints is not None:
        static |= {"type": "STATIC", "load_assignment": endpoints}
    return static


def static_listener(
    listener: Config, routes: Mapping[str, Any], extensions: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a listener that holds what it asks for.

    Args:
        listener: As it is sent.
        routes: Those that it names, at least.
        extensions: Likewise; or the ``typed_config`` of each.

    Raises:
        InvalidProxyConfig: One that it names is not there.
    """
    static: dict[str, Any] = _inlined(listener, routes, extensions)
    return static


def static_secrets(secrets: Resources, named: Iterable[Name]) -> list[Config]:
    """Return the secrets, and an empty one for each that is missing: an Envoy would not start without.

    Args:
        secrets: Those that there are.
        named: What clusters ask for, as kind and name.
    """
    missing = {name for kind, name in named if kind == SECRET} - secrets.keys()
    empty = {"secret": {"inline_string": ""}}
    return [
        *secrets.values(),
        *({"name": name, "generic_secret": empty} for name in sorted(missing)),
    ]


def _inlined(value: Any, routes: Mapping[str, Any], extensions: Mapping[str, Any]) -> Any:
    """Return the value with what it asks for in place of where it asks."""
    if isinstance(value, Shared):
        return value
    if isinstance(value, dict):
        new = {
            key: _inlined(inner, routes, extensions)
            for key, inner in value.items()
            if key not in {"rds", "config_discovery", "sds_config"}
        }
        if "rds" in value:
            new["route_config"] = _known(routes, value["rds"]["route_config_name"], "routes")
        if "config_discovery" in value:
            new["typed_config"] = _known(extensions, value["name"], "extension")["typed_config"]
        return new
    if isinstance(value, list | tuple):
        return [_inlined(inner, routes, extensions) for inner in value]
    return value


def _known(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise InvalidProxyConfig(f"a listener names the {what} {name!r}, which do not exist")
    return known[name]
