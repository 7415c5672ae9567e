"""Where it is seen at which address a host is that has a name, before anything is said to it.

Connections come here by the rules of a network in which every address leads here, with the address that was meant (``SO_ORIGINAL_DST``),
whichever answer of a name server Envoy took, and however often it asked. What is checked is the address that is then used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from drystone.l00_kernel.addresses import NOT_OUTSIDE, PRIVATE
from drystone.l10_engines.proxy.edge_listener import json_log
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.refusal_log import refused_connections
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.by_name import source
from drystone.l35_mesh.sidecar.bytes_only import (
    BEYOND,
    NOWHERE,
    NOWHERE_AT_ALL,
    egress_fields,
    egress_name,
    inspected,
    tcp,
)
from drystone.l35_mesh.sidecar.checks import check_border
from drystone.l35_mesh.sidecar.connections import listening
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import Border, Egress, issuer_of
from drystone.l35_mesh.sidecar.several import granting

_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


_ANSWERS_WITHIN = "2s"
"""How long an address may take before another one is tried."""


def border_name(caller: str) -> str:
    """Name the listener that a service's ways to names pass."""
    return f"border/{caller}"


@lru_cache(maxsize=PARTS)
def border_part(border: Border, access_log: Path) -> Snapshot:
    """Return all that belongs to a border.

    Of the ranges in which an address lies, the narrowest counts: it is refused, or it passes.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_border(border)
    name = border_name(border.caller)
    closed = {_range(one) for one in (*NOT_OUTSIDE, *border.own)}
    open_ = {_range(one) for one in border.private} - closed
    closed |= {_range(one) for one in PRIVATE} - open_
    chains: list[Config] = []
    for way in border.ways:
        what = f"{way.host}:{way.port}"
        refused = refused_connections(access_log, "border", caller=issuer_of(way.caller), name=what)
        log = json_log(access_log, egress_fields(way))
        chains += [
            {**_match(way, open_ | _EVERYWHERE), "filters": [_passing(way, log)]},
            {**_match(way, closed), "filters": [tcp(NOWHERE, refused)]},
        ]
    listener = {
        **listening(name, border.listen, chains, {}),
        **inspected("original_dst"),
    }
    clusters = {egress_name(way): _where_it_is(way) for way in border.ways}
    return Snapshot(
        clusters={**clusters, NOWHERE: NOWHERE_AT_ALL},
        listeners={name: listener},
        optional=frozenset({name}),
    )


def _passing(way: Egress, log: Config) -> Config:
    # Which host below a star is meant is known from what a client says, which passes as it is.
    return tcp(egress_name(way), log) if way.stands_for_many else granting(way, log)


def _match(way: Egress, ranges: Iterable[str]) -> Config:
    return {
        "filter_chain_match": {
            "destination_port": way.port,
            "prefix_ranges": [_prefix(one) for one in sorted(ranges)],
            "source_prefix_ranges": [_prefix(_range(one)) for one in source(way)],
        }
    }


def _range(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _prefix(range_: str) -> Config:
    address, _, length = range_.partition("/")
    return {"address_prefix": address, "prefix_len": int(length)}


def _where_it_is(way: Egress) -> Config:
    """Return the ``Cluster`` that is at the address a connection was meant for."""
    beyond = BEYOND if way.stands_for_many else {**BEYOND, "connect_timeout": _ANSWERS_WITHIN}
    where = {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"}
    return {"name": egress_name(way), **where, **beyond}
