"""The file from which an Envoy starts: where its configuration comes from, or the configuration itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.admin import UNDER_WAY
from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, BUFFER
from drystone.l10_engines.proxy.edge_listener import LISTENER
from drystone.l10_engines.proxy.edge_tls import OUTSIDE, OUTSIDE_TLS, TLS_LISTENER
from drystone.l10_engines.proxy.messages import TYPE_PREFIX
from drystone.l10_engines.proxy.settings import ProxySettings, connections_here
from drystone.l10_engines.proxy.snapshot import Snapshot, static_resources

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_STATSD = "envoy.config.metrics.v3.StatsdSink"
_HEAP = "envoy.resource_monitors.fixed_heap"
_INTERNAL = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
_XDS = "*xds"  # no service can have this name

# What the overload manager does, and from which share of the memory on; a pair is the span in which it grows.
_ACTIONS: Mapping[str, float | tuple[float, float]] = {
    "shrink_heap": 0.5,
    # Streams that hold the most memory go first: those of clients that ask for much and read nothing. Envoy ends
    # fifty whenever the share has changed, but none where the span has ended: so it begins long before others are
    # refused, and its end is never reached.
    "reset_high_memory_stream": (0.7, 2.0),
    "disable_http_keepalive": 0.92,
    "stop_accepting_requests": 0.95,
    "stop_accepting_connections": 0.98,
}
_WHOLE = 2
"""Envoy counts shares up to one; that is so many times the memory."""

_SMALLEST_TRACKED = 10
"""Power of two of the bytes from which a stream's memory is counted.

Streams are sorted into eight classes from here on, each for twice the bytes, and at the begin of the span above only
the upper ones are ended. One whose client reads nothing holds 64 to 128 kB, which makes it the last class but one.
"""

# Envoy connects again soon after the return of an agent, however long that was away; its default grows to half a minute.
_RECONNECT = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.25s"}}


def ads_bootstrap(socket: Path, settings: ProxySettings) -> dict[str, Any]:
    """Return a ``Bootstrap`` that takes everything from an :class:`~drystone.l10_engines.proxy.ads.Ads`.

    Args:
        socket: Where that listens.
        settings: How much memory and how many connections it may take.
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
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [service],
            },
            "lds_config": ADS_SOURCE,
            "cds_config": ADS_SOURCE,
        },
        **_bounds(settings),
        **_sinks(settings),
    }


def static_bootstrap(snapshot: Snapshot, settings: ProxySettings) -> dict[str, Any]:
    """Return a ``Bootstrap`` that holds a snapshot and needs nobody.

    Raises:
        InvalidProxyConfig: The snapshot has no static form.
    """
    return {
        "static_resources": static_resources(snapshot),
        **_bounds(settings),
        **_sinks(settings),
    }


def admin_override(socket: str) -> str:
    """Return what ``--config-yaml`` adds to either: an administration socket for this user alone.

    Args:
        socket: Its name in the folder in which Envoy works: a whole path may be too long for a socket.
    """
    pipe = {"path": socket, "mode": 0o600}
    return json.dumps({"admin": {"address": {"pipe": pipe}}})


def _sinks(settings: ProxySettings) -> dict[str, Any]:
    """Send numbers every five seconds. What nobody wants is not counted, since all of it would be sent."""
    if settings.statsd is None:
        return {}
    at = {"address": settings.statsd.address, "port_value": settings.statsd.port, "protocol": "UDP"}
    wanted = [{"safe_regex": {"regex": one}} for one in (*settings.statsd.wanted, UNDER_WAY)]
    sink = {"@type": TYPE_PREFIX + _STATSD, "address": {"socket_address": at}, "prefix": "drystone"}
    return {
        "stats_sinks": [{"name": "envoy.stat_sinks.statsd", "typed_config": sink}],
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": wanted}}},
    }


def _giving_back(settings: ProxySettings) -> dict[str, Any]:
    if not settings.gives_back:
        return {}
    each = {"bytes_to_release": settings.gives_back, "memory_release_interval": "1s"}
    return {"memory_allocator_manager": each}


def _bounds(settings: ProxySettings) -> dict[str, Any]:
    """Bound memory and connections of the whole Envoy; each request takes up to two descriptors."""
    fixed = {
        # A client that sends hundreds of requests at once gets its turn with the others, not before them.
        "http.max_requests_per_io_cycle": 1,
        # What is given back counts at once, and not when the allocator has returned it to the system.
        "envoy.reloadable_features.fixed_heap_use_allocated": True,
        # Envoy's own bound refuses patterns of a hundred letters; these come from descriptors, whose bound is a thousand.
        "re2.max_program_size.error_level": 10_000,
        # Strangers alone are counted: services that call each other and the agent come by other listeners. Envoy's
        # bound on all listeners together would count a slot as free whenever one of those exempted from it closes.
        **{
            f"envoy.resource_limits.listener.{name}.connection_limit": connections_here(
                settings.connections
            )
            for name in (LISTENER, TLS_LISTENER, OUTSIDE, OUTSIDE_TLS)
        },
    }
    monitors = "envoy.extensions.resource_monitors"
    clients = f"{monitors}.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "overload_manager": {
            "refresh_interval": "0.1s",
            "resource_monitors": [
                {
                    "name": _HEAP,
                    "typed_config": {
                        "@type": f"{TYPE_PREFIX}{monitors}.fixed_heap.v3.FixedHeapConfig",
                        "max_heap_size_bytes": _WHOLE * settings.memory,
                    },
                },
                {  # never met, but without it Envoy warns at every start that nothing bounds connections
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{TYPE_PREFIX}{clients}",
                        "max_active_downstream_connections": 2**31 - 1,
                    },
                },
            ],
            "actions": [_action(name, share) for name, share in _ACTIONS.items()],
            "buffer_factory_config": {"minimum_account_to_track_power_of_two": _SMALLEST_TRACKED},
        },
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": TYPE_PREFIX + _INTERNAL,
                    # By default a megabyte for each connection of an Envoy with itself.
                    "buffer_size_kb": BUFFER >> 10,
                },
            }
        ],
        "layered_runtime": {"layers": [{"name": "fixed", "static_layer": fixed}]},
        **_giving_back(settings),
    }


def _action(name: str, share: float | tuple[float, float]) -> dict[str, Any]:
    if isinstance(share, tuple):
        begin, full = share
        when: dict[str, Any] = {
            "scaled": {
                "scaling_threshold": begin / _WHOLE,
                "saturation_threshold": full / _WHOLE,
            }
        }
    else:
        when = {"threshold": {"value": share / _WHOLE}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": _HEAP, **when}]}
