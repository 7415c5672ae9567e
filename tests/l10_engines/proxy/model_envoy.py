"""A model of an Envoy that takes its configuration incrementally, and snapshots for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any

from drystone.l10_engines.proxy.incremental import IncrementalConversation
from drystone.l10_engines.proxy.messages import Config, message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    KINDS,
    LISTENER,
    NOTHING,
    ROUTE,
    SECRET,
    WILDCARDS,
    Snapshot,
    pack_snapshot,
)

API = "envoy.service.discovery.v3."
HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
SHORT = {"S": SECRET, "C": CLUSTER, "E": ENDPOINT, "L": LISTENER, "R": ROUTE}
LETTER = {kind: letter for letter, kind in SHORT.items()}


def listener(routes: str, backlog: int) -> Config:
    manager = {"@type": f"type.googleapis.com/{HTTP}", "rds": {"route_config_name": routes}}
    filters = [{"name": "http", "typed_config": manager}]
    return {"name": routes, "tcp_backlog_size": backlog, "filter_chains": [{"filters": filters}]}


def routes(name: str, services: Collection[str]) -> Config:
    hosts = [
        {"name": s, "domains": [s], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": s}}]}
        for s in sorted(services)
    ]
    return {"name": name, "virtual_hosts": hosts}


def snapshot(*services: str, weight: int = 1, change: int = 1, backlog: int = 1) -> Snapshot:
    """A cluster, its endpoints and a listener with routes for each service, and one for all of them.

    Args:
        services: Their names.
        weight: In all endpoints.
        change: In all clusters.
        backlog: In all listeners.
    """
    tables = {name: routes(name, [name]) for name in services}
    tables["edge"] = routes("edge", services)
    return Snapshot(
        clusters={
            s: {"name": s, "type": "EDS", "per_connection_buffer_limit_bytes": change}
            for s in services
        },
        endpoints={
            s: {"cluster_name": s, "endpoints": [{"load_balancing_weight": weight}]}
            for s in services
        },
        listeners={name: listener(name, backlog) for name in tables},
        routes=tables,
    )


class Connection:
    """One stream, and what an Envoy has yet to read of it."""

    def __init__(self) -> None:
        self.conversation = IncrementalConversation()
        self.inbox: deque[Any] = deque()
        self.sent: list[tuple[str, str, str]] = []
        """Kind, name and version, in order; no version where the name was asked for or was said to be gone."""


class ModelEnvoy:
    """Keeps what it was sent, also from one stream to the next, and answers as late as it likes.

    It does what was observed of Envoy: a cluster that changes serves when it has had its endpoints once more, for
    which it does not ask; of a response that it refuses it keeps the sound parts, and remembers no versions.
    """

    def __init__(self) -> None:
        self.current = NOTHING
        self.stream = Connection()
        self.versions: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        self.has: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self.named: dict[str, set[str]] = {ENDPOINT: set(), ROUTE: set()}
        self.warming: set[str] = set()
        self.unsound: frozenset[str] = frozenset()
        """Listeners that it refuses."""

    def publish(self, new: Snapshot, *, afresh: bool = False) -> None:
        """Have the server serve it, perhaps one that knows nothing of what it served before."""
        before = NOTHING if afresh else self.current
        self.current = pack_snapshot(new, self.current.version + 1, before)
        self.hear()

    def connect(self) -> None:
        """Begin a stream, and say what there is from the streams before."""
        self.stream = Connection()
        for kind in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
            names = self.named.get(kind, set())
            if kind in WILDCARDS or names:
                self.ask(kind, names, first=True)

    def ask(
        self,
        kind: str,
        wanted: Collection[str] = (),
        *,
        no_longer: Collection[str] = (),
        nonce: str = "",
        error: str = "",
        first: bool = False,
    ) -> None:
        request = message_class(API + "DeltaDiscoveryRequest")(
            type_url=kind,
            resource_names_subscribe=sorted(wanted),
            resource_names_unsubscribe=sorted(no_longer),
            response_nonce=nonce,
            initial_resource_versions=self.versions[kind] if first else {},
        )
        request.node.id, request.node.cluster = "n", "g"
        if error:
            request.error_detail.message = error
        self.stream.sent += [(kind, name, "") for name in wanted]
        self.stream.conversation.receive(request)
        self.hear()

    def hear(self) -> None:
        for response in self.stream.conversation.responses(self.current):
            self.stream.inbox.append(response)
            kind = response.type_url
            self.stream.sent += [(kind, one.name, one.version) for one in response.resources]
            self.stream.sent += [(kind, name, "") for name in response.removed_resources]

    def take(self) -> None:
        """Take in the next response, and accept it or refuse it."""
        response = self.stream.inbox.popleft()
        kind = response.type_url
        bad = [one.name for one in response.resources if self._is_unsound(kind, one.name)]
        for one in response.resources:
            if one.name not in bad:
                self._keep(kind, one)
        for name in response.removed_resources:
            self.has[kind].pop(name, None)
            self.warming.discard(name)
        if not bad:
            self.versions[kind] |= {one.name: one.version for one in response.resources}
            for name in response.removed_resources:
                self.versions[kind].pop(name, None)
        self._want()
        self.ask(kind, nonce=response.nonce, error=f"no: {bad}" if bad else "")

    def _is_unsound(self, kind: str, name: str) -> bool:
        return kind == LISTENER and name in self.unsound

    def _keep(self, kind: str, one: Any) -> None:
        value = message_class(kind.rpartition("/")[2]).FromString(one.resource.value)
        if kind == CLUSTER:
            self.warming.add(one.name)
        if kind == ENDPOINT:
            self.warming.discard(one.name)
        if kind in WILDCARDS or one.name in self.named[kind]:
            self.has[kind][one.name] = value

    def _want(self) -> None:
        """Ask for endpoints of clusters and for routes of listeners, and give up what is needed no longer."""
        for named, by in ((ENDPOINT, CLUSTER), (ROUTE, LISTENER)):
            before, now = self.named[named], set(self.has[by])
            self.named[named] = now
            for name in before - now:
                self.has[named].pop(name, None)
                self.versions[named].pop(name, None)
            if before != now:
                # The first words of a stream say everything; later ones say what is new.
                first = named not in self.stream.conversation._subscriptions
                self.ask(named, now - before, no_longer=before - now, first=first)

    def take_all(self) -> str:
        """Take in what comes until nothing comes; return the kinds, as letters."""
        kinds = ""
        while self.stream.inbox:
            kinds += LETTER[self.stream.inbox[0].type_url]
            self.take()
            assert len(kinds) < 200, "the conversation goes round in circles"
        return kinds

    def contents(self) -> dict[str, dict[str, Any]]:
        return {kind: self.has[kind] for kind in (CLUSTER, ENDPOINT, LISTENER, ROUTE)}

    def has_broken_routes(self) -> bool:
        """Tell whether a route leads to a cluster that is not there or was never served by one that is."""
        used = {host.name for table in self.has[ROUTE].values() for host in table.virtual_hosts}
        return not used <= self.has[CLUSTER].keys() & self.has[ENDPOINT].keys()


def expected(wanted: Snapshot) -> dict[str, dict[str, Any]]:
    packed = pack_snapshot(wanted, 1)
    return {
        kind: {
            name: message_class(kind.rpartition("/")[2]).FromString(of.message.value)  # type: ignore[attr-defined]
            for name, of in packed.resources[kind].items()
        }
        for kind in (CLUSTER, ENDPOINT, LISTENER, ROUTE)
    }
