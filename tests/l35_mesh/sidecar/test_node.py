"""The mesh of a host, as configuration: from what the deployer says is there to what the proxy does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.edge_moves import Move, Rule
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot, pack_snapshot
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l20_trust.keys.api import Trusted
from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.local.ports import PortBook
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack
from drystone.l35_mesh.sidecar.around import Around
from drystone.l35_mesh.sidecar.fleet import Fleet
from drystone.l35_mesh.sidecar.key_book import KeyBook
from drystone.l35_mesh.sidecar.node import NodeMesh
from drystone.l35_mesh.sidecar.token_book import TokenBook
from l35_mesh.sidecar.few_keys import FewKeys, Hands

LOG = Path("/log")


class Host:
    """A mesh whose services are made up."""

    def __init__(self, folder: Path, *, is_open: bool = True) -> None:
        self.keys = FewKeys(Hands())
        self.keys.of = {"dev/desk": [1], "dev/billing": [2], "dev/stranger": [3]}
        self.node = NodeMesh(
            ports=PortBook(folder / "ports.json"),
            book=KeyBook(self.keys),
            tokens=TokenBook(self.keys, self.keys.clock),  # type: ignore[arg-type]
            access_log=LOG,
            is_open=is_open,
            around=Around(Networks(folder / "networks"), memory=folder / "m.json", edge=8400),
            fleet=Fleet(
                folder / "sidecars",
                ads=Ads(folder / "xds.sock"),
                supervisor=Supervisor(),
                settings=ProxySettings(port=None, access_log=LOG),
                log=NullLog(),
            ),
        )

    def snapshot(self, *members: Member, moves: dict[str, Move] | None = None) -> Snapshot:
        return self.snapshots(*members, moves=moves)[None]

    def snapshots(
        self, *members: Member, moves: dict[str, Move] | None = None
    ) -> dict[str | None, Snapshot]:
        services = [
            EdgeService(
                name=member.name,
                hosts=(f"{member.name}.localhost",),
                pools=(Pool("v1", 1, (Endpoint(20001 + number),)),),
                move=(moves or {}).get(member.name),
            )
            for number, member in enumerate(members)
        ]
        edge = edge_snapshot(services, port=8400, access_log=LOG)
        return self.node.surround(edge, services, members)


def member(service: str, **changes: Any) -> Member:
    stack = EnvironmentStack(service, "dev", "docs", 2, (), timedelta(seconds=15), False, **changes)
    return Member(environment="dev", service=service, surroundings=(stack,))


NEEDS = {"billing": Dependency("hard", ("runtime",), timedelta(seconds=5))}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def callers(snapshot: Snapshot, service: str = "billing.dev") -> str:
    return str(snapshot.routes[f"inbound/{service}"])


def test_who_declares_it_calls_and_nobody_else(host: Host) -> None:
    made = host.snapshot(member("desk", dependencies=NEEDS), member("billing"), member("stranger"))
    assert "dev/desk" in callers(made)
    assert "dev/stranger" not in callers(made)
    assert "outbound/desk.dev>billing.dev" in made.listeners
    assert [name for name in made.listeners if "stranger" in name] == []
    # Whoever calls undeclared is known all the same, and told what to declare.
    assert "dev/stranger/3" in str(made.extensions)


def test_whom_the_callee_does_not_list_is_not_let_in(host: Host) -> None:
    desk = member("desk", dependencies=NEEDS)
    assert "dev/desk" not in callers(host.snapshot(desk, member("billing", callers=("shop",))))
    assert "dev/desk" in callers(host.snapshot(desk, member("billing", callers=("desk",))))


def test_an_edge_that_is_open_to_people_opens_nothing_to_services(host: Host) -> None:
    desk = member("desk", dependencies=NEEDS)
    made = host.snapshot(desk, member("billing", callers=("shop",)))
    rules = made.routes["inbound/billing.dev"]["virtual_hosts"][0]["typed_per_filter_config"]
    policies = rules["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"]
    assert policies.keys() == {"public"}
    (strangers,) = policies["public"]["principals"]
    assert "present_match" in str(strangers["not_id"])


def test_people_come_straight_to_a_service_that_nobody_calls_while_the_edge_is_open(
    tmp_path: Path,
) -> None:
    alone = member("billing")
    assert "inbound/billing.dev" not in Host(tmp_path).snapshot(alone).listeners
    closed = Host(tmp_path / "closed", is_open=False).snapshot(alone)
    assert "inbound/billing.dev" in closed.listeners


def test_who_calls_is_proven_where_it_decides_which_side_of_a_move_answers(host: Host) -> None:
    away = Move(label="0123456789", addresses=(Endpoint(19999),))
    by_header = msgspec.structs.replace(away, rules=(Rule("x-tester", "yes"),))
    by_caller = msgspec.structs.replace(away, rules=(Rule("x-asap-issuer", "dev/desk"),))
    billing = member("billing")
    plain = host.snapshot(billing, moves={"billing.dev": by_header})
    assert "inbound/billing.dev" not in plain.listeners
    made = host.snapshot(billing, member("desk"), moves={"billing.dev": by_caller})
    assert "inbound/billing.dev" in made.listeners
    assert "dev/desk/1" in str(made.extensions)


def test_who_is_trusted_calls_whom_it_may_and_nobody_else_knows_its_keys(host: Host) -> None:
    host.keys.of["dev/shop@home"] = [7]
    host.keys.named = {"dev/billing": [Trusted("dev/shop@home", "dev/shop")]}
    made = host.snapshot(member("billing"), member("stranger", dependencies=NEEDS), member("desk"))
    assert "dev/shop" in callers(made)
    knowing = [name for name, said in made.extensions.items() if "dev/shop@home/7" in str(said)]
    assert knowing == ["tokens/billing.dev"]
    closed = host.snapshot(member("billing", callers=("desk",)))
    assert "dev/shop" not in callers(closed)


def test_what_a_service_here_declares_holds_for_the_one_of_its_name_elsewhere(host: Host) -> None:
    host.keys.named = {"dev/billing": [Trusted("dev/desk@home", "dev/desk")]}
    needs = {"billing": msgspec.structs.replace(NEEDS["billing"], calls=("GET /reports",))}
    declared = [member("desk", dependencies=needs), member("billing")]
    with_trust = callers(host.snapshot(*declared))
    host.keys.named = {}
    assert with_trust == callers(host.snapshot(*declared))


def test_a_callee_that_moves_is_asked_for_by_a_name_that_the_other_side_knows(host: Host) -> None:
    services = member("desk", dependencies=NEEDS), member("billing")
    way = "outbound/desk.dev>billing.dev"
    assert "host_rewrite_literal" not in str(host.snapshot(*services).routes[way])
    move = Move(label="0123456789", addresses=(Endpoint(20009),))
    made = host.snapshot(*services, moves={"billing.dev": move})
    assert "'host_rewrite_literal': 'billing.dev.localhost'" in str(made.routes[way])
    named = msgspec.structs.replace(move, host="far.example")
    made = host.snapshot(*services, moves={"billing.dev": named})
    assert "host_rewrite_literal" not in str(made.routes[way])


def test_a_dependency_has_one_address_for_each_who_calls(host: Host) -> None:
    first = host.node.address("dev", "desk", "billing.dev")
    assert host.node.address("dev", "desk", "billing.dev") == first
    assert host.node.address("dev", "shop", "billing.dev") != first
    assert host.node.address("test", "desk", "billing.dev") != first


def test_what_is_not_there_is_named(host: Host) -> None:
    host.keys.of.pop("dev/desk")
    host.snapshot(member("desk", dependencies=NEEDS), member("billing"))
    refused = {"outbound/desk.dev>billing.dev": "address in use", "names/desk.dev": "no"}
    said = host.node.problems("desk.dev", refused)
    assert said[0] == "it cannot call dev/billing: dev/desk has no key"
    assert said[1].startswith("it cannot reach billing.dev: address in use; ")
    assert said[2] == "its questions for names get no answer: no"
    assert host.node.problems("billing.dev", refused) == []


def test_a_service_that_comes_and_goes_leaves_the_rest_as_it_was(host: Host) -> None:
    desk, billing = member("desk", dependencies=NEEDS), member("billing")
    before = host.snapshot(desk, billing)
    host.snapshot(desk, billing, member("stranger", dependencies=NEEDS))
    after = host.snapshot(desk, billing)
    assert after.listeners == before.listeners
    assert after.routes.keys() == before.routes.keys()
    assert after.secrets == before.secrets


def port_of(snapshot: Snapshot, listener: str) -> int:
    port: int = snapshot.listeners[listener]["address"]["socket_address"]["port_value"]
    return port


def test_a_service_with_an_envoy_of_its_own_is_found_there_by_all(host: Host) -> None:
    desk, billing = member("desk", dependencies=NEEDS), member("billing", placement="instance")
    made = host.snapshots(desk, billing, member("stranger"))
    assert made.keys() == {None, "billing.dev"}
    whole, own = made[None], made["billing.dev"]
    assert own.listeners.keys() == {"inbound/billing.dev"}
    assert own.clusters.keys() >= {"billing.dev"}
    assert {"billing.dev", "to/billing.dev"}.isdisjoint(whole.clusters)
    assert "inbound/billing.dev" not in whole.listeners
    reached = f"'port_value': {port_of(own, 'inbound/billing.dev')}"
    assert reached in str(whole.clusters["to/billing.dev:beside"])
    assert reached in str(whole.clusters["outbound/desk.dev>billing.dev:beside"])
    assert "to/billing.dev:beside" in str(whole.routes)
    for one in made.values():
        assert pack_snapshot(one, 1).version == 1


def test_an_envoy_of_its_own_does_everything_for_its_service_and_knows_nothing_of_others(
    host: Host,
) -> None:
    desk, billing = member("desk", dependencies=NEEDS, placement="instance"), member("billing")
    made = host.snapshots(desk, billing, member("stranger", dependencies=NEEDS))
    whole, own = made[None], made["desk.dev"]
    assert own.listeners.keys() == {"inbound/desk.dev", "outbound/desk.dev>billing.dev"}
    assert own.secrets.keys() == {"token/dev/desk>dev/billing"}
    assert whole.secrets.keys() == {"token/dev/stranger>dev/billing"}
    # It comes to the inbound in the other Envoy by an entry, which checks nothing itself.
    entry = f"'port_value': {port_of(whole, 'entry/billing.dev')}"
    assert entry in str(own.clusters["outbound/desk.dev>billing.dev:beside"])
    assert "to/billing.dev" in str(whole.routes["entry/billing.dev"])
    for one in made.values():
        assert pack_snapshot(one, 1).version == 1


def test_while_releases_differ_the_service_has_an_envoy_of_its_own(host: Host) -> None:
    old, new = member("billing", placement="instance"), member("billing")
    both = msgspec.structs.replace(new, surroundings=(*new.surroundings, *old.surroundings))
    assert host.snapshots(both).keys() == {None, "billing.dev"}
    assert host.snapshots(new).keys() == {None}
