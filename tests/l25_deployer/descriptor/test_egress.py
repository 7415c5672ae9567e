"""Which hosts outside a descriptor may name."""

from __future__ import annotations

import pytest

from drystone.l25_deployer.descriptor import read
from l25_deployer.stacks.samples import MINIMAL, stacks


def way(host: str) -> str:
    return f"{MINIMAL}network: {{egress: ['{host}']}}\n"


@pytest.mark.parametrize(
    "host",
    [
        "localhost:5432",
        "edge.localhost:80",
        "127.0.0.1:8400",
        "127.9.9.9",
        "169.254.169.254:80",
        "0.0.0.0:1",
    ],
)
def test_this_machine_is_not_outside(host: str) -> None:
    report = read(way(host)).report()
    name = host.partition(":")[0]
    assert f"network: {name} is this machine, or the metadata of it, and not outside" in report
    assert "declare the service in 'dependencies', or the resource in 'resources'" in report


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_is_one_that_there_is(port: str) -> None:
    report = read(way(f"api.example.com:{port}")).report()
    assert f"network: api.example.com:{port}: there is no port {port}" in report


@pytest.mark.parametrize("host", ["api.example.com", "api.example.com:8443", "192.0.2.7:25"])
def test_other_hosts_are(host: str) -> None:
    assert stacks(way(host)).environment.egress == (host,)


def test_who_is_only_watched_is_told_apart_from_who_is_refused() -> None:
    watched = f"{MINIMAL}network: {{ingress: {{enforce: false}}}}\n"
    assert stacks(watched).environment.shadow
    assert stacks(MINIMAL).environment.shadow is None


def ranges(*some: str) -> str:
    return f"{MINIMAL}network: {{egress: ['*.example.com'], private: [{', '.join(some)}]}}\n"


def test_private_ranges_are_declared_in_their_usual_form() -> None:
    found = stacks(ranges("10.1.0.0/16", "'fd00::/8'", "192.168.7.7/32"))
    assert found.environment.private == ("10.1.0.0/16", "fd00::/8", "192.168.7.7/32")


@pytest.mark.parametrize(
    ("range_", "message", "help_"),
    [
        ("10.1.2.3/16", "'10.1.2.3/16' has bits behind the prefix", "write 10.1.0.0/16"),
        ("10.0.0.0/99", "'10.0.0.0/99' is no range of addresses", "write one such as 10.0.0.0/8"),
        ("127.0.0.0/8", "'127.0.0.0/8' is no range of private addresses", "private ones lie in"),
        ("0.0.0.0/0", "'0.0.0.0/0' is no range of private addresses", "private ones lie in"),
        ("fd00:ec2::/32", "'fd00:ec2::/32' is no range of private", "private ones lie in"),
        ("100.100.100.200/32", "'100.100.100.200/32' is no range", "private ones lie in"),
        ("8.0.0.0/5", "'8.0.0.0/5' is no range of private addresses", "private ones lie in"),
    ],
)
def test_what_is_no_private_range_is_refused(range_: str, message: str, help_: str) -> None:
    report = read(ranges(range_)).report()
    assert message in report
    assert help_ in report
