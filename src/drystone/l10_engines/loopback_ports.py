"""Ports of the loopback address that the platform hands out.

They lie below 32768: above, Linux takes ports for outgoing connections (``ip_local_port_range``), and a
server that wants such a port after a restart may find it gone.
"""

from __future__ import annotations

import random
import socket

from drystone.l00_kernel.errors import Unavailable

FIRST, LAST = 20000, 32767


def free_port(*, taken: frozenset[int] | set[int] = frozenset()) -> int:
    """Return a port on which nothing listens at 127.0.0.1.

    Args:
        taken: Ports that are promised to somebody who does not listen yet.

    Raises:
        Unavailable: No port is left.
    """
    candidates = [port for port in range(FIRST, LAST + 1) if port not in taken]
    random.shuffle(candidates)
    for port in candidates:
        if is_free(port):
            return port
    raise Unavailable(f"every port from {FIRST} to {LAST} of 127.0.0.1 is in use; stop something")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
