"""Do something inside another network, and come back safely (network_namespaces(7), setns(2)).

A socket belongs to the network in which it was made, whoever uses it later; a process belongs to the network of the
thread that started it. So whatever must happen inside happens in a thread of its own, which ends afterwards: no
thread is ever led back, and none can stay in the wrong place.

The sockets by which instances are asked for their health are the exception: with hundreds of services there are a hundred
of them a second, and a thread for each costs ten times as much as the socket. One thread makes them all, and does nothing
else: before each it enters the network that is meant, so it does not matter where it stands.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.shortage import in_words

T = TypeVar("T")

_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of linux/sched.h."""

_MOMENT_S = 0.01
"""How long a connection within one machine may take before others have their turn."""

_libc = ctypes.CDLL(None, use_errno=True)


class NetworkLost(Unavailable):
    """The network in which something is to happen is not there; the next start of the platform makes it anew."""


def inside(network: Path | None, work: Callable[[], T]) -> T:
    """Do some short work inside a network and return what it returns.

    Args:
        network: The file that stands for it; this process's own when None, and then no thread is made.
        work: What to do; its errors are raised here. What it starts lives in the network.

    Raises:
        NetworkLost: The file stands for no network.
        OSError: This process may not enter it, or the machine is short of something.
    """
    if network is None:
        return work()

    def run() -> T:
        _enter(network)
        return work()

    return _in_thread(run)


def inside_each(networks: Iterable[Path], work: Callable[[], T]) -> dict[Path, T]:
    """Do the same short work inside several networks, one after the other; return what it returned in each.

    Costs one thread and, for each network, a fiftieth of a millisecond beside the work. What stands for no network is left out.

    Raises:
        OSError: See :func:`inside`.
    """

    def run() -> dict[Path, T]:
        found = {}
        for network in networks:
            with suppress(NetworkLost):  # it is on its way out, or in
                _enter(network)
                found[network] = work()
        return found

    return _in_thread(run)


def inside_new(work: Callable[[], T]) -> T:
    """Do some short work inside a network that is made for it, empty, and return what it returns.

    Raises:
        OSError: This process may not make networks, or this kernel has none.
    """

    def run() -> T:
        _checked(_libc.unshare(_NEW_NETWORK), "unshare")
        return work()

    return _in_thread(run)


async def connect(
    port: int,
    network: Path | None,
    *,
    limit: int = 1 << 16,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a TCP port of 127.0.0.1 inside a network.

    Args:
        port: The port.
        network: See :func:`inside`.
        limit: Most bytes that the reader holds back.

    Raises:
        NetworkLost: See :func:`inside`.
        OSError: Nothing listens there.
    """
    if network is None:
        return await asyncio.open_connection("127.0.0.1", port, limit=limit)
    loop = asyncio.get_running_loop()
    at = ("127.0.0.1", port)
    making = _maker(os.getpid()).submit(_connecting_inside, network, at)
    try:
        made, is_connected = await asyncio.wrap_future(making)
    except asyncio.CancelledError:
        making.add_done_callback(_close_unwanted)
        raise
    try:
        if not is_connected:
            await loop.sock_connect(made, at)
        return await asyncio.open_connection(sock=made, limit=limit)
    except BaseException:
        made.close()
        raise


def tcp_socket() -> socket.socket:
    """Make a socket for TCP over IPv4; it belongs to the network in which this is called."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


@cache
def _maker(_process: int) -> ThreadPoolExecutor:
    """Return the thread of this process that makes sockets; a child of it has none of its parent's threads.

    Raises:
        OSError: The machine has no thread left.
    """
    maker = ThreadPoolExecutor(1, "sockets of networks")
    try:
        maker.submit(int)  # which starts the thread
    except RuntimeError as e:
        raise _no_thread(e) from e
    return maker


def _connecting_inside(network: Path, at: tuple[str, int]) -> tuple[socket.socket, bool]:
    """Make a socket in a network and begin to connect it; return whether it is connected already, as it nearly always is."""
    made, is_connected = _made_inside(network), False
    try:
        made.settimeout(_MOMENT_S)  # others wait for this thread
        with suppress(TimeoutError):
            made.connect(at)
            is_connected = True
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made, is_connected


def _made_inside(network: Path) -> socket.socket:
    """Make a socket in a network and go home: who stays there keeps a network alive that is removed."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(network)
        try:
            return tcp_socket()
        finally:
            _checked(_libc.setns(home, _NEW_NETWORK), "setns")
    finally:
        os.close(home)


def _close_unwanted(making: Future[tuple[socket.socket, bool]]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result()[0].close()


def _enter(network: Path) -> None:
    try:
        opened = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise NetworkLost(f"there is no network at {network}", path=str(network)) from e
    try:
        _checked(_libc.setns(opened, _NEW_NETWORK), "setns")
    except OSError as e:
        if e.errno not in {errno.EINVAL, errno.EPERM}:
            raise
        raise NetworkLost(f"{network} cannot be entered: {e}", path=str(network)) from e
    finally:
        os.close(opened)


def _checked(answer: int, call: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _in_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as e:  # noqa: BLE001 - raised again where it was asked for
            problems.append(e)

    thread = threading.Thread(target=run, name="inside a network")
    try:
        thread.start()
    except RuntimeError as e:  # this is how Python says that the kernel has no thread left
        raise _no_thread(e) from e
    thread.join()
    if problems:
        raise problems[0]
    return results[0]


def _no_thread(error: RuntimeError) -> OSError:
    """Return what Python should have raised when the kernel has no thread left."""
    return OSError(errno.EAGAIN, in_words(OSError(errno.EAGAIN, str(error))))
