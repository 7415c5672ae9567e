from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from drystone.l10_engines.namespaces import inside
from drystone.l10_engines.proxy.edge import Protocol
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.local.instances import Blueprint, KeptInstance, State
from drystone.l25_deployer.local.probe import probe
from drystone.testing.networks import service_network
from l25_deployer.local.small_instances import Changes, blueprint
from l25_deployer.small_platform import until

LIMIT = timedelta(seconds=5)


def in_network(what: Blueprint, network: Path) -> Blueprint:
    spec = msgspec.structs.replace(what.spec, network=network)
    return msgspec.structs.replace(what, spec=spec)


def port_of(what: Blueprint) -> int:
    assert what.port is not None
    return what.port


async def test_an_instance_is_asked_for_its_health_in_the_network_that_it_is_in(
    tmp_path: Path,
) -> None:
    plain = blueprint(tmp_path)
    port = port_of(plain)
    async with service_network(tmp_path / "n", open_ports=frozenset({port})) as network:
        what = in_network(plain, network.path)
        one = KeptInstance(what, Processes(), Changes())
        await one.begin()
        await until(lambda: one.state is State.HEALTHY, "healthy")
        assert one.listening_ports() == [port]
        assert not (await probe(port, "/", timeout=LIMIT)).is_ok
        await one.leave()

        successor = KeptInstance(plain, Processes(), Changes())
        assert await successor.find()
        await until(lambda: successor.state is State.HEALTHY, "healthy in the successor's eyes")
        assert successor.network is not None
        assert successor.pid is not None
        assert network.holds(successor.pid)
        await successor.end()
        assert successor.network is None


async def test_a_port_that_is_taken_on_the_host_is_free_in_a_network(tmp_path: Path) -> None:
    plain = blueprint(tmp_path)
    port = port_of(plain)
    with socket.create_server(("127.0.0.1", port)):
        async with service_network(tmp_path / "n", open_ports=frozenset({port})) as network:
            one = KeptInstance(in_network(plain, network.path), Processes(), Changes())
            await one.begin()
            await until(lambda: one.state is State.HEALTHY, "healthy")
            await one.end()

            with inside(network.path, lambda: socket.create_server(("127.0.0.1", port))):
                await one.persist()
                await until(lambda: "taken by another program" in one.last_problem, "refused")
                await one.end()


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_a_network_that_is_gone_is_told(tmp_path: Path, protocol: Protocol) -> None:
    gone = tmp_path / "orders.dev@gone"
    asked = await probe(1, "/", timeout=LIMIT, protocol=protocol, network=gone)
    assert not asked.is_ok
    assert asked.text.endswith("the network of the instance is not there any more")
