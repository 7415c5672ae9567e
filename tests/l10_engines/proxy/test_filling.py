"""Messages are filled as protobuf's own reader of JSON would fill them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, OwnService, Pool, edge_snapshot
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import (
    TYPE_PREFIX,
    Shared,
    _pool,
    message_class,
    pack,
    unpack,
)
from drystone.l10_engines.proxy.snapshot import KINDS

CLUSTER = "envoy.config.cluster.v3.Cluster"


def by_protobuf(type_name: str, value: Any) -> dict[str, Any]:
    packed = message_class("google.protobuf.Any")()
    json_format.ParseDict(
        {"@type": TYPE_PREFIX + type_name, **value}, packed, descriptor_pool=_pool()
    )
    return unpack(packed)


def test_every_resource_of_an_edge_is_filled_as_protobuf_does() -> None:
    pools = (Pool("blue", 1, (Endpoint(20001),)),)
    service = EdgeService(name="shop.dev", hosts=("shop.localhost",), pools=pools, internal_port=7)
    own = OwnService(name="pages", title="Pages", socket=Path("/run/pages.sock"))
    snapshot = edge_snapshot((service,), port=8400, access_log=Path("/log"), own=(own,))
    for kind in KINDS:
        name = kind.removeprefix(TYPE_PREFIX)
        for value in snapshot.of_kind(kind).values():
            # Twice: what is shared was packed the first time.
            assert (
                unpack(pack(name, value)) == unpack(pack(name, value)) == by_protobuf(name, value)
            )


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": "a", "type": "EDS", "connect_timeout": "1.5s", "dns_refresh_rate": None},
        {"type": 3, "lbPolicy": "RANDOM"},
        {"common_lb_config": {}, "transport_socket_matches": []},
        {
            "per_connection_buffer_limit_bytes": 7,
            "metadata": {"filter_metadata": {"a": {"b": [1]}}},
        },
        {"typed_extension_protocol_options": {"a": {"@type": TYPE_PREFIX + CLUSTER, "name": "b"}}},
        {"typed_extension_protocol_options": {"a": {}}},
        {"outlier_detection": {"enforcing_success_rate": 0, "interval": "0.5s"}},
        {"dns_resolvers": [{"pipe": {"path": "a", "mode": 384}}]},
    ],
)
def test_every_form_of_a_value_means_the_same(value: dict[str, Any]) -> None:
    assert unpack(pack(CLUSTER, value)) == by_protobuf(CLUSTER, value)


@pytest.mark.parametrize(
    "value",
    [
        {"name": 7},
        {"type": "NEWS"},
        {"name": ["a"]},
        {"common_lb_config": 7},
        {"common_lb_config": [{}]},
        {"transport_socket_matches": {}},
        {"transport_socket_matches": [7]},
        {"typed_extension_protocol_options": []},
        {"typed_extension_protocol_options": {"a": 7}},
        {"typed_extension_protocol_options": {"a": {"name": "b"}}},
        {"typed_extension_protocol_options": {"a": {"@type": "nonsense"}}},
        {"typed_extension_protocol_options": {"a": {"@type": TYPE_PREFIX + "no.Such"}}},
        {"type": "EDS", "cluster_type": {"name": "b"}},
        {"dns_resolvers": [{"pipe": {"path": "a", "mode": 2**32}}]},
        {"dns_resolvers": [{"pipe": {"path": "a", "mode": True}}]},
        {"common_lb_config": {"unheard": 1}},
    ],
)
def test_what_protobuf_refuses_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises((json_format.ParseError, TypeError, InvalidProxyConfig)):
        by_protobuf(CLUSTER, value)
    with pytest.raises(InvalidProxyConfig):
        pack(CLUSTER, value)


def test_a_shared_part_is_the_same_in_every_place() -> None:
    part = Shared({"healthy_panic_threshold": {"value": 0.5}})
    one, other = ({"name": name, "common_lb_config": part} for name in "ab")
    assert unpack(pack(CLUSTER, one))["common_lb_config"] == dict(part)
    assert unpack(pack(CLUSTER, other))["common_lb_config"] == dict(part)
    assert list(part.packed) == [f"{CLUSTER}.CommonLbConfig"]
