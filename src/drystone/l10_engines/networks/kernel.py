"""Calls of the kernel by which a network is made, kept under a name, and let go.

A network lives as long as something refers to it: a process in it, a socket, or a file on which it is mounted
(``ip netns`` does the same in ``/run/netns``). The file is what keeps it while nothing runs in it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from contextlib import suppress
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

from drystone.l10_engines.namespaces import inside_new

_SHOW_DEVICE, _SET_FLAGS = 0x8913, 0x8914
"""SIOCGIFFLAGS and SIOCSIFFLAGS of linux/sockios.h."""
_UP = 0x1
_FLAGS = struct.Struct("=16sH22x")
"""``struct ifreq`` with flags (netdevice(7))."""

_LOOPBACK_INDEX = 1
"""Every network has ``lo``, and it is the first device."""

_NEW_ROUTE, _ERROR = 24, 2
"""RTM_NEWROUTE of linux/rtnetlink.h; NLMSG_ERROR, which also acknowledges (netlink(7))."""
_REQUEST, _ACKNOWLEDGE, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_TABLE_LOCAL, _BY_BOOT, _SCOPE_HOST, _LOCAL = 255, 3, 254, 2
_DEVICE, _PREFERRED_SOURCE = 4, 7
_HEADER, _ROUTE, _ATTRIBUTE = (
    struct.Struct("=IHHII"),
    struct.Struct("=8BI"),
    struct.Struct("=HH"),
)

_KIND, _NETWORK = 0xB703, 0x40000000
"""NS_GET_NSTYPE of linux/nsfs.h, and what it answers for a network."""
_BIND, _DETACH, _NO_LINK = 0x1000, 0x2, 0x8
"""MS_BIND of linux/mount.h; MNT_DETACH and UMOUNT_NOFOLLOW of umount(2)."""

_LISTEN_ANYWHERE = Path("/proc/sys/net/ipv6/ip_nonlocal_bind")
"""Of the network that the thread is in which opens it (proc_sys(5), ip-sysctl of the kernel)."""

_libc = ctypes.CDLL(None, use_errno=True)


def make(file: Path) -> None:
    """Make a network that has nothing but ``lo``, in which every address is its own, and mount it on a file.

    Raises:
        OSError: The kernel refuses.
    """

    def build() -> None:
        _bring_up()
        _mount(Path("/proc/thread-self/ns/net"), file)

    inside_new(build)


def is_network(file: Path) -> bool:
    """Tell whether a network is mounted on a file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, _KIND) == _NETWORK
    except OSError:
        return False
    finally:
        os.close(descriptor)


def let_go(file: Path) -> None:
    """Unmount whatever is mounted on a file and remove it; that it is gone already is as good.

    Raises:
        OSError: The kernel refuses.
    """
    while _libc.umount2(os.fsencode(file), _DETACH | _NO_LINK) == 0:
        pass
    if (number := ctypes.get_errno()) not in {errno.EINVAL, errno.ENOENT}:
        raise OSError(number, os.strerror(number), str(file))
    file.unlink(missing_ok=True)


@cache  # asked for each service at each change; a kernel gets or loses a protocol by a restart
def has_ipv6() -> bool:
    """Tell whether networks have IPv6 on this machine, and with it the address ``::1``."""
    return Path("/proc/thread-self/net/if_inet6").exists()


def own_addresses() -> tuple[str, ...]:
    """Return the addresses of the machine in the network of this thread, but those of loopback and of links.

    They are those of the kernel's own table of routes (proc_net(5), ``fib_trie``) and of its devices (``if_inet6``).
    """
    found = set()
    tables = _text("/proc/thread-self/net/fib_trie").splitlines()
    for place, line in pairwise(tables):
        if line.strip() == "/32 host LOCAL":
            found.add(ipaddress.ip_address(place.rpartition(" ")[2]))
    for line in _text("/proc/thread-self/net/if_inet6").splitlines():
        found.add(ipaddress.IPv6Address(bytes.fromhex(line.partition(" ")[0])))
    outside = (one for one in found if not one.is_loopback and not one.is_link_local)
    return tuple(sorted(map(str, outside)))


def refusals_sent() -> int:
    """Return how many "destination unreachable" were sent in the network of this thread (RFC 792, RFC 4443 section 3.1)."""
    count = 0
    lines = [line for line in _text("/proc/thread-self/net/snmp").splitlines() if "Icmp: " in line]
    if len(lines) == 2:
        heads, values = (line.split() for line in lines)
        count += int(values[heads.index("OutDestUnreachs")])
    for line in _text("/proc/thread-self/net/snmp6").splitlines():
        if line.startswith("Icmp6OutDestUnreachs"):
            count += int(line.split()[1])
    return count


def _text(path: str) -> str:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # this kernel has no such protocol
        return ""
    try:
        pieces = list(iter(partial(os.read, opened, 1 << 16), b""))
    finally:
        os.close(opened)
    return b"".join(pieces).decode("ascii")


def _mount(source: Path, target: Path) -> None:
    if _libc.mount(os.fsencode(source), os.fsencode(target), None, _BIND, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _bring_up() -> None:
    """Start ``lo`` of this thread's network and lead every address to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _, flags = _FLAGS.unpack(fcntl.ioctl(any_socket, _SHOW_DEVICE, _FLAGS.pack(b"lo", 0)))
        fcntl.ioctl(any_socket, _SET_FLAGS, _FLAGS.pack(b"lo", flags | _UP))
    _lead_to_loopback(socket.AF_INET, socket.inet_aton("127.0.0.1"))
    if has_ipv6():
        try:
            _lead_to_loopback(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "::1"))
        except OSError as e:  # this network has no IPv6, so that nothing can try to leave by it
            if e.errno not in {errno.EACCES, errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP}:
                raise
        # By IPv4 one may listen at every local address; by IPv6 at those of devices, unless this is said.
        with suppress(OSError):  # the settings of the kernel are read-only here
            _LISTEN_ANYWHERE.write_text("1")


def _lead_to_loopback(family: socket.AddressFamily, source: bytes) -> None:
    """Make every address of a family one of this network's own, for who connects from ``source`` (rtnetlink(7))."""
    route = _ROUTE.pack(family, 0, 0, 0, _TABLE_LOCAL, _BY_BOOT, _SCOPE_HOST, _LOCAL, 0)
    route += _attribute(_DEVICE, struct.pack("=I", _LOOPBACK_INDEX))
    route += _attribute(_PREFERRED_SOURCE, source)
    flags = _REQUEST | _ACKNOWLEDGE | _CREATE | _REPLACE
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(route), _NEW_ROUTE, flags, 1, 0) + route)
        answer = kernel.recv(4096)
    _, answered, *_ = _HEADER.unpack_from(answer)
    (number,) = struct.unpack_from("=i", answer, _HEADER.size)
    if answered != _ERROR or number != 0:
        raise OSError(-number, f"no route to lo for {family.name}: {os.strerror(-number)}")


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
