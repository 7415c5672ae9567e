"""The rules of the incremental protocol, with a model of Envoy in place of Envoy."""

from __future__ import annotations

import msgspec
import pytest

from drystone.l10_engines.proxy.incremental import IncrementalConversation
from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    NOTHING,
    ROUTE,
    SECRET,
    Snapshot,
)
from l10_engines.proxy.model_envoy import API, LETTER, ModelEnvoy, expected, snapshot


def connected(*services: str) -> ModelEnvoy:
    envoy = ModelEnvoy()
    envoy.publish(snapshot(*services))
    envoy.connect()
    envoy.take_all()
    assert envoy.stream.conversation.has_applied(1)
    envoy.stream.sent.clear()
    return envoy


def sent(envoy: ModelEnvoy) -> set[tuple[str, str]]:
    return {(LETTER[kind], name) for kind, name, version in envoy.stream.sent if version}


def test_of_what_changes_only_that_is_sent() -> None:
    envoy = connected("a", "b")
    new = snapshot("a", "b")
    endpoints = {**new.endpoints, "b": {"cluster_name": "b", "endpoints": []}}
    envoy.publish(msgspec.structs.replace(new, endpoints=endpoints))
    assert not envoy.stream.conversation.has_applied(2)
    assert envoy.take_all() == "E"
    assert sent(envoy) == {("E", "b")}
    assert envoy.stream.conversation.has_applied(2)


def test_a_new_service_costs_nothing_of_the_others() -> None:
    envoy = connected("a", "b")
    envoy.publish(snapshot("a", "b", "c"))
    envoy.take_all()
    assert sent(envoy) == {("C", "c"), ("E", "c"), ("L", "c"), ("R", "c"), ("R", "edge")}
    assert envoy.contents() == expected(snapshot("a", "b", "c"))


def test_what_is_gone_is_named_and_nothing_else_is_sent() -> None:
    envoy = connected("a", "b")
    envoy.publish(snapshot("a"))
    assert envoy.take_all() == "LRC"
    assert sent(envoy) == {("R", "edge")}
    assert envoy.contents() == expected(snapshot("a"))


def test_a_cluster_that_changes_gets_its_endpoints_again_without_asking() -> None:
    envoy = connected("a")
    envoy.publish(snapshot("a", change=2))
    envoy.take_all()
    assert sent(envoy) == {("C", "a"), ("E", "a")}
    assert envoy.warming == set()


def test_routes_wait_for_new_clusters_and_old_clusters_for_routes() -> None:
    envoy = connected("a")
    envoy.publish(snapshot("b"))
    order = envoy.take_all()
    assert order[:2] == "CE"
    assert order[-1] == "C"
    assert envoy.contents() == expected(snapshot("b"))


def test_clusters_stay_while_the_listeners_without_them_are_refused() -> None:
    envoy = connected("a", "b")
    envoy.unsound = frozenset({"a"})
    envoy.publish(snapshot("a", backlog=2))
    envoy.take_all()
    assert envoy.has[CLUSTER].keys() == {"a", "b"}
    assert list(envoy.stream.conversation.refusals()) == ["Listener"]
    assert not envoy.stream.conversation.has_applied(2)


def test_what_is_refused_is_not_sent_again_and_comes_back_with_the_next_snapshot() -> None:
    envoy = connected("a", "b")
    envoy.unsound = frozenset({"a"})
    envoy.publish(snapshot("a", "b", backlog=2))
    assert envoy.take_all() == "L"
    assert envoy.stream.conversation.refusals() == {"Listener": "no: ['a']"}
    envoy.stream.sent.clear()
    envoy.hear()
    assert sent(envoy) == set()
    envoy.publish(snapshot("a", "b"))  # the sound ones were taken
    assert envoy.stream.conversation.refusals() == {}
    envoy.unsound = frozenset()
    envoy.take_all()
    assert envoy.contents() == expected(snapshot("a", "b"))
    assert envoy.stream.conversation.has_applied(3)


def test_what_was_refused_is_tried_again_with_the_next_change_although_it_is_the_same() -> None:
    envoy = connected("a")
    envoy.unsound = frozenset({"a"})
    envoy.publish(snapshot("a", backlog=2))
    envoy.take_all()
    envoy.unsound = frozenset()
    envoy.publish(snapshot("a", "b", backlog=2))
    envoy.take_all()
    assert envoy.contents() == expected(snapshot("a", "b", backlog=2))
    assert envoy.stream.conversation.has_applied(3)


def test_a_refused_listener_that_is_left_out_is_removed_with_what_belongs_to_it() -> None:
    envoy = connected("a")
    envoy.unsound = frozenset({"b"})
    envoy.publish(snapshot("a", "b"))
    envoy.take_all()
    envoy.publish(snapshot("a", "b").without({"b"}))
    envoy.take_all()
    assert envoy.stream.conversation.has_applied(3)
    assert envoy.has[LISTENER].keys() == {"a", "edge"}


def test_a_refusal_of_something_that_is_replaced_already_holds_nothing_back() -> None:
    envoy = connected("a", "b")
    envoy.unsound = frozenset({"a"})
    envoy.publish(snapshot("a", "b", backlog=2))
    envoy.publish(snapshot("a", "b", backlog=3))
    envoy.take()
    assert envoy.stream.conversation.refusals() == {}
    envoy.unsound = frozenset()
    envoy.take_all()
    assert envoy.contents() == expected(snapshot("a", "b", backlog=3))
    assert envoy.stream.conversation.has_applied(3)
    assert len([name for _, name, _ in envoy.stream.sent if name == "a"]) == 2


def test_one_who_comes_back_gets_what_it_lacks_and_loses_what_is_gone() -> None:
    envoy = connected("a", "b")
    envoy.publish(snapshot("b", "c"), afresh=True)
    envoy.connect()
    envoy.take_all()
    # Endpoints come always: whether a cluster still waits for them is not known.
    assert sent(envoy) - {("E", "b")} == {
        ("C", "c"), ("E", "c"), ("L", "c"), ("R", "c"), ("R", "edge")
    }  # fmt: skip
    assert envoy.contents() == expected(snapshot("b", "c"))
    assert envoy.stream.conversation.has_applied(2)


def test_a_cluster_that_waited_for_its_endpoints_when_the_stream_ended_gets_them() -> None:
    envoy = connected("a")
    envoy.publish(snapshot("a", change=2))
    envoy.take()
    assert envoy.warming == {"a"}
    envoy.publish(snapshot("a", change=2), afresh=True)
    envoy.connect()
    envoy.take_all()
    assert envoy.warming == set()


@pytest.mark.parametrize("kind", [ENDPOINT, SECRET, ROUTE])
def test_one_who_asks_for_what_is_not_there_is_told_and_gets_it_when_it_is(kind: str) -> None:
    envoy = ModelEnvoy()
    envoy.publish(Snapshot())
    envoy.ask(kind, ["later"])
    (answer,) = envoy.stream.inbox
    assert (list(answer.removed_resources), list(answer.resources)) == (["later"], [])
    if kind == SECRET:
        envoy.ask(kind, nonce=answer.nonce)
        assert len(envoy.stream.inbox) == 1
        envoy.publish(Snapshot(secrets={"later": {"name": "later"}}))
        assert sent(envoy) == {("S", "later")}


def test_one_who_asks_again_gets_it_again_and_one_who_gave_it_up_nothing() -> None:
    envoy = connected("a", "b")
    envoy.ask(ROUTE, ["a"])
    assert sent(envoy) == {("R", "a")}
    envoy.ask(ROUTE, no_longer=["b"])
    envoy.stream.sent.clear()
    new = snapshot("a", "b")
    envoy.publish(msgspec.structs.replace(new, routes={**new.routes, "b": {"name": "b"}}))
    assert sent(envoy) == set()
    assert not envoy.stream.conversation.has_applied(2)  # a listener names it


def test_an_empty_snapshot_is_said_aloud_and_once() -> None:
    envoy = ModelEnvoy()
    envoy.publish(Snapshot())
    envoy.connect()
    assert not envoy.stream.conversation.has_applied(1)
    assert envoy.take_all() == "CL"
    envoy.publish(Snapshot())
    assert envoy.take_all() == ""
    assert envoy.stream.conversation.has_applied(2)


def test_nothing_published_means_nothing_is_taken_away() -> None:
    conversation = IncrementalConversation()
    request = message_class(API + "DeltaDiscoveryRequest")(
        type_url=CLUSTER, initial_resource_versions={"a": "1"}
    )
    conversation.receive(request)
    assert not conversation.has_applied(1)
    assert conversation.snapshot is NOTHING


def test_an_answer_to_nothing_that_was_sent_says_nothing() -> None:
    envoy = connected("a")
    envoy.publish(snapshot("a", weight=2))
    envoy.ask(ENDPOINT, nonce="1000")
    assert not envoy.stream.conversation.has_applied(2)
    envoy.ask(ENDPOINT, nonce="1000", error="no")
    assert envoy.stream.conversation.refusals() == {}
