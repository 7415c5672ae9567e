from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from drystone.l10_engines.loopback_ports import FIRST
from drystone.l10_engines.namespaces import inside, tcp_socket
from drystone.l10_engines.networks.driver import Network, Networks
from drystone.l10_engines.networks.refusals import Destination
from drystone.l10_engines.networks.rules import MOST_CAUGHT, MOST_REMEMBERED, Range, Rules, script
from drystone.testing.conformance.engines import eventually

OPEN, CLOSED, OWN, CATCHER = 20_001, 20_002, 8_080, 15_001
NAME = "orders.dev"
RULES = Rules(open=frozenset({OPEN}), catcher=CATCHER)
ORIGINAL_DESTINATION = 80
"""SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and IP6T_SO_ORIGINAL_DST of netfilter_ipv6/ip6_tables.h."""

NAMES = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\x01a\x00" + struct.pack(">2H", 1, 1)


@pytest.fixture
def networks(folder: Path) -> Networks:
    return Networks(folder)


@pytest.fixture
async def network(networks: Networks) -> AsyncIterator[Network]:
    yield await networks.ensure(NAME, RULES)
    await networks.remove(NAME)


@contextmanager
def listening(network: Network, *ports: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Listen at some ports; the first is given."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as open_:
        made = [
            open_.enter_context(
                inside(
                    network.path,
                    partial(socket.create_server, (host, port), family=family, backlog=512),
                )
            )
            for port in ports
        ]
        yield made[0]


def connected(network: Network, host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = inside(network.path, partial(socket.socket, kind))
    one.settimeout(20)
    try:
        one.connect((host, port))
    except OSError:
        one.close()
        raise
    return one


def meant(connection: socket.socket) -> tuple[str, int]:
    """Return where a connection was to go that arrived somewhere else."""
    if connection.family == socket.AF_INET6:
        raw = connection.getsockopt(socket.IPPROTO_IPV6, ORIGINAL_DESTINATION, 28)
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack_from("!H", raw, 2)[0]
    raw = connection.getsockopt(socket.SOL_IP, ORIGINAL_DESTINATION, 16)
    return socket.inet_ntoa(raw[4:8]), struct.unpack_from("!H", raw, 2)[0]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("203.0.113.7", 443),
        ("169.254.169.254", 80),
        ("203.0.113.53", 53),
        ("255.255.255.254", 1),
        ("127.0.0.1", CLOSED),
        ("127.0.0.9", CLOSED),
        ("2001:db8::7", 443),
        ("::1", CLOSED),
    ],
)
async def test_what_leads_elsewhere_arrives_at_the_catcher_with_the_address_that_was_meant(
    network: Network, host: str, port: int
) -> None:
    own = "::1" if ":" in host else "127.0.0.1"
    with listening(network, CATCHER, host=own) as catcher, connected(network, host, port):
        arrived, _ = catcher.accept()
        with arrived:
            assert meant(arrived) == (host, port)


@pytest.mark.parametrize("port", [OPEN, OWN])
async def test_an_open_port_and_a_port_of_its_own_are_reached(network: Network, port: int) -> None:
    with (
        listening(network, port) as server,
        listening(network, CATCHER),
        connected(network, "127.0.0.1", port) as client,
    ):
        arrived, client_address = server.accept()
        with arrived:
            assert client_address == client.getsockname()


@pytest.mark.parametrize("host", ["203.0.113.7", "2001:db8::7"])
async def test_an_address_elsewhere_can_have_its_listener_inside(
    networks: Networks, network: Network, host: str
) -> None:
    await networks.ensure(
        NAME, Rules(open=frozenset(), catcher=CATCHER, elsewhere=frozenset({(host, 443)}))
    )
    with (
        listening(network, 443, host=host) as server,
        connected(network, host, 443) as client,
    ):
        arrived, _ = server.accept()
        with arrived:
            assert arrived.getsockname()[:2] == (host, 443)
            assert client.getpeername()[:2] == (host, 443)
    with pytest.raises(ConnectionRefusedError):
        connected(network, host, 444)


async def test_without_a_catcher_everything_is_refused_at_once(network: Network) -> None:
    for host in ("203.0.113.7", "127.0.0.1", "2001:db8::7"):
        with pytest.raises(ConnectionRefusedError):
            connected(network, host, CLOSED)


async def test_a_port_that_is_closed_lets_nobody_in_and_nobody_who_is_there_out(
    networks: Networks, network: Network
) -> None:
    with listening(network, OPEN) as server, connected(network, "127.0.0.1", OPEN) as before:
        arrived, _ = server.accept()
        with arrived:
            await networks.ensure(NAME, Rules(open=frozenset(), catcher=CATCHER))
            before.sendall(b"on")
            assert arrived.recv(2) == b"on"
            with pytest.raises(ConnectionRefusedError):
                connected(network, "127.0.0.1", OPEN)
            await networks.ensure(NAME, RULES)
            connected(network, "127.0.0.1", OPEN).close()


async def test_ports_of_others_are_those_that_are_watched(
    networks: Networks, network: Network
) -> None:
    await networks.ensure(
        NAME, Rules(open=frozenset(), catcher=CATCHER, watched=(Range(OWN, OWN), Range(1, 9)))
    )
    with listening(network, OWN, CLOSED):
        with pytest.raises(ConnectionRefusedError):
            connected(network, "127.0.0.1", OWN)
        connected(network, "127.0.0.1", CLOSED).close()


@pytest.mark.parametrize(
    ("family", "server", "own"),
    [
        (socket.AF_INET, "203.0.113.53", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.53", "127.0.0.1"),
        (socket.AF_INET6, "2001:db8::53", "::1"),
    ],
)
async def test_a_question_for_a_name_arrives_at_the_networks_own_server(
    network: Network, family: socket.AddressFamily, server: str, own: str
) -> None:
    datagrams = partial(inside, network.path, partial(socket.socket, family, socket.SOCK_DGRAM))
    with datagrams() as answering, datagrams() as asking:
        answering.bind((own, 53))
        for one in (answering, asking):
            one.settimeout(20)
        asking.sendto(NAMES, (server, 53))
        question, client = answering.recvfrom(512)
        assert question == NAMES
        answering.sendto(b"answer", client)
        answer, source = asking.recvfrom(512)
        assert answer == b"answer"
        assert source[:2] == (server, 53)


async def test_other_datagrams_are_refused_and_remembered(
    networks: Networks, network: Network
) -> None:
    def send(count: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for port in range(1000, 1000 + count):
                with pytest.raises(PermissionError):
                    one.sendto(b"x", ("203.0.113.7", port))

    inside(network.path, partial(send, 3))
    refused = await networks.refused(NAME)
    assert refused is not None
    assert refused.udp == 3
    assert [one.port for one in refused.destinations] == [1000, 1001, 1002]
    assert {one.address for one in refused.destinations} == {"203.0.113.7"}

    inside(network.path, partial(send, MOST_REMEMBERED + 20))
    refused = await networks.refused(NAME)
    assert refused is not None
    assert refused.udp == MOST_REMEMBERED + 23
    assert len(refused.destinations) == MOST_REMEMBERED


async def test_its_own_datagrams_go_through(network: Network) -> None:
    datagrams = partial(inside, network.path, partial(socket.socket, type=socket.SOCK_DGRAM))
    with datagrams() as server, datagrams() as client:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        client.sendto(b"hello", server.getsockname())
        assert server.recv(16) == b"hello"


async def test_pings_and_unknown_protocols_are_refused_and_counted(
    networks: Networks, network: Network
) -> None:
    for number in (socket.IPPROTO_ICMP, 253):
        with (
            inside(network.path, partial(socket.socket, type=socket.SOCK_RAW, proto=number)) as one,
            pytest.raises(PermissionError),
        ):
            one.sendto(b"\x08\0\xf7\xff\0\0\0\0", ("203.0.113.7", 0))
    refused = await networks.refused(NAME)
    assert refused is not None
    assert (refused.icmp, refused.other) == (1, 1)
    assert refused.destinations == (Destination("203.0.113.7", 0, 1),)


async def test_that_a_datagram_was_refused_is_seen_without_asking_for_the_rules(
    networks: Networks, network: Network
) -> None:
    before = networks.refusals_sent()
    for host in ("203.0.113.7", "2001:db8::7"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with (
            inside(network.path, partial(socket.socket, family, socket.SOCK_DGRAM)) as one,
            pytest.raises(PermissionError),
        ):
            one.sendto(b"hello", (host, 443))
    assert before == {network.path.name: 0}
    assert networks.refusals_sent() == {network.path.name: 2}


async def test_an_address_that_stands_for_a_host_has_the_ports_alone_that_are_declared(
    networks: Networks,
) -> None:
    """One of them is among the ports that the platform gives to others; at another one the catcher listens."""
    at, declared, other = "127.64.0.9", FIRST, 5432
    rules = Rules(open=frozenset(), catcher=CATCHER, elsewhere=frozenset({(at, declared)}))
    network = await networks.ensure(NAME, rules)
    for port, arrives in ((declared, (declared, at)), (other, (CATCHER, "127.0.0.1"))):
        with (
            listening(network, arrives[0], host=arrives[1]) as listener,
            connected(network, at, port),
        ):
            arrived, _ = listener.accept()
            with arrived:
                assert meant(arrived) == (at, port)
    await networks.remove(NAME)


async def test_no_more_connections_are_caught_at_once_than_the_listener_can_bear(
    networks: Networks, network: Network
) -> None:
    with listening(network, CATCHER), ExitStack() as held:
        for _ in range(MOST_CAUGHT):
            held.enter_context(connected(network, "203.0.113.7", 443))
        with pytest.raises(ConnectionRefusedError):
            connected(network, "203.0.113.7", 443)
    refused = await networks.refused(NAME)
    assert refused is not None
    assert refused.caught > MOST_CAUGHT
    with listening(network, CATCHER):
        await eventually(lambda: reaches(network))


def reaches(network: Network) -> bool:
    try:
        connected(network, "203.0.113.7", 443).close()
    except ConnectionRefusedError:
        return False
    return True


async def test_what_was_counted_stays_when_the_rules_change(
    networks: Networks, network: Network
) -> None:
    with pytest.raises(ConnectionRefusedError):
        connected(network, "203.0.113.7", 443)
    await networks.ensure(NAME, Rules(open=frozenset({1}), catcher=CATCHER))
    refused = await networks.refused(NAME)
    assert refused is not None
    assert refused.caught == 1


async def test_rules_that_another_version_left_are_replaced(network: Network) -> None:
    other = (
        "delete table inet drystone\nadd table inet drystone\n"
        "add set inet drystone open { type ipv4_addr; }\n"
    )
    command = ["nft", "-f", "-"]
    inside(network.path, partial(subprocess.run, command, input=other.encode(), check=True))
    successor = Networks(network.path.parent)
    assert await successor.ensure(NAME, RULES) == network
    with listening(network, OPEN):
        connected(network, "127.0.0.1", OPEN).close()


async def test_nobody_counts_in_a_network_that_is_not_there(networks: Networks) -> None:
    assert await networks.refused(NAME) is None


def test_the_text_is_one_transaction_that_leaves_nothing_of_the_rules_before() -> None:
    lines = script(RULES).splitlines()
    for chain in ("steer", "refuse"):
        flushed = lines.index(f"flush chain inet drystone {chain}")
        assert all(
            at > flushed
            for at, one in enumerate(lines)
            if one.startswith(f"add rule inet drystone {chain}")
        )
    assert "add element inet drystone open { 20001 }" in lines
    assert not [
        one
        for one in script(Rules(open=frozenset(), catcher=1)).splitlines()
        if "element inet drystone open" in one
    ]


async def test_a_socket_belongs_to_the_network_in_which_it_was_made(network: Network) -> None:
    with inside(network.path, tcp_socket) as one:
        one.bind(("203.0.113.7", 443))  # every address is its own there
    with tcp_socket() as other, pytest.raises(OSError, match="Cannot assign"):
        other.bind(("203.0.113.7", 443))
