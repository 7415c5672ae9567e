"""The whole configuration of an Envoy with all that it does for the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drystone.l10_engines.proxy.edge_clusters import MOST_CONNECTIONS
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.inbound import edge_host, inbound_part
from drystone.l35_mesh.sidecar.model import Inbound, Mesh
from drystone.l35_mesh.sidecar.outbound import outbound_part, secret, secret_name

NOTHING = Snapshot()


def mesh_snapshot(
    mesh: Mesh, edge: Snapshot = NOTHING, *, connections: int = MOST_CONNECTIONS
) -> Snapshot:
    """Return the whole configuration: what the edge has led straight to a service leads to its inbound.

    What does not change from one call to the next stays the same object, so that it is neither packed nor sent again.

    Args:
        mesh: What is to be done.
        edge: What the same Envoy does as the edge: of :func:`~drystone.l10_engines.proxy.edge.edge_snapshot`.
        connections: How many there may be to the instances of one service.
    """
    parts = [inbound_part(one, mesh.access_log, connections) for one in mesh.inbounds]
    parts += [outbound_part(one, mesh.access_log) for one in mesh.outbounds]
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


def _joined(*some: Mapping[str, Config]) -> dict[str, Config]:
    joined: dict[str, Config] = {}
    for one in some:
        joined.update(one)
    return joined


def _led(routes: Mapping[str, Config], inbounds: tuple[Inbound, ...]) -> dict[str, Any]:
    """Lead every virtual host of a service to its inbound."""
    services = {one.service.name: one.service for one in inbounds if one.listen is None}
    return {
        name: {
            **of,
            "virtual_hosts": [
                edge_host(services[host["name"]], tuple(host["domains"]))
                if host["name"] in services
                else host
                for host in of["virtual_hosts"]
            ],
        }
        for name, of in routes.items()
    }
