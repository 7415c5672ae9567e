from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drystone.l00_kernel import fault_points
from drystone.l10_engines.namespaces import NetworkLost, connect, inside, tcp_socket
from drystone.l10_engines.networks import kernel
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.networks.errors import NetworkNameInvalid
from drystone.l10_engines.networks.rules import Rules

RULES = Rules(open=frozenset({20_001}), catcher=15_001)
OTHERS = Rules(open=frozenset({20_002}), catcher=15_001)


@contextmanager
def process_in(network: Path) -> Iterator[int]:
    """Run a process in a network for a while."""

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    with inside(network, begin) as process:
        try:
            yield process.pid
        finally:
            process.communicate(b"\n")


def devices() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def threads() -> list[int]:
    """Those of this process; one that has ended is seen for a moment longer."""
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]


def opened(network: Path) -> str:
    command = ["nft", "list", "set", "inet", "drystone", "open"]
    done = inside(network, lambda: subprocess.run(command, check=True, capture_output=True))
    return done.stdout.decode()


async def test_a_network_has_no_device_but_lo(folder: Path) -> None:
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)
    assert inside(network.path, devices) == ["lo"]
    assert networks.names() == {"orders.dev"}
    assert networks.find("orders.dev") == network
    await networks.remove("orders.dev")
    assert networks.find("orders.dev") is None
    assert networks.names() == frozenset()


async def test_one_that_is_there_is_kept_and_its_rules_are_changed(folder: Path) -> None:
    networks = Networks(folder)
    first = await networks.ensure("orders.dev", RULES)
    inode = first.path.stat().st_ino
    assert await networks.ensure("orders.dev", RULES) == first
    assert "20001" in opened(first.path)
    assert await networks.ensure("orders.dev", OTHERS) == first
    assert "20002" in opened(first.path)
    assert "20001" not in opened(first.path)
    assert first.path.stat().st_ino == inode
    await networks.remove("orders.dev")


async def test_it_outlives_who_made_it(folder: Path) -> None:
    first = await Networks(folder).ensure("orders.dev", RULES)
    with process_in(first.path) as pid:
        successor = Networks(folder)
        adopted = await successor.ensure("orders.dev", OTHERS)
        assert adopted == first
        assert adopted.holds(pid)
        assert not adopted.holds(os.getpid())
        assert "20002" in opened(adopted.path)
        await successor.remove("orders.dev")
    assert not adopted.holds(pid)


async def test_a_network_that_has_processes_can_be_removed(folder: Path) -> None:
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)
    with process_in(network.path) as pid:
        await networks.remove("orders.dev")
        await networks.remove("orders.dev")
        another = await networks.ensure("orders.dev", RULES)
        assert another.path != network.path
        assert not another.holds(pid)
    await networks.remove("orders.dev")


async def test_a_file_without_a_network_is_what_a_restart_of_the_machine_leaves(
    folder: Path,
) -> None:
    networks = Networks(folder)
    before = await networks.ensure("orders.dev", RULES)
    kernel.let_go(before.path)
    before.path.touch()
    assert networks.find("orders.dev") is None
    assert networks.names() == {"orders.dev"}
    after = await networks.ensure("orders.dev", RULES)
    assert after.path != before.path
    assert not before.path.exists()
    assert "20001" in opened(after.path)
    await networks.remove("orders.dev")


async def test_what_else_lies_there_is_no_network(folder: Path) -> None:
    folder.mkdir()
    (folder / "orders.dev@link").symlink_to("/proc/1/ns/net")
    bound = folder / "orders.dev@bound"
    bound.touch()
    subprocess.run(["mount", "--bind", "/proc/self/ns/uts", str(bound)], check=True)
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)
    assert inside(network.path, devices) == ["lo"]
    assert [file.name for file in folder.iterdir()] == [network.path.name]
    await networks.remove("orders.dev")


async def test_many_who_ask_at_once_get_one(folder: Path) -> None:
    networks = Networks(folder)
    found = await asyncio.gather(*(networks.ensure("orders.dev", RULES) for _ in range(8)))
    assert len(set(found)) == 1
    assert len(list(folder.iterdir())) == 1
    await networks.remove("orders.dev")


async def test_names_that_begin_alike_are_different_networks(folder: Path) -> None:
    networks = Networks(folder)
    one = await networks.ensure("orders.dev", RULES)
    two = await networks.ensure("orders.dev2", RULES)
    assert one.path.stat().st_ino != two.path.stat().st_ino
    await networks.remove("orders.dev")
    assert networks.find("orders.dev2") == two
    await networks.remove("orders.dev2")


@pytest.mark.parametrize("name", ["", "../orders", "a/b", "a@b", "A", ".a", "a*", "x" * 202, "a\n"])
async def test_a_name_that_is_no_file_of_this_folder_is_refused(tmp_path: Path, name: str) -> None:
    networks = Networks(tmp_path)
    for ask in (networks.ensure(name, RULES), networks.remove(name), networks.refused(name)):
        with pytest.raises(NetworkNameInvalid):
            await ask
    with pytest.raises(NetworkNameInvalid):
        networks.find(name)


def act(folder: Path, wish: str) -> bool:
    """Make a network, change and remove it in a process that dies at a place; tell whether it came there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fault_points.arm(wish, folder.parent, lambda _: None)
            networks = Networks(folder)
            asyncio.run(networks.ensure("orders.dev", RULES))
            asyncio.run(Networks(folder).ensure("orders.dev", OTHERS))
            asyncio.run(networks.remove("orders.dev"))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"{wish} was never reached"
    return os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(
    "place",
    [
        "network.file.next",
        "network.file.made",
        "network.space.made",
        "network.rules.given",
        "network.rules.given:kill@2",
        "network.removal.begun",
    ],
)
def test_whoever_dies_half_way_is_followed_by_one_who_finishes(folder: Path, place: str) -> None:
    assert act(folder, place if ":" in place else f"{place}:kill")
    networks = Networks(folder)
    network = asyncio.run(networks.ensure("orders.dev", RULES))
    assert "20001" in opened(network.path)
    assert inside(network.path, devices) == ["lo"]
    assert len(list(folder.iterdir())) == 1
    asyncio.run(networks.remove("orders.dev"))


def test_without_the_rights_it_says_which_are_missing(tmp_path: Path, works_here: None) -> None:
    said = judged(tmp_path, "setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all")
    assert "lacks CAP_NET_ADMIN and CAP_SYS_ADMIN" in said
    said = judged(tmp_path, "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    assert "lacks CAP_NET_ADMIN; start it as root" in said


def test_without_nftables_it_says_what_to_install(tmp_path: Path, works_here: None) -> None:
    hide = 'mount -t tmpfs none "$(dirname "$(command -v nft)")" && exec "$@"'
    said = judged(tmp_path, "unshare", "--mount", "sh", "-c", hide, "sh")
    assert said == "nftables is not installed; try: apt install nftables"


def judged(folder: Path, *before: str) -> str:
    """Return what somebody without something hears."""
    source = (
        "import asyncio, pathlib, sys\n"
        "from drystone.l10_engines.networks.driver import Networks\n"
        "print(asyncio.run(Networks(pathlib.Path(sys.argv[1])).available()))"
    )
    command = [*before, sys.executable, "-c", source, str(folder / "none")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_no_thread_stays_in_a_network(folder: Path) -> None:
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        inside(network.path, fail)
    for _ in range(20):
        inside(network.path, tcp_socket).close()
    async with asyncio.timeout(30):
        while any(network.holds(thread) for thread in threads()):  # noqa: ASYNC110 - the kernel's doing
            await asyncio.sleep(0.005)
    await networks.remove("orders.dev")


async def test_whoever_makes_connections_keeps_no_removed_network_alive(folder: Path) -> None:
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)
    listening = inside(network.path, lambda: socket.create_server(("127.0.0.1", 20_001)))
    with listening:
        for _ in range(3):
            _, writer = await connect(20_001, network.path)
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(30):
            while any(network.holds(thread) for thread in threads()):  # noqa: ASYNC110 - the kernel's doing
                await asyncio.sleep(0.005)
    await networks.remove("orders.dev")


async def test_a_listener_that_accepts_nobody_holds_up_no_connection_elsewhere(
    folder: Path,
) -> None:
    networks = Networks(folder)
    network = await networks.ensure(
        "orders.dev", Rules(open=frozenset({20_001, 20_002}), catcher=15_001)
    )
    with (
        inside(network.path, lambda: socket.create_server(("127.0.0.1", 20_001))),
        inside(network.path, lambda: socket.create_server(("127.0.0.1", 20_002), backlog=0)),
    ):
        waiting = [asyncio.create_task(connect(20_002, network.path)) for _ in range(5)]
        _, writer = await connect(20_001, network.path)
        writer.close()
        await writer.wait_closed()
        assert not all(one.done() for one in waiting)
        for one in waiting:
            one.cancel()
        for opened in await asyncio.gather(*waiting, return_exceptions=True):
            if not isinstance(opened, BaseException):
                opened[1].close()
                await opened[1].wait_closed()
    await networks.remove("orders.dev")


async def test_a_connection_reaches_what_listens_inside(folder: Path) -> None:
    networks = Networks(folder)
    network = await networks.ensure("orders.dev", RULES)
    with pytest.raises(ConnectionRefusedError):
        await connect(20_001, network.path)
    with inside(network.path, lambda: socket.create_server(("127.0.0.1", 20_001))) as server:
        _, writer = await connect(20_001, network.path)
        accepted, _ = await asyncio.to_thread(server.accept)
        with accepted:
            writer.write(b"hello")
            assert await asyncio.to_thread(accepted.recv, 5) == b"hello"
            writer.close()
            await writer.wait_closed()
    await networks.remove("orders.dev")
    with pytest.raises(NetworkLost):
        await connect(20_001, network.path)
