"""The file from which an Envoy starts: where its configuration comes from, or the configuration itself."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE
from drystone.l10_engines.proxy.messages import TYPE_PREFIX
from drystone.l10_engines.proxy.snapshot import Snapshot, static_resources

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_XDS = "*xds"  # no service can have this name
_MOST_CONNECTIONS = 20_000

# Envoy connects again within a second of the agent's return; its default grows to half a minute.
_RECONNECT = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}}


def ads_bootstrap(socket: Path, *, memory: int) -> dict[str, Any]:
    """Return a ``Bootstrap`` that takes everything from an :class:`~drystone.l10_engines.proxy.ads.Ads`.

    Args:
        socket: Where that listens.
        memory: Bytes of heap at which Envoy begins to refuse requests.
    """
    server = {
        "name": _XDS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": _XDS,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}}]}
            ],
        },
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": TYPE_PREFIX + _HTTP_OPTIONS,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    service = {"envoy_grpc": {"cluster_name": _XDS, "retry_policy": _RECONNECT}}
    return {
        "static_resources": {"clusters": [server]},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [service],
            },
            "lds_config": ADS_SOURCE,
            "cds_config": ADS_SOURCE,
        },
        **_bounds(memory),
    }


def static_bootstrap(snapshot: Snapshot, *, memory: int) -> dict[str, Any]:
    """Return a ``Bootstrap`` that holds a snapshot and needs nobody.

    Raises:
        InvalidProxyConfig: The snapshot has no static form.
    """
    return {"static_resources": static_resources(snapshot), **_bounds(memory)}


def admin_override(socket: Path) -> str:
    """Return what ``--config-yaml`` adds to either: an administration socket for this user alone."""
    pipe = {"path": str(socket), "mode": 0o600}
    return json.dumps({"admin": {"address": {"pipe": pipe}}})


def _bounds(memory: int) -> dict[str, Any]:
    """Bound memory and connections of the whole Envoy; each request takes up to two descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = _MOST_CONNECTIONS
    if hard != resource.RLIM_INFINITY:
        connections = min(connections, hard // 3)
    heap = "envoy.resource_monitors.fixed_heap"
    clients = "envoy.resource_monitors.global_downstream_max_connections"
    monitors = "envoy.extensions.resource_monitors"
    return {
        "overload_manager": {
            "refresh_interval": "0.25s",
            "resource_monitors": [
                {
                    "name": heap,
                    "typed_config": {
                        "@type": f"{TYPE_PREFIX}{monitors}.fixed_heap.v3.FixedHeapConfig",
                        "max_heap_size_bytes": memory,
                    },
                },
                {
                    "name": clients,
                    "typed_config": {
                        "@type": f"{TYPE_PREFIX}{monitors}.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": connections,
                    },
                },
            ],
            "actions": [
                {
                    "name": f"envoy.overload_actions.{action}",
                    "triggers": [{"name": heap, "threshold": {"value": share}}],
                }
                for action, share in (("shrink_heap", 0.9), ("stop_accepting_requests", 0.97))
            ],
        }
    }
