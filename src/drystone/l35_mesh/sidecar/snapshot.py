"""The whole configuration of an Envoy with all that it does for the mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from drystone.l10_engines.proxy.edge import Endpoint, ways_to_instances
from drystone.l10_engines.proxy.edge_services import check_services
from drystone.l10_engines.proxy.edge_sides import SIDES
from drystone.l10_engines.proxy.edge_way_hosts import WAYS
from drystone.l10_engines.proxy.edge_way_hosts import led as way_led
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.border import border_part
from drystone.l35_mesh.sidecar.checks import check_no_twins
from drystone.l35_mesh.sidecar.connections import way_beside, way_name
from drystone.l35_mesh.sidecar.inbound import edge_host, inbound_part
from drystone.l35_mesh.sidecar.model import Beside, Mesh
from drystone.l35_mesh.sidecar.names import resolver_part
from drystone.l35_mesh.sidecar.outbound import outbound_part, secret, secret_name
from drystone.l35_mesh.sidecar.outside import catcher_part, egress_part
from drystone.l35_mesh.sidecar.own_ways import own_way_part
from drystone.l35_mesh.sidecar.tokens import IDENTITY_HEADERS


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
    edge = _without(edge, mesh.beside)
    parts = [inbound_part(one, mesh.access_log) for one in mesh.inbounds]
    parts += [outbound_part(one, mesh.access_log) for one in mesh.outbounds]
    parts += [own_way_part(one, mesh.access_log) for one in mesh.own_ways]
    parts += [egress_part(one, mesh.access_log) for one in mesh.egresses]
    parts += [border_part(one, mesh.access_log) for one in mesh.borders]
    parts += [catcher_part(one, mesh.access_log) for one in mesh.catchers]
    parts += [resolver_part(one, mesh.access_log) for one in mesh.resolvers]
    wanted = {(one.issuer, one.audience) for one in mesh.outbounds}
    secrets = {
        secret_name(*pair): secret(*pair, mesh.tokens[pair])
        for pair in sorted(wanted & mesh.tokens.keys())
    }
    ways = {
        way_name(one.service.name, is_beside=True): way_beside(one.service.name, one.listen)
        for one in mesh.beside
    }
    return Snapshot(
        clusters=_joined(edge.clusters, ways, *(part.clusters for part in parts)),
        endpoints=_joined(edge.endpoints, *(part.endpoints for part in parts)),
        listeners=_joined(edge.listeners, *(part.listeners for part in parts)),
        routes=_joined(_led(edge.routes, mesh), *(part.routes for part in parts)),
        secrets=_joined(edge.secrets, secrets, *(part.secrets for part in parts)),
        extensions=_joined(edge.extensions, *(part.extensions for part in parts)),
        optional=edge.optional.union(*(part.optional for part in parts)),
    )


def instance_snapshot(
    mesh: Mesh, *, edge: Endpoint | None = None, clusters: Mapping[str, Config] = {}
) -> Snapshot:
    """Return the whole configuration of an Envoy beside a service: of its inbound and its ways out, and of no edge.

    Args:
        mesh: Its inbounds have addresses, and its outbounds know those of their callees.
        edge: Where the edge is reached from this machine; services that move need to know it.
        clusters: More that its routes name.

    Raises:
        InvalidProxyConfig: Something in it cannot be.
    """
    services = [one.service for one in mesh.inbounds]
    check_services(services)
    ways = ways_to_instances(services, edge=edge or Endpoint(1), access_log=mesh.access_log)
    return mesh_snapshot(mesh, structs.replace(ways, clusters={**clusters, **ways.clusters}))


def _without(edge: Snapshot, beside: tuple[Beside, ...]) -> Snapshot:
    """Leave out the ways to the instances of services before which another Envoy stands."""
    if not beside:
        return edge
    services = [one.service for one in beside]
    theirs = ways_to_instances(services, edge=Endpoint(1), access_log=Path())
    return structs.replace(
        edge,
        **{
            kind: {name: of for name, of in getattr(edge, kind).items() if name not in known}
            for kind in ("clusters", "endpoints", "listeners", "routes")
            for known in (getattr(theirs, kind),)
        },
        optional=edge.optional - theirs.optional,
    )


def _joined(*some: Mapping[str, Config]) -> dict[str, Config]:
    joined: dict[str, Config] = {}
    for one in filter(None, some):
        joined.update(one)
    return joined


def _led(routes: Mapping[str, Config], mesh: Mesh) -> dict[str, Any]:
    """Lead every virtual host of a service to its inbound; where there is none, nobody can say that they are a caller either."""
    services = {one.service.name: (one.service, False) for one in mesh.inbounds if not one.listen}
    services |= {one.service.name: (one.service, True) for one in mesh.beside}

    def led(host: Config) -> Config:
        if host["name"].startswith(WAYS):
            return way_led(host, lead)
        if host["name"] not in services:
            return host
        service, is_beside = services[host["name"]]
        return edge_host(service, tuple(host["domains"]), is_beside=is_beside)

    def lead(name: str) -> Sequence[Config] | None:
        if name not in services:
            return None
        service, is_beside = services[name]
        routes: Sequence[Config] = edge_host(service, (), is_beside=is_beside)["routes"]
        return routes

    return {
        name: of
        if name.startswith(SIDES)  # what comes there has passed an inbound, which said who calls
        else {
            **of,
            "request_headers_to_remove": [
                *of.get("request_headers_to_remove", ()),
                *IDENTITY_HEADERS,
            ],
            "virtual_hosts": [led(host) for host in of["virtual_hosts"]],
        }
        for name, of in routes.items()
    }
