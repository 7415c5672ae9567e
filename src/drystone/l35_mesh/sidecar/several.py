"""A host outside that has several addresses: one that is dead makes nothing fail while another lives.

Envoy tries another address when a connection could not be opened. At the border every connection can: it is opened further
on only then. So the way from here to the border is a tunnel (``CONNECT``, RFC 9113 section 8.5), which the border grants once
the host beyond has answered, and not before. A tunnel that it does not grant is an address that does not answer.
"""

from __future__ import annotations

from typing import Any

from drystone.l10_engines.proxy.edge_clusters import HTTP_OPTIONS
from drystone.l10_engines.proxy.edge_listener import HTTP_CONNECTION, ROUTER, protocol_limits
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l35_mesh.sidecar.bytes_only import egress_name, tcp
from drystone.l35_mesh.sidecar.model import Egress

ATTEMPTS = 3
"""How many addresses are tried for one connection."""

_SILENCE = "3600s"
_ONE_TUNNEL: Config = Shared(
    {
        # On a connection that tunnels share, one that nobody reads would hold up the others.
        "max_concurrent_streams": 1,
        "allow_connect": True,
        "initial_stream_window_size": 256 << 10,
        "initial_connection_window_size": 256 << 10,
    }
)
_ANSWERS: Config = Shared(
    {
        "lb_policy": "ROUND_ROBIN",
        "outlier_detection": {
            # Whoever has not answered is left out for a while, unless that would be more than half of them: then
            # the reason lies elsewhere, or there is but one.
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 1,
            "interval": "1s",
            "base_ejection_time": "10s",
            "max_ejection_percent": 50,
        },
    }
)
"""What a cluster with several addresses has beside them."""


def trying(egress: Egress, log: Config, *, cluster: str) -> Config:
    """Return a network filter that passes bytes on to the first address that answers.

    Args:
        egress: The way.
        log: ``AccessLog`` of connections.
        cluster: Of the addresses.
    """
    options: dict[str, Any] = {"max_connect_attempts": ATTEMPTS}
    if egress.through is not None:
        options["tunneling_config"] = {"hostname": f"{egress.host}:{egress.port}"}
    return tcp(cluster, log, **options)


def several(egress: Egress) -> Config:
    """Return what a ``Cluster`` has by which :func:`trying` finds the address that answers."""
    if egress.through is None:
        return _ANSWERS
    options = {
        "@type": TYPE_PREFIX + HTTP_OPTIONS,
        "common_http_protocol_options": {"max_requests_per_connection": 1},
        "explicit_http_config": {"http2_protocol_options": _ONE_TUNNEL},
    }
    return {**_ANSWERS, "typed_extension_protocol_options": {HTTP_OPTIONS: options}}


def granting(egress: Egress, log: Config) -> Config:
    """Return the network filter of the border that grants a tunnel when the address beyond has answered.

    Args:
        egress: The way that comes here.
        log: ``AccessLog`` of tunnels.
    """
    name = egress_name(egress)
    route = {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": name,
            "timeout": "0s",
            "idle_timeout": _SILENCE,
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    }
    limits = protocol_limits()
    config = {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": name,
        "codec_type": "HTTP2",
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [ROUTER],
        **limits,
        "stream_idle_timeout": _SILENCE,
        "http2_protocol_options": _ONE_TUNNEL,
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "access_log": [log],
    }
    return {"name": "http", "typed_config": config}
