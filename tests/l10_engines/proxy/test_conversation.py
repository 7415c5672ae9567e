"""The protocol's rules, with a model of Envoy in place of Envoy."""

from __future__ import annotations

from typing import Any

import msgspec

from drystone.l10_engines.proxy.conversation import Conversation
from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    NOTHING,
    ROUTE,
    PackedSnapshot,
    Snapshot,
    pack_snapshot,
)

SHORT = {"C": CLUSTER, "E": ENDPOINT, "L": LISTENER, "R": ROUTE}
LETTER = {kind: letter for letter, kind in SHORT.items()}


def listener(port: int, routes: str = "edge") -> dict[str, Any]:
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    config = {
        "@type": f"type.googleapis.com/{manager}",
        "rds": {"route_config_name": routes},
    }
    filters = [{"name": "http", "typed_config": config}]
    return {"name": routes, "tcp_backlog_size": port, "filter_chains": [{"filters": filters}]}


def snapshot(*services: str, port: int = 1, weight: int = 1) -> Snapshot:
    """One cluster per service, endpoints of that weight, a listener and one table of routes."""
    hosts = [{"name": s, "domains": [s], "routes": [{"match": {"prefix": "/"}}]} for s in services]
    locality = {"load_balancing_weight": weight}
    return Snapshot(
        clusters={s: {"name": s, "type": "EDS"} for s in services},
        endpoints={s: {"cluster_name": s, "endpoints": [locality]} for s in services},
        listeners={"edge": listener(port)},
        routes={"edge": {"name": "edge", "virtual_hosts": hosts}},
    )


class Proxy:
    """Speaks to a conversation as Envoy does, one message at a time."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.current = NOTHING
        self.last: dict[str, Any] = {}

    def publish(self, new: Snapshot) -> PackedSnapshot:
        self.current = pack_snapshot(new, self.current.version + 1, self.current)
        return self.current

    def ask(self, letter: str, *names: str, nonce: str = "", error: str = "") -> list[Any]:
        request = message_class("envoy.service.discovery.v3.DiscoveryRequest")(
            type_url=SHORT[letter], resource_names=names, response_nonce=nonce
        )
        request.node.id, request.node.cluster = "n", "g"
        if error:
            request.error_detail.message = error
        self.conversation.receive(request)
        return self.hear()

    def hear(self) -> list[Any]:
        responses = self.conversation.responses(self.current)
        self.last |= {LETTER[r.type_url]: r for r in responses}
        return responses

    def accept(self, letter: str, *names: str) -> list[Any]:
        return self.ask(letter, *names, nonce=self.last[letter].nonce)

    def refuse(self, letter: str, *names: str) -> list[Any]:
        return self.ask(letter, *names, nonce=self.last[letter].nonce, error="no good")

    def connect(self, *services: str) -> None:
        """Take all of the current snapshot, in Envoy's order."""
        self.ask("C")
        self.accept("C")
        self.ask("E", *services)
        self.accept("E", *services)
        self.ask("L")
        self.accept("L")
        self.ask("R", "edge")
        self.accept("R", "edge")


def letters(responses: list[Any]) -> str:
    return "".join(LETTER[response.type_url] for response in responses)


def names(response: Any) -> set[str]:
    kind = LETTER[response.type_url]
    of = {"C": "cluster.v3.Cluster", "E": "endpoint.v3.ClusterLoadAssignment"}[kind]
    field = {"C": "name", "E": "cluster_name"}[kind]
    message = message_class(f"envoy.config.{of}")
    return {getattr(message.FromString(any_.value), field) for any_ in response.resources}


def connected(*services: str) -> Proxy:
    proxy = Proxy(Conversation())
    proxy.publish(snapshot(*services))
    proxy.connect(*services)
    assert proxy.conversation.has_applied(1)
    return proxy


def test_nothing_is_sent_twice() -> None:
    proxy = connected("a")
    assert proxy.hear() == []


def test_only_what_changed_is_sent() -> None:
    proxy = connected("a", "b")
    proxy.publish(snapshot("a", "b", weight=2))
    assert letters(proxy.hear()) == "E"
    assert not proxy.conversation.has_applied(2)
    proxy.accept("E", "a", "b")
    assert proxy.conversation.has_applied(2)


def with_routes(*names: str, port: int = 1) -> Snapshot:
    """A listener for each table of routes."""
    return Snapshot(
        listeners={name: listener(port, name) for name in names},
        routes={name: {"name": name, "request_headers_to_remove": [str(port)]} for name in names},
    )


def listen(proxy: Proxy, *names: str) -> list[Any]:
    """Take the clusters and the listeners, and ask for routes."""
    for letter in "CL":
        proxy.ask(letter)
        proxy.accept(letter)
    return proxy.ask("R", *names)


def sent(response: Any) -> set[str]:
    named = message_class("envoy.config.route.v3.RouteConfiguration")
    return {named.FromString(resource.value).name for resource in response.resources}


def test_of_many_that_are_asked_for_by_name_those_are_sent_that_changed() -> None:
    proxy = Proxy(Conversation())
    proxy.publish(with_routes("a", "b"))
    (everything,) = listen(proxy, "a", "b")
    assert sent(everything) == {"a", "b"}
    proxy.accept("R", "a", "b")
    new = with_routes("a", "b")
    proxy.publish(msgspec.structs.replace(new, routes={**new.routes, "b": {"name": "b"}}))
    (changed,) = proxy.hear()
    assert sent(changed) == {"b"}
    proxy.accept("R", "a", "b")
    (again,) = proxy.accept("R", "a", "b")
    assert sent(again) == {"a", "b"}


def test_who_asks_for_one_more_gets_that_one() -> None:
    proxy = Proxy(Conversation())
    proxy.publish(with_routes("a", "b"))
    listen(proxy, "a")
    proxy.accept("R", "a")
    (more,) = proxy.ask("R", "a", "b", nonce=proxy.last["R"].nonce)
    assert sent(more) == {"b"}
    proxy.accept("R", "a", "b")
    assert proxy.ask("R", "b", nonce=proxy.last["R"].nonce) == []
    (back,) = proxy.ask("R", "a", "b", nonce=proxy.last["R"].nonce)
    assert sent(back) == {"a"}


def test_after_a_refusal_everything_is_sent() -> None:
    proxy = Proxy(Conversation())
    proxy.publish(with_routes("a", "b"))
    listen(proxy, "a", "b")
    proxy.refuse("R", "a", "b")
    new = with_routes("a", "b")
    proxy.publish(msgspec.structs.replace(new, routes={**new.routes, "b": {"name": "b"}}))
    (everything,) = proxy.hear()
    assert sent(everything) == {"a", "b"}


def test_the_same_snapshot_again_is_applied_at_once() -> None:
    proxy = connected("a")
    proxy.publish(snapshot("a"))
    assert proxy.hear() == []
    assert proxy.conversation.has_applied(2)


def test_who_asks_again_with_an_answered_nonce_gets_the_same_again() -> None:
    proxy = connected("a")
    assert letters(proxy.accept("E", "a")) == "E"


def test_an_answer_to_a_replaced_response_counts_for_nothing() -> None:
    proxy = connected("a")
    proxy.publish(snapshot("a", weight=2))
    old = proxy.last["E"].nonce
    proxy.hear()
    assert proxy.ask("E", "a", nonce=old) == []
    assert not proxy.conversation.has_applied(2)


def test_routes_wait_until_the_clusters_they_name_have_their_endpoints() -> None:
    proxy = connected("a")
    proxy.publish(snapshot("a", "b"))
    assert letters(proxy.hear()) == "C"
    assert letters(proxy.accept("C")) == ""
    assert letters(proxy.ask("E", "a", "b", nonce=proxy.last["E"].nonce)) == "E"
    assert letters(proxy.accept("E", "a", "b")) == "R"
    assert not proxy.conversation.has_applied(2)
    proxy.accept("R", "edge")
    assert proxy.conversation.has_applied(2)


def test_clusters_stay_until_no_route_names_them() -> None:
    proxy = connected("a", "b")
    proxy.publish(snapshot("a"))
    first = proxy.hear()
    assert letters(first) == "C"
    assert names(first[0]) == {"a", "b"}
    assert letters(proxy.accept("C")) == "R"
    last = proxy.accept("R", "edge")
    assert letters(last) == "C"
    assert names(last[0]) == {"a"}
    assert not proxy.conversation.has_applied(2)
    proxy.accept("C")
    assert proxy.conversation.has_applied(2)


def test_clusters_stay_while_the_routes_without_them_are_refused() -> None:
    proxy = connected("a", "b")
    proxy.publish(snapshot("a"))
    proxy.hear()
    proxy.accept("C")
    assert proxy.refuse("R", "edge") == []
    assert names(proxy.last["C"]) == {"a", "b"}


def test_a_new_listener_is_applied_when_it_has_its_routes() -> None:
    proxy = connected("a")
    more = msgspec.structs.replace(
        snapshot("a"),
        listeners={"edge": listener(1), "more": listener(1, "more")},
        routes={**snapshot("a").routes, "more": {"name": "more"}},
    )
    proxy.publish(more)
    assert letters(proxy.hear()) == "L"
    proxy.accept("L")
    assert not proxy.conversation.has_applied(2)
    assert letters(proxy.ask("R", "edge", "more", nonce=proxy.last["R"].nonce)) == "R"
    proxy.accept("R", "edge", "more")
    assert proxy.conversation.has_applied(2)


def test_a_refusal_is_known_by_its_kind_until_something_else_is_published() -> None:
    proxy = connected("a")
    proxy.publish(snapshot("a", port=2))
    proxy.hear()
    proxy.refuse("L")
    assert proxy.conversation.refusals() == {"Listener": "no good"}
    assert not proxy.conversation.has_applied(2)
    proxy.publish(snapshot("a", port=3))
    assert letters(proxy.hear()) == "L"
    assert proxy.conversation.refusals() == {}
    proxy.accept("L")
    assert proxy.conversation.has_applied(3)


def test_a_refused_cluster_does_not_hold_back_the_routes_of_the_others() -> None:
    proxy = connected("a")
    proxy.publish(snapshot("a", "b"))
    proxy.hear()
    assert letters(proxy.refuse("C")) == "R"


def test_one_who_comes_back_gets_everything() -> None:
    before = connected("a")
    proxy = Proxy(Conversation())
    proxy.current = before.current
    assert letters(proxy.ask("C")) == "C"
    assert letters(proxy.ask("E", "a")) == "E"
    # Listeners wait, as at the first time.
    assert letters(proxy.ask("L")) == ""
    assert letters(proxy.accept("C")) == ""
    assert letters(proxy.accept("E", "a")) == "L"


def test_nothing_published_means_nothing_is_taken_away() -> None:
    proxy = Proxy(Conversation())
    request = message_class("envoy.service.discovery.v3.DiscoveryRequest")(type_url=CLUSTER)
    proxy.conversation.receive(request)
    assert proxy.conversation.has_applied(1) is False
    assert proxy.conversation.snapshot is NOTHING


def test_an_empty_snapshot_is_said_aloud() -> None:
    proxy = Proxy(Conversation())
    proxy.publish(Snapshot())
    assert letters(proxy.ask("C")) == "C"
    assert letters(proxy.accept("C")) == ""
    assert letters(proxy.ask("L")) == "L"
