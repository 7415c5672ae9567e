"""Ways out to hosts that have names: where a host is, is asked when it is wanted, and tried at the border.

A way to ``*.example.com`` reads from each connection which host below is meant, where the client says it in the clear: in TLS
(SNI, RFC 6066 section 3), or in HTTP, request by request. Whatever says no such name is refused. The port is that of the way, and
never one that the client names.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import HTTP_OPTIONS
from drystone.l10_engines.proxy.edge_listener import (
    HTTP_CONNECTION,
    ROUTER,
    client_identity,
    protocol_limits,
)
from drystone.l10_engines.proxy.local_replies import Answer, local_replies, otherwise
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import all_of, flags, says, status_is
from drystone.l35_mesh.sidecar.bytes_only import BEYOND, egress_name
from drystone.l35_mesh.sidecar.connections import BY_PROTOCOL
from drystone.l35_mesh.sidecar.model import Egress, issuer_of

LOOKUP_FAMILY = "V4_PREFERRED"
NOT_FOUND: Config = {"response_flag_filter": {"flags": ["UH", "NC", "UF", "NR", "DF"]}}
"""Recognises connections that did not come as far as the border."""

_BY_SERVER_NAME = "envoy.filters.network.sni_dynamic_forward_proxy"
_BY_HOST = "envoy.filters.http.dynamic_forward_proxy"
_CLUSTER = "envoy.clusters.dynamic_forward_proxy"
_FILTERS = TYPE_PREFIX + "envoy.extensions.filters"
_LOOKED_UP = TYPE_PREFIX + "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"
_HTTP = 80
_MOST_HOSTS = 1024
"""How many hosts below a name are remembered at once; more are refused until one was not used for five minutes."""

_ADDED = ("x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms")
"""Headers that Envoy adds, which are nobody's business outside."""


def found_name(egress: Egress) -> str:
    """Name the cluster that is the host outside as far as its border."""
    return f"found/{egress.caller}>{egress.host}:{egress.port}"


def source(egress: Egress) -> tuple[str, str]:
    """Return the addresses, IPv4 and IPv6, from which a way comes to its border: nobody else in that network uses them."""
    own = ipaddress.IPv4Address(egress.listen.address)
    return str(own), f"fd7f::{own.packed[:2].hex()}:{own.packed[2:].hex()}"


def to_border(egress: Egress) -> Config:
    """Return what makes a cluster connect in the network where everything leads to the border; nothing where there is none."""
    if egress.through is None:
        return {}
    network = {"port_value": 0, "network_namespace_filepath": str(egress.through)}
    own, other = ({"address": address, **network} for address in source(egress))
    return {
        "upstream_bind_config": {
            "source_address": own,
            "extra_source_addresses": [{"address": other}],
            "freebind": True,  # no device has the one of IPv6
        }
    }


def looked_up(name: str, egress: Egress) -> Config:
    """Return the ``Cluster`` of every host below a name."""
    config = {
        "@type": _LOOKED_UP,
        "dns_cache_config": _cache(egress),
        "allow_insecure_cluster_options": True,  # Envoy itself speaks no TLS here: the service does
    }
    return {
        "name": name,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": _CLUSTER, "typed_config": config},
        **BEYOND,
        **to_border(egress),
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {"@type": TYPE_PREFIX + HTTP_OPTIONS, **BY_PROTOCOL[None]}
        },
    }


def by_server_name(egress: Egress) -> Config:
    """Return a network filter that asks where the host is that TLS names."""
    config = {
        "@type": f"{_FILTERS}.network.sni_dynamic_forward_proxy.v3.FilterConfig",
        "dns_cache_config": _cache(egress),
        "port_value": egress.port,
    }
    return {"name": _BY_SERVER_NAME, "typed_config": config}


def by_host(egress: Egress, log: Config, refused: Config) -> Config:
    """Return the ``FilterChain`` of requests of HTTP, each of which names its host.

    Args:
        egress: The way.
        log: ``AccessLog`` of requests that find no host.
        refused: ``AccessLog`` of requests for other hosts.
    """
    name = egress_name(egress)
    config = {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "route_config": {"name": name, "virtual_hosts": _hosts(egress)},
        "http_filters": [
            {
                "name": _BY_HOST,
                "typed_config": {
                    "@type": f"{_FILTERS}.http.dynamic_forward_proxy.v3.FilterConfig",
                    "dns_cache_config": _cache(egress),
                },
            },
            ROUTER,
        ],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        **client_identity(),
        "append_x_forwarded_port": False,
        **protocol_limits(),
        "stream_idle_timeout": "3600s",
        "access_log": [log, {**refused, "filter": _refused_here()}],
        "local_reply_config": local_replies("mesh", _answers(egress)),
    }
    match = {"application_protocols": ["http/1.0", "http/1.1", "h2c"]}
    return {"filter_chain_match": match, "filters": [{"name": "http", "typed_config": config}]}


def _hosts(egress: Egress) -> list[Config]:
    """Return the hosts that pass, by the port of the way alone, and the end of all others."""
    passing = [f"{egress.host}:{egress.port}", *([egress.host] if egress.port == _HTTP else [])]
    through = {"cluster": found_name(egress), "timeout": "0s", "idle_timeout": "3600s"}
    refuse = {"status": 403}
    return [
        {
            "name": "below",
            "domains": passing,
            "routes": [{"match": {"prefix": "/"}, "route": through}],
            "request_headers_to_remove": list(_ADDED),
        },
        {
            "name": "others",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": refuse}],
        },
    ]


def _answers(egress: Egress) -> list[Answer]:
    issuer, where = issuer_of(egress.caller), f"{egress.host}:{egress.port}"
    return [
        Answer(
            when=_refused_here(),
            code="DestinationUndeclared",
            title="The caller did not declare this destination",
            detail=f"{issuer} reaches {where} here, and not %REQ(:AUTHORITY):255%. Another host or port is added to"
            " `network.egress` of its descriptor, as `host:port`.",
        ),
        Answer(
            when=flags("UH", "NC", "UF", "UC", "NR", "DF"),
            code="DestinationUnreachable",
            title="The host outside cannot be reached",
            detail="%REQ(:AUTHORITY):255% has no address, does not answer, or is at an address that is not outside."
            " `drystone refusals` tells of the last.",
        ),
        otherwise("mesh", "sidecar"),
    ]


def _cache(egress: Egress) -> dict[str, Any]:
    """Return what is remembered of where hosts are; the same wherever it is named."""
    return {
        "name": found_name(egress),
        "dns_lookup_family": LOOKUP_FAMILY,
        "max_hosts": _MOST_HOSTS,
    }


def _refused_here() -> Config:
    """Recognise an answer that was given here: a host outside may refuse as well."""
    refused = status_is(403, runtime_key="mesh.outside.refused")
    return all_of(refused, says("response.code_details == 'direct_response'"))
