"""Ask the kernel for the TCP sockets that listen, and for nothing else (sock_diag(7)).

``/proc/net/tcp`` lists every connection of the host as well, those that were closed a minute ago included: behind a
few hundred services that are asked for their health it takes twenty times as long.
"""

from __future__ import annotations

import socket
import struct

_SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG of linux/netlink.h."""
_BY_FAMILY, _ERROR, _DONE = 20, 2, 3
"""SOCK_DIAG_BY_FAMILY of linux/sock_diag.h; NLMSG_ERROR and NLMSG_DONE."""
_REQUEST_DUMP = 0x301
_LISTENING = 1 << 10
"""The bit of TCP_LISTEN, of net/tcp_states.h."""
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48x")
_PORT, _PORT_AT = struct.Struct("!H"), 4
_INODE, _INODE_AT = struct.Struct("=I"), 68
_LIMIT_S = 2.0


def listeners() -> dict[int, int]:
    """Return the listening TCP sockets of this process's network: inode to port.

    Raises:
        OSError: This kernel cannot be asked so (CONFIG_INET_TCP_DIAG), or the sandbox forbids it.
    """
    return _of_family(socket.AF_INET) | _of_family(socket.AF_INET6)


def _of_family(family: int) -> dict[int, int]:
    found: dict[int, int] = {}
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG) as kernel:
        kernel.settimeout(_LIMIT_S)
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTENING)
        size = _HEADER.size + len(body)
        kernel.send(_HEADER.pack(size, _BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
        while True:
            if _read(kernel.recv(1 << 16), found):
                return found


def _read(answer: bytes, found: dict[int, int]) -> bool:
    """Add the sockets of one piece of the answer; return whether it was the last."""
    at = 0
    while at < len(answer):
        size, kind, *_ = _HEADER.unpack_from(answer, at)
        body = at + _HEADER.size
        if kind == _DONE:
            return True
        if kind == _ERROR:
            (number,) = struct.unpack_from("=i", answer, body)
            raise OSError(-number, "the kernel does not list its listening sockets")
        (port,) = _PORT.unpack_from(answer, body + _PORT_AT)
        (inode,) = _INODE.unpack_from(answer, body + _INODE_AT)
        found[inode] = port
        at += (size + 3) & ~3
    return False
