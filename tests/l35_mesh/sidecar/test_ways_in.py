"""Ways in lead to the inbound of a service, which knows who may call, and keep what they say of networks and attacks."""

from __future__ import annotations

from pathlib import Path

from drystone.l10_engines.proxy.edge import EdgeService, EdgeWay, Endpoint, Pool, edge_snapshot
from drystone.l35_mesh.sidecar.connections import way_name
from drystone.l35_mesh.sidecar.model import Inbound, Mesh
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot

LOG = Path("/var/log/access.json")
WAY = EdgeWay(hosts=("shop.example.com",), paths=("/api",), allow=("10.0.0.0/8",), guard="on")
SHOP = EdgeService(
    name="shop.dev",
    hosts=("shop.dev.localhost",),
    pools=(Pool("v1", 1, (Endpoint(20001),)),),
    ways=(WAY,),
)
PLAIN = EdgeService(name="plain.dev", hosts=("plain.dev.localhost",), pools=SHOP.pools)


def test_a_way_in_leads_to_the_inbound_and_to_nothing_else() -> None:
    edge = edge_snapshot([SHOP, PLAIN], port=8400, access_log=LOG, outside="10.9.8.7")
    inbound = Inbound(service=SHOP, audience="dev/shop", public=True)
    whole = mesh_snapshot(Mesh(access_log=LOG, inbounds=(inbound,)), edge)
    for name in ("edge", "edge-outside"):
        hosts = {one["name"]: one for one in whole.routes[name]["virtual_hosts"]}
        before = {one["name"]: one for one in edge.routes[name]["virtual_hosts"]}
        way, was = hosts["*way/shop.example.com"], before["*way/shop.example.com"]
        (route,) = way["routes"]
        assert route["route"]["cluster"] == way_name("shop.dev")
        assert route["match"] == {"path_separated_prefix": "/api"}
        for kept in ("typed_per_filter_config", "metadata"):
            assert route[kept] == was["routes"][0][kept]
        assert way["typed_per_filter_config"] == was["typed_per_filter_config"]
        assert way["domains"] == ["shop.example.com"]
