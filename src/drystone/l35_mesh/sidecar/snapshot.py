"""The whole configuration of an Envoy with all that it does for the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drystone.l10_engines.proxy.edge import edge_snapshot
from drystone.l10_engines.proxy.edge_sides import SIDES
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.checks import check_no_twins
from drystone.l35_mesh.sidecar.inbound import edge_host, inbound_part
from drystone.l35_mesh.sidecar.model import Address, Inbound, Mesh
from drystone.l35_mesh.sidecar.names import resolver_part
from drystone.l35_mesh.sidecar.outbound import outbound_part, secret, secret_name
from drystone.l35_mesh.sidecar.outside import catcher_part, egress_part
from drystone.l35_mesh.sidecar.tokens import IDENTITY_HEADERS

_NO_PORT = 1
"""Where the edge of an Envoy without one listens: nowhere, since that listener is left out."""


def mesh_snapshot(mesh: Mesh, edge: Snapshot) -> Snapshot:
    """Return the whole configuration: what the edge has led straight to a service leads to its inbound.

    What does not change from one call to the next stays the same object, so that it is neither packed nor sent again.

    Args:
        mesh: What is to be done.
        edge: What the same Envoy does as the edge, of :func:`~drystone.l10_engines.proxy.edge.edge_snapshot`: the clusters
            of every inbound's service come from there.

    Raises:
        InvalidProxyConfig: Something in it cannot be; see :mod:`~drystone.l35_mesh.sidecar.checks`.
    """
    check_no_twins(mesh)
    parts = [inbound_part(one, mesh.access_log) for one in mesh.inbounds]
    parts += [outbound_part(one, mesh.access_log) for one in mesh.outbounds]
    parts += [egress_part(one, mesh.access_log) for one in mesh.egresses]
    parts += [catcher_part(one, mesh.access_log) for one in mesh.catchers]
    parts += [resolver_part(one, mesh.access_log) for one in mesh.resolvers]
    wanted = {(one.issuer, one.audience) for one in mesh.outbounds}
    secrets = {
        secret_name(*pair): secret(*pair, mesh.tokens[pair])
        for pair in sorted(wanted & mesh.tokens.keys())
    }
    return Snapshot(
        clusters=_joined(edge.clusters, *(part.clusters for part in parts)),
        endpoints=_joined(edge.endpoints, *(part.endpoints for part in parts)),
        listeners=_joined(edge.listeners, *(part.listeners for part in parts)),
        routes=_joined(_led(edge.routes, mesh.inbounds), *(part.routes for part in parts)),
        secrets=_joined(edge.secrets, secrets, *(part.secrets for part in parts)),
        extensions=_joined(edge.extensions, *(part.extensions for part in parts)),
        optional=edge.optional.union(*(part.optional for part in parts)),
    )


def instance_snapshot(mesh: Mesh) -> Snapshot:
    """Return the whole configuration of an Envoy beside an instance: of its inbound and its ways out, and of no edge.

    Args:
        mesh: Its inbounds have addresses, and its outbounds know those of their callees.

    Raises:
        InvalidProxyConfig: Something in it cannot be.
    """
    parts: list[Snapshot] = []
    for inbound in mesh.inbounds:
        at = inbound.listen or Address()
        alone = edge_snapshot(
            (inbound.service,),
            port=at.port or _NO_PORT,
            address=at.address,
            access_log=mesh.access_log,
        )
        parts.append(msgspec.structs.replace(alone, listeners={}, routes={}, optional=frozenset()))
    clusters = _joined(*(part.clusters for part in parts))
    ends = _joined(*(part.endpoints for part in parts))
    return mesh_snapshot(mesh, Snapshot(clusters=clusters, endpoints=ends))


def _joined(*some: Mapping[str, Config]) -> dict[str, Config]:
    joined: dict[str, Config] = {}
    for one in some:
        joined.update(one)
    return joined


def _led(routes: Mapping[str, Config], inbounds: tuple[Inbound, ...]) -> dict[str, Any]:
    """Lead every virtual host of a service to its inbound; where there is none, nobody can say that they are a caller either."""
    services = {one.service.name: one.service for one in inbounds if one.listen is None}
    return {
        name: of
        if name.startswith(SIDES)  # what comes there has passed an inbound, which said who calls
        else {
            **of,
            "request_headers_to_remove": [
                *of.get("request_headers_to_remove", ()),
                *IDENTITY_HEADERS,
            ],
            "virtual_hosts": [
                edge_host(services[host["name"]], tuple(host["domains"]))
                if host["name"] in services
                else host
                for host in of["virtual_hosts"]
            ],
        }
        for name, of in routes.items()
    }
