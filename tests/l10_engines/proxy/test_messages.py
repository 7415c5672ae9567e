from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import message_class, pack, unpack
from drystone.l10_engines.proxy.snapshot import Snapshot, pack_snapshot, static_resources

CLUSTER = "envoy.config.cluster.v3.Cluster"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"name": "a", "nmae": 1}, "nmae"),
        ({"name": 3}, "name"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
        ({"lb_policy": "FASTEST"}, "FASTEST"),
        ({"name": "\ud800"}, "name"),
        ({"typed_extension_protocol_options": {"x": {"@type": "type.googleapis.com/a.B"}}}, "a.B"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(value: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidProxyConfig, match=named):
        pack(CLUSTER, value)


def test_an_unknown_message_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidProxyConfig, match="tools/make-envoy-schema"):
        message_class("envoy.config.Nothing")


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_arrives_as_it_was_sent(text: str) -> None:
    assert unpack(pack(CLUSTER, {"name": text})).get("name", "") == text


def test_the_types_touch_no_generated_package() -> None:
    script = (
        "import sys, drystone.l10_engines.proxy.messages as m; m.message_class('google.rpc.Status');"
        "print([n for n in sys.modules if n.startswith(('envoy', 'google.rpc', 'xds'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_did_not_change_is_not_packed_again() -> None:
    first = pack_snapshot(Snapshot(clusters={"a": {"name": "a"}, "b": {"name": "b"}}), 1)
    changed = Snapshot(clusters={"a": {"name": "a"}, "b": {"name": "b", "alt_stat_name": "c"}})
    second = pack_snapshot(changed, 2, first)
    kind = f"type.googleapis.com/{CLUSTER}"
    assert second.resources[kind]["a"] is first.resources[kind]["a"]
    assert second.resources[kind]["b"].version == 2
    assert second.versions[kind] == 2


def test_a_cluster_without_its_endpoints_is_refused() -> None:
    with pytest.raises(InvalidProxyConfig, match="lonely"):
        pack_snapshot(Snapshot(clusters={"lonely": {"name": "lonely", "type": "EDS"}}), 1)


def test_a_listener_without_its_routes_is_refused() -> None:
    listener = {"name": "l", "filters": [{"rds": {"route_config_name": "lonely"}}]}
    with pytest.raises(InvalidProxyConfig, match="lonely"):
        pack_snapshot(Snapshot(listeners={"l": listener}), 1)


def test_what_lacks_what_it_names_has_no_static_form() -> None:
    for asks in ({"rds": {"route_config_name": "gone"}}, {"name": "gone", "config_discovery": {}}):
        with pytest.raises(InvalidProxyConfig, match="gone"):
            static_resources(Snapshot(listeners={"l": {"name": "l", "filters": [asks]}}))


def test_a_static_form_holds_what_is_sent_apart_otherwise() -> None:
    own = {"name": "token", "sds_config": {"ads": {}}}
    checks = {"name": "checks", "config_discovery": {"type_urls": ["t"]}}
    static = static_resources(
        Snapshot(
            clusters={"c": {"name": "c", "credential": own}},
            listeners={"l": {"name": "l", "filters": [checks]}},
            extensions={"checks": {"name": "checks", "typed_config": {"@type": "t"}}},
        )
    )
    assert static["clusters"] == [{"name": "c", "credential": {"name": "token"}}]
    assert static["listeners"][0]["filters"] == [{"name": "checks", "typed_config": {"@type": "t"}}]
    # An Envoy without one would not start; one that is empty opens nothing.
    assert static["secrets"] == [
        {"name": "token", "generic_secret": {"secret": {"inline_string": ""}}}
    ]
