"""What is around services that have networks of their own, on real networks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from drystone.l10_engines.networks.driver import Networks
from drystone.l25_deployer.local.mesh import LOOPBACK, Address, Member
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.sidecar.around import Around
from l10_engines.networks.conftest import folder, works_here

__all__ = ["folder", "works_here"]

DATABASE = Address(LOOPBACK, 25432)
STACK = EnvironmentStack("desk", "dev", "docs", 2, (), timedelta(seconds=15), False)
DESK = Member(
    environment="dev", service="desk", surroundings=(STACK,), uses=(DATABASE,), is_apart=True
)


def around(folder: Path, memory: Path) -> Around:
    return Around(Networks(folder), memory=memory, edge=8400)


def ports(found: Around, service: str = "desk.dev") -> list[int]:
    surrounded = found.of(service)
    return [way.port for way in surrounded.egresses] if surrounded else []


async def test_an_agent_that_has_asked_no_engine_yet_closes_no_way_that_is_in_use(
    folder: Path, tmp_path: Path
) -> None:
    memory = tmp_path / "resources.json"
    first = around(folder, memory)
    await first.prepare([(DESK, [20001])])
    network = first.network("desk.dev")
    later = around(folder, memory)
    await later.prepare([(replace(DESK, uses=None), [20001])])
    try:
        assert ports(later) == [DATABASE.port]
        assert later.network("desk.dev") == network
    finally:
        await later.end()


@pytest.mark.parametrize("content", [b"", b"{", b'{"desk.dev": 4}', b"[]", b"\xff"])
async def test_a_damaged_memory_is_as_none(folder: Path, tmp_path: Path, content: bytes) -> None:
    memory = tmp_path / "resources.json"
    memory.write_bytes(content)
    found = around(folder, memory)
    await found.prepare([(replace(DESK, uses=None), [])])
    assert ports(found) == []
    await found.prepare([(DESK, [])])
    assert ports(found) == [DATABASE.port]
    await found.end()


async def test_a_service_that_is_gone_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    memory = tmp_path / "resources.json"
    found = around(folder, memory)
    await found.prepare([(DESK, []), (replace(DESK, service="other", uses=()), [])])
    await found.forget("desk.dev")
    await found.forget("desk.dev")
    assert found.of("desk.dev") is None
    assert b"desk" not in memory.read_bytes()
    assert found.network("other.dev") is not None
    await found.end()
    assert found.of("other.dev") is None


async def test_a_service_that_shares_the_network_of_the_host_gets_none(
    folder: Path, tmp_path: Path
) -> None:
    found = around(folder, tmp_path / "resources.json")
    await found.prepare([(replace(DESK, is_apart=False), [20001])])
    assert found.of("desk.dev") is None
    assert not folder.exists()
