"""Laws of the incremental protocol: whatever happens, in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.proxy.snapshot import CLUSTER, ENDPOINT, KINDS, LISTENER, ROUTE, Snapshot
from l10_engines.proxy.model_envoy import ModelEnvoy, expected, snapshot

SNAPSHOTS = st.builds(
    lambda services, weight, change, backlog: snapshot(
        *sorted(services), weight=weight, change=change, backlog=backlog
    ),
    st.frozensets(st.sampled_from("abcd")),
    *[st.integers(1, 2)] * 3,
)
TAKE, RECONNECT = "take", "reconnect"
STEPS = st.lists(
    SNAPSHOTS
    | st.sampled_from([TAKE] * 4 + [RECONNECT])
    | st.frozensets(st.sampled_from("abcd"), max_size=1),
    max_size=40,
)


@given(STEPS, SNAPSHOTS)
def test_whatever_happens_the_client_ends_with_exactly_the_last_snapshot(
    steps: list[Snapshot | str | frozenset[str]], last: Snapshot
) -> None:
    envoy = ModelEnvoy()
    envoy.publish(snapshot("a"))
    envoy.connect()
    refused = False
    for step in steps:
        if isinstance(step, Snapshot):
            envoy.publish(step)
        elif isinstance(step, frozenset):
            envoy.unsound = step
            refused = refused or bool(step)
        elif step == RECONNECT and not refused:
            envoy.publish(_as_served(envoy), afresh=True)
            envoy.connect()
        elif envoy.stream.inbox:
            envoy.take()
        assert refused or not envoy.has_broken_routes()
    envoy.unsound = frozenset()
    envoy.take_all()
    envoy.publish(last)
    envoy.take_all()
    assert envoy.contents() == expected(last)
    assert envoy.warming == set()
    assert not envoy.has_broken_routes()
    assert envoy.stream.conversation.has_applied(envoy.current.version)
    envoy.hear()
    assert not envoy.stream.inbox


def _as_served(envoy: ModelEnvoy) -> Snapshot:
    """The current snapshot, as an agent would make it that has just started."""
    by_kind = {
        kind: {name: of.source for name, of in envoy.current.resources[kind].items()}
        for kind in KINDS
    }
    return Snapshot(
        clusters=by_kind[CLUSTER],
        endpoints=by_kind[ENDPOINT],
        listeners=by_kind[LISTENER],
        routes=by_kind[ROUTE],
    )


@given(st.lists(SNAPSHOTS | st.just(TAKE), max_size=40))
def test_what_has_not_changed_is_never_sent_twice_on_one_stream(
    steps: list[Snapshot | str],
) -> None:
    envoy = ModelEnvoy()
    envoy.publish(snapshot("a"))
    envoy.connect()
    for step in steps:
        if isinstance(step, Snapshot):
            envoy.publish(step)
        elif envoy.stream.inbox:
            envoy.take()
    envoy.take_all()
    has: dict[tuple[str, str], str] = {}
    for kind, name, version in envoy.stream.sent:
        if version:
            assert has.get((kind, name)) != version
        has[kind, name] = version
        if kind == CLUSTER:  # it needs its endpoints once more
            has.pop((ENDPOINT, name), None)
