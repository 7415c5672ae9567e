"""What the kernel refuses and counts, on a real network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l10_engines.namespaces import inside
from drystone.l10_engines.networks.driver import Network, Networks
from drystone.l10_engines.networks.rules import Rules
from drystone.l35_mesh.observed.attempts import Attempt
from drystone.l35_mesh.observed.datagrams import Datagrams
from drystone.l35_mesh.observed.tally import Tally, Times
from l10_engines.networks.conftest import folder, works_here

__all__ = ["folder", "works_here"]

BEGIN = datetime(2026, 5, 4, tzinfo=UTC)
LATER = BEGIN + timedelta(minutes=1)
RULES = Rules(open=frozenset(), catcher=15001)
QUIC = Attempt(way="udp", caller="dev/desk", host="203.0.113.7", port=443)
PING = Attempt(way="icmp", caller="dev/desk", host="203.0.113.7")


@pytest_asyncio.fixture
async def desk(folder: Path) -> AsyncIterator[Network]:
    networks = Networks(folder)
    yield await networks.ensure("desk.dev", RULES)
    for name in networks.names():
        await networks.remove(name)


class Look:
    """Looks at a network, beginning anew each time as an agent does unless it is kept."""

    def __init__(self, network: Network, memory: Path) -> None:
        self.tally = Tally()
        self._datagrams = Datagrams(Networks(network.path.parent), memory, self.tally)

    async def at(self, now: datetime) -> dict[Attempt, Times]:
        await self._datagrams.look(now)
        return dict(self.tally)


def send(network: Network, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        inside(network.path, partial(socket.socket, family, socket.SOCK_DGRAM)) as one,
        pytest.raises(PermissionError),
    ):
        one.sendto(b"hello", (host, port))


def ping(network: Network) -> None:
    kind = partial(socket.socket, type=socket.SOCK_RAW, proto=socket.IPPROTO_ICMP)
    with inside(network.path, kind) as one, pytest.raises(PermissionError):
        one.sendto(b"\x08\0\xf7\xff\0\0\0\0", ("203.0.113.7", 0))


async def test_each_datagram_is_told_once_with_where_it_was_to_go(
    desk: Network, tmp_path: Path
) -> None:
    look = Look(desk, tmp_path / "seen.json")
    assert await look.at(BEGIN) == {}
    send(desk, "203.0.113.7", 443)
    assert await look.at(BEGIN) == {QUIC: Times(1, BEGIN, BEGIN)}
    assert await look.at(LATER) == {QUIC: Times(1, BEGIN, BEGIN)}
    send(desk, "203.0.113.7", 443)
    send(desk, "2001:db8::7", 123)
    ping(desk)
    assert await look.at(LATER) == {
        QUIC: Times(2, BEGIN, LATER),
        Attempt(way="udp", caller="dev/desk", host="2001:db8::7", port=123): Times(1, LATER, LATER),
        PING: Times(1, LATER, LATER),
    }


async def test_who_begins_anew_tells_what_happened_meanwhile_and_nothing_twice(
    desk: Network, tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    send(desk, "203.0.113.7", 443)
    await Look(desk, memory).at(BEGIN)
    ping(desk)
    found = await Look(desk, memory).at(LATER)
    assert found == {QUIC: Times(1, BEGIN, BEGIN), PING: Times(1, LATER, LATER)}
    assert await Look(desk, memory).at(LATER) == found


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"desk.dev@1": 4}', b"\xff"])
async def test_a_damaged_memory_is_as_none(desk: Network, tmp_path: Path, content: bytes) -> None:
    memory = tmp_path / "seen.json"
    memory.write_bytes(content)
    send(desk, "203.0.113.7", 443)
    assert await Look(desk, memory).at(BEGIN) == {QUIC: Times(1, BEGIN, BEGIN)}


async def test_a_network_that_is_gone_or_made_anew_begins_anew(
    desk: Network, tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    look, networks = Look(desk, memory), Networks(desk.path.parent)
    send(desk, "203.0.113.7", 443)
    await look.at(BEGIN)
    await networks.remove("desk.dev")
    assert await look.at(LATER) == {QUIC: Times(1, BEGIN, BEGIN)}
    assert memory.read_bytes() == b"{}"
    send(await networks.ensure("desk.dev", RULES), "203.0.113.7", 443)
    assert await look.at(LATER) == {QUIC: Times(2, BEGIN, LATER)}


async def test_networks_that_are_no_service_s_are_passed_over(
    desk: Network, tmp_path: Path
) -> None:
    beyond = await Networks(desk.path.parent).ensure("desk.dev.beyond", RULES)
    send(beyond, "203.0.113.7", 443)
    assert await Look(desk, tmp_path / "seen.json").at(BEGIN) == {}
