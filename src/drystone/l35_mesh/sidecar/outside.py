"""Ways out that a service declares, and the end of all others.

A way out passes bytes on and never looks into them: TLS goes from the service to the host outside, whose certificate the
service checks itself. Only which host is asked for is read, where the client says it in the clear (SNI, RFC 6066 section 3).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.edge_listener import (
    HTTP_CONNECTION,
    ROUTER,
    client_identity,
    json_log,
    protocol_limits,
)
from drystone.l10_engines.proxy.local_replies import Answer, local_replies
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import any_error
from drystone.l10_engines.proxy.refusal_log import refused_connections
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.by_name import (
    NOT_FOUND,
    by_host,
    by_server_name,
    found_name,
    looked_up,
    to_border,
)
from drystone.l35_mesh.sidecar.bytes_only import (
    BEYOND,
    NOWHERE,
    NOWHERE_AT_ALL,
    egress_fields,
    egress_name,
    inspected,
    tcp,
)
from drystone.l35_mesh.sidecar.checks import check_catcher, check_egress
from drystone.l35_mesh.sidecar.connections import listening
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import Catcher, Egress, issuer_of
from drystone.l35_mesh.sidecar.several import several, trying


def catcher_name(caller: str) -> str:
    """Name the listener at which everything ends that a service has not declared."""
    return f"caught/{caller}"


@lru_cache(maxsize=PARTS)
def egress_part(egress: Egress, access_log: Path) -> Snapshot:
    """Return all that belongs to a way out, but what lies behind its border.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_egress(egress)
    name, caller = egress_name(egress), issuer_of(egress.caller)
    refused = refused_connections(access_log, "egress", caller=caller)
    leads_to = name if egress.through is None else found_name(egress)
    log = json_log(access_log, egress_fields(egress))
    if egress.through is not None:
        log["filter"] = (
            NOT_FOUND  # what is found is logged behind the border, which knows how it ends
        )
    passes: dict[str, Any] = {"filters": [_passing(egress, log, leads_to)]}
    chains: list[Config] = [passes]
    if egress.stands_for_many:
        passes["filter_chain_match"] = {"transport_protocol": "tls", "server_names": [egress.host]}
        passes["filters"] = [by_server_name(egress), *passes["filters"]]
        named = refused_connections(
            access_log, "egress", caller=caller, name="%REQ(:AUTHORITY):255%"
        )
        chains += [by_host(egress, log, named), {"filters": [tcp(NOWHERE, refused)]}]
    elif egress.tls:
        passes["filter_chain_match"] = {"transport_protocol": "tls", "server_names": [egress.host]}
        chains.append({"filters": [tcp(NOWHERE, refused)]})
    kinds = ("tls_inspector", "http_inspector") if egress.stands_for_many else ("tls_inspector",)
    listener = {
        **listening(name, egress.listen, chains, {}),
        **(inspected(*kinds) if len(chains) > 1 else {}),
    }
    return Snapshot(
        clusters={leads_to: _outside(leads_to, egress), NOWHERE: NOWHERE_AT_ALL},
        listeners={name: listener},
        optional=frozenset({name}),
    )


def _passing(egress: Egress, log: Config, leads_to: str) -> Config:
    if egress.stands_for_many or egress.is_address:
        return tcp(leads_to, log)
    return trying(egress, log, cluster=leads_to)


@lru_cache(maxsize=PARTS)
def catcher_part(catcher: Catcher, access_log: Path) -> Snapshot:
    """Return all that belongs to the end of undeclared ways; whoever speaks HTTP is told what to declare.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_catcher(catcher)
    name = catcher_name(catcher.caller)
    issuer = issuer_of(catcher.caller)
    told = Answer(
        when=any_error("mesh"),
        code="DestinationUndeclared",
        title="The caller did not declare this destination",
        detail=f"{issuer} may not reach %REQ(:AUTHORITY):255% (%DOWNSTREAM_LOCAL_ADDRESS%). A service is added to"
        " `dependencies` of its descriptor, and called at the address that is then given; a host outside is added to"
        " `network.egress` as `host:port`.",
    )
    named = refused_connections(access_log, "catcher", caller=issuer, name="%REQ(:AUTHORITY):255%")
    speaks_http = {
        "filter_chain_match": {"application_protocols": ["http/1.0", "http/1.1", "h2c"]},
        "filters": [_answering(name, local_replies("mesh", [told]), named)],
    }
    unnamed = refused_connections(access_log, "catcher", caller=issuer)
    chains: list[Config] = [speaks_http, {"filters": [tcp(NOWHERE, unnamed)]}]
    listener = {
        **listening(name, catcher.listen, chains, {}),
        **inspected("original_dst", "tls_inspector", "http_inspector"),
    }
    return Snapshot(
        clusters={NOWHERE: NOWHERE_AT_ALL}, listeners={name: listener}, optional=frozenset({name})
    )


def _answering(name: str, replies: Config, log: Config) -> Config:
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 403}}
    host = {"name": name, "domains": ["*"], "routes": [route]}
    config = {
        "@type": TYPE_PREFIX + HTTP_CONNECTION,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "route_config": {"name": name, "virtual_hosts": [host]},
        "http_filters": [ROUTER],
        **client_identity(),
        **protocol_limits(),
        "access_log": [log],
        "local_reply_config": replies,
    }
    return {"name": "http", "typed_config": config}


def _outside(name: str, egress: Egress) -> Config:
    if egress.stands_for_many:
        return looked_up(name, egress)
    kind: dict[str, Any] = {"type": "STATIC"}
    if not egress.is_address:
        # Looked up again when the answer's time is over, and what was found stays while nobody answers.
        kind = {"type": "STRICT_DNS", "respect_dns_ttl": True, "dns_lookup_family": "ALL"}
        kind |= several(egress)
    at = {"socket_address": {"address": egress.host, "port_value": egress.port}}
    return {
        "name": name,
        **kind,
        **BEYOND,
        **to_border(egress),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at}}]}],
        },
    }
