"""A law of the protocol: no order of changes and answers ever leaves a route without its cluster."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.proxy.conversation import Conversation
from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    NOTHING,
    ROUTE,
    Snapshot,
    pack_snapshot,
)

REQUEST = "envoy.service.discovery.v3.DiscoveryRequest"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def snapshot(services: frozenset[str], weight: int) -> Snapshot:
    hosts = [
        {"name": s, "domains": [s], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": s}}]}
        for s in sorted(services)
    ]
    manager = {"@type": f"type.googleapis.com/{MANAGER}", "rds": {"route_config_name": "edge"}}
    return Snapshot(
        clusters={s: {"name": s, "type": "EDS"} for s in services},
        endpoints={
            s: {"cluster_name": s, "endpoints": [{"load_balancing_weight": weight}]}
            for s in services
        },
        listeners={
            "edge": {
                "name": "edge",
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }
        },
        routes={"edge": {"name": "edge", "virtual_hosts": hosts}},
    )


class ModelEnvoy:
    """Keeps what it was sent and accepts everything, as late as it likes."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.current = NOTHING
        self.inbox: deque[Any] = deque()
        self.nonces: dict[str, str] = {}
        self.clusters: set[str] = set()
        self.weights: dict[str, int] = {}
        self.routed: set[str] = set()

    def publish(self, services: frozenset[str], weight: int) -> None:
        self.current = pack_snapshot(
            snapshot(services, weight), self.current.version + 1, self.current
        )
        self._hear()

    def connect(self) -> None:
        self._ask(CLUSTER)
        self._ask(LISTENER)

    def take(self) -> None:
        """Take in the next response and accept it."""
        response = self.inbox.popleft()
        kind = response.type_url
        self.nonces[kind] = response.nonce
        found = [self._decoded(kind, resource) for resource in response.resources]
        if kind == CLUSTER:
            before, self.clusters = self.clusters, {cluster.name for cluster in found}
            self._ask(CLUSTER)
            if before != self.clusters:
                self._ask(ENDPOINT)
        elif kind == ENDPOINT:
            for one in found:
                self.weights[one.cluster_name] = one.endpoints[0].load_balancing_weight.value
            self._ask(ENDPOINT)
        elif kind == LISTENER:
            self._ask(LISTENER)
            if ROUTE not in self.nonces:
                self._ask(ROUTE)
        else:
            self.routed = {host.name for table in found for host in table.virtual_hosts}
            self._ask(ROUTE)

    def _ask(self, kind: str) -> None:
        names = {ENDPOINT: sorted(self.clusters), ROUTE: ["edge"]}.get(kind, [])
        nonce = self.nonces.get(kind, "")
        request = message_class(REQUEST)(type_url=kind, resource_names=names, response_nonce=nonce)
        self.conversation.receive(request)
        self._hear()

    def _hear(self) -> None:
        self.inbox.extend(self.conversation.responses(self.current))

    def _decoded(self, kind: str, resource: Any) -> Any:
        return message_class(kind.rpartition("/")[2]).FromString(resource.value)


STEPS = st.lists(
    st.tuples(st.frozensets(st.sampled_from("abcd")), st.integers(1, 3)) | st.none(), max_size=40
)


@given(STEPS)
def test_every_route_has_its_cluster_at_every_moment_and_the_last_word_counts(
    steps: list[tuple[frozenset[str], int] | None],
) -> None:
    envoy = ModelEnvoy()
    last: tuple[frozenset[str], int] = (frozenset("a"), 1)
    envoy.publish(*last)
    envoy.connect()
    for step in steps:
        if step is not None:
            last = step
            envoy.publish(*step)
        elif envoy.inbox:
            envoy.take()
        assert envoy.routed <= envoy.clusters & envoy.weights.keys()
    taken = 0
    while envoy.inbox:
        envoy.take()
        assert envoy.routed <= envoy.clusters & envoy.weights.keys()
        taken += 1
        assert taken < 100, "the conversation goes round in circles"
    services, weight = last
    assert envoy.routed == envoy.clusters == services
    assert {envoy.weights[name] for name in services} <= {weight}
    assert envoy.conversation.has_applied(envoy.current.version)
