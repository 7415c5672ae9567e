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
