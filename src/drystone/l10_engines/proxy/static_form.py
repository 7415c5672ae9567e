"""The JSON of a whole configuration, of which only what has changed is made anew: a switch of one service changes little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import (
    EXTENSION,
    ROUTE,
    Name,
    Snapshot,
    references,
    static_cluster,
    static_listener,
    static_secrets,
)

_RESOURCES = "static_resources"


Hosts = Mapping[int, tuple[Config, msgspec.Raw]]
"""Virtual hosts by identity, each with its JSON. They are kept with it, or another object could get their identity."""


class _Piece(NamedTuple):
    """The JSON of one resource, and what it was made of.

    Attributes:
        source: The resource.
        asked: What it asks for apart.
        further: Those, in the same order.
        hosts: Of its routes: those of the edge have one for each service.
        text: The JSON.
    """

    source: Config
    asked: tuple[Name, ...]
    further: tuple[Config | None, ...]
    hosts: Hosts
    text: bytes


class StaticForm:
    """Writes one snapshot after the other as a ``Bootstrap`` that needs nobody.

    What of a snapshot is the same object as in the one before is neither looked at nor encoded again.

    Args:
        settings: What Envoy is started with.
    """

    def __init__(self, settings: ProxySettings) -> None:
        rest = static_bootstrap(Snapshot(), settings)
        del rest["static_resources"]
        self._rest = msgspec.json.encode(rest)[1:]
        self._clusters: dict[str, _Piece] = {}
        self._listeners: dict[str, _Piece] = {}

    def take(self, snapshot: Snapshot) -> tuple[list[bytes], list[bytes] | None]:
        """Return the JSON of a snapshot in parts that are to be joined.

        Returns:
            All of it, and what is left without its optional listeners; None where it has none.

        Raises:
            InvalidProxyConfig: A listener names routes or extensions that the snapshot lacks.
        """
        clusters = {
            name: _cluster(of, snapshot.endpoints.get(name), self._clusters.get(name))
            for name, of in snapshot.clusters.items()
        }
        apart = {ROUTE: snapshot.routes, EXTENSION: snapshot.extensions}
        listeners = {
            name: _listener(of, apart, self._listeners.get(name))
            for name, of in snapshot.listeners.items()
        }
        self._clusters, self._listeners = clusters, listeners
        named = [name for of in clusters.values() for name in of.asked]
        secrets = msgspec.json.encode(static_secrets(snapshot.secrets, named))
        head = [b'{"static_resources":{"clusters":[', *_listed(clusters.values())]
        head.append(b'],"listeners":[')
        tail = [b'],"secrets":', secrets, b"},", self._rest]
        whole = [*head, *_listed(listeners.values()), *tail]
        if not snapshot.optional:
            return whole, None
        needed = [of for name, of in listeners.items() if name not in snapshot.optional]
        return whole, [*head, *_listed(needed), *tail]


def _listed(pieces: Iterable[_Piece]) -> list[bytes]:
    """Return the elements of a list in JSON, and what stands between them."""
    parts = [part for of in pieces for part in (of.text, b",")]
    return parts[:-1]


def _cluster(cluster: Config, endpoints: Config | None, before: _Piece | None) -> _Piece:
    if before is not None and before.source is cluster and before.further[0] is endpoints:
        return before
    text = msgspec.json.encode(static_cluster(cluster, endpoints))
    return _Piece(cluster, tuple(references(cluster)), (endpoints,), {}, text)


def _listener(
    listener: Config, apart: Mapping[str, Mapping[str, Config]], before: _Piece | None
) -> _Piece:
    known = before.hosts if before else {}
    if before is not None and before.source is not listener:
        before = None
    asked = before.asked if before else tuple(n for n in references(listener) if n[0] in apart)
    further = tuple([apart[kind].get(name) for kind, name in asked])
    if (
        before is not None and before.further == further
    ):  # which looks no further at what is the same object
        return before
    hosts: dict[int, tuple[Config, msgspec.Raw]] = {}
    inner: dict[str, dict[str, Config]] = {ROUTE: {}, EXTENSION: {}}
    for (kind, name), of in zip(asked, further, strict=True):
        if of is not None:
            inner[kind][name] = _with_hosts(of, known, hosts) if kind == ROUTE else of
    text = msgspec.json.encode(static_listener(listener, inner[ROUTE], inner[EXTENSION]))
    return _Piece(listener, asked, further, hosts, text)


def _with_hosts(
    routes: Config, known: Hosts, hosts: dict[int, tuple[Config, msgspec.Raw]]
) -> Config:
    """Return routes whose hosts are JSON already, and note that in ``hosts``."""
    made = []
    for host in routes["virtual_hosts"]:
        one = known.get(id(host)) or (host, msgspec.Raw(msgspec.json.encode(host)))
        hosts[id(host)] = one
        made.append(one[1])
    return {**routes, "virtual_hosts": made}
