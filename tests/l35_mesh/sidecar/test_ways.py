"""The ways that a service has out of its network, as values."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local.mesh import LOOPBACK, Address, Member
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.sidecar.ways import Ways, aliases, ways_of

NETWORK = Path("/run/networks/desk.dev@1")
BEYOND = Path("/run/networks/desk.dev.beyond@1")
HOSTS = st.from_regex(r"[a-z]{1,8}\.example\.(com|org)", fullmatch=True)


def ways(*egress: str, uses: tuple[Address, ...] = ()) -> Ways:
    stack = EnvironmentStack(
        "desk", "dev", "docs", 2, (), timedelta(seconds=15), False, egress=egress or None
    )
    return ways_of(Member(environment="dev", service="desk", surroundings=(stack,)), uses)


@given(st.sets(HOSTS, max_size=30), st.sets(HOSTS, max_size=30))
def test_a_host_has_one_address_of_the_loopback_network_whatever_other_hosts_there_are(
    some: set[str], others: set[str]
) -> None:
    few, all_ = aliases(some), aliases(some | others)
    assert few.keys() == some
    assert len(set(all_.values())) == len(all_)
    assert {host: all_[host] for host in some} == few
    own = ipaddress.ip_network("127.64.0.0/10")
    assert all(ipaddress.ip_address(address) in own for address in all_.values())


def test_resources_are_where_they_are_outside() -> None:
    found = ways(uses=(Address(LOOPBACK, 25432),))
    (way,) = found.egresses(NETWORK)
    assert (way.host, way.port, way.listen.address, way.listen.port, way.tls) == (
        LOOPBACK,
        25432,
        LOOPBACK,
        25432,
        False,
    )
    assert way.listen.network == NETWORK
    assert found.rules([20001], 8400).open == {25432, 20001}
    assert found.resolver(NETWORK).hosts == ()


def test_a_declared_host_is_found_by_its_name_and_only_tls_goes_to_the_port_of_tls() -> None:
    found = ways("api.example.com", "mail.example.com:25", "api.example.com:8443")
    at = dict(found.resolver(NETWORK).hosts)
    assert at.keys() == {"api.example.com", "mail.example.com"}
    assert {(w.host, w.port, w.tls, w.listen.address) for w in found.egresses(NETWORK)} == {
        ("api.example.com", 443, True, at["api.example.com"]),
        ("api.example.com", 8443, False, at["api.example.com"]),
        ("mail.example.com", 25, False, at["mail.example.com"]),
    }
    rules = found.rules([], 8400)
    assert rules.open == frozenset()
    api, mail = at["api.example.com"], at["mail.example.com"]
    assert rules.elsewhere == {(api, 443), (api, 8443), (mail, 25)}


def test_hosts_with_names_are_reached_by_way_of_the_border_and_others_are_not() -> None:
    found = ways(
        "*.example.com", "mail.example.com:25", "192.0.2.7:1", uses=(Address(LOOPBACK, 1),)
    )
    through = {way.host: way.through for way in found.egresses(NETWORK, BEYOND)}
    assert through == {
        "*.example.com": BEYOND,
        "mail.example.com": BEYOND,
        "192.0.2.7": None,
        LOOPBACK: None,
    }
    assert found.resolver(NETWORK).hosts[0][0] == "*.example.com"


def test_a_declared_address_is_reached_at_that_address() -> None:
    found = ways("192.0.2.7:1234")
    (way,) = found.egresses(NETWORK)
    assert (way.host, way.listen.address, way.listen.port) == ("192.0.2.7", "192.0.2.7", 1234)
    assert found.rules([], 8400).elsewhere == {("192.0.2.7", 1234)}


def test_the_edge_is_watched_so_that_who_tries_it_is_told() -> None:
    watched = ways().rules([], 8400).watched
    assert any(one.first <= 8400 <= one.last for one in watched)
