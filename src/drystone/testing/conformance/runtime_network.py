"""The part of the suite of runtimes about instances that have a network of their own."""

# ruff: noqa: S101, D102 - these are tests; their names are their documentation

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from drystone.l10_engines import namespaces
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.networks.driver import Network, Networks
from drystone.l10_engines.networks.rules import Rules
from drystone.l10_engines.runtimes.errors import InstanceFailed
from drystone.testing.conformance import runtime_programs as programs
from drystone.testing.conformance.runtime_bench import LIMIT, Workbench, answers, until
from drystone.testing.networks import service_network

OPEN = 20_001


class NetworkConformance:
    """An instance that is given a network lives in it, with all that it starts."""

    @pytest.fixture
    async def network(self, work: Workbench) -> AsyncIterator[Network]:
        folder = work.root / "networks"
        async with service_network(folder, open_ports=frozenset({OPEN})) as network:
            yield network

    async def test_an_instance_with_a_network_is_reached_inside_it_alone(
        self, work: Workbench, network: Network
    ) -> None:
        spec = work.program(programs.SERVE, str(OPEN), network=network.path)
        instance = await work.start(spec)
        await until(lambda: answers(OPEN, network.path))
        assert not answers(OPEN)
        assert network.holds(instance.pid)
        found = await work.bench.factory().find(instance.state)
        assert found is not None
        assert found.pid == instance.pid
        assert found.listening_ports() == [OPEN]

    async def test_two_instances_may_have_the_same_port_in_different_networks(
        self, work: Workbench, network: Network
    ) -> None:
        port = free_port()
        await work.start(work.program(programs.SERVE, str(port)))
        rules = Rules(open=frozenset({port}), catcher=1)
        await Networks(network.path.parent).ensure("suite", rules)
        inside = work.program(programs.SERVE, str(port), name="two", network=network.path)
        await work.start(inside)
        await until(lambda: answers(port) and answers(port, network.path))

    async def test_nobody_leaves_a_network_where_that_is_promised(
        self, work: Workbench, network: Network
    ) -> None:
        spec = work.program(programs.LEAVE_NETWORK, network=network.path)
        instance = await work.start(spec)
        assert (await instance.wait()).is_success, instance.log.read_text()
        seen = json.loads(instance.log.read_text())
        assert seen["devices"] == ["lo"]
        assert seen["inode"] == network.path.stat().st_ino
        if work.runtime.isolation().network:
            assert not seen["left"]

    async def test_a_one_off_command_runs_in_its_network(
        self, work: Workbench, network: Network
    ) -> None:
        pieces: list[bytes] = []
        spec = work.program(programs.LEAVE_NETWORK, network=network.path)
        exit_ = await work.runtime.run_once(spec, output=pieces.append, limit=LIMIT)
        assert exit_.is_success
        assert json.loads(b"".join(pieces))["devices"] == ["lo"]

    async def test_an_instance_does_not_start_in_a_network_that_is_gone(
        self, work: Workbench, network: Network
    ) -> None:
        gone = network.path.with_name("suite@gone")
        with pytest.raises(InstanceFailed):
            await work.runtime.start(work.program(programs.SLEEP, network=gone))
        gone.touch()
        with pytest.raises(InstanceFailed):
            await work.runtime.start(work.program(programs.SLEEP, network=gone))
        gone.unlink()
        assert namespaces.inside(network.path, lambda: True)
