"""Ports of the loopback address that the platform hands out.

They lie below 32768: above, Linux takes ports for outgoing connections (``ip_local_port_range``), and a
server that wants such a port after a restart may find it gone.
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.namespaces import inside

FIRST, LAST = 20000, 32767


def free_port(*, taken: frozenset[int] | set[int] = frozenset()) -> int:
    """Return a port on which nothing listens at 127.0.0.1.

    Args:
        taken: Ports that are promised to somebody who does not listen yet.

    Raises:
        Unavailable: No port is left.
    """
    count = LAST - FIRST + 1
    # So that two who look at once rarely meet; also two programs that were given the same seed.
    begin = secrets.randbelow(count)
    for number in range(count):
        # In steps that are prime to the count: the neighbours of a taken port are often taken too.
        port = FIRST + (begin + 11 * number) % count
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"every port from {FIRST} to {LAST} of 127.0.0.1 is in use; stop something")


def is_free(port: int, network: Path | None = None) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now.

    Args:
        port: The port.
        network: See :func:`~drystone.l10_engines.namespaces.inside`.

    Raises:
        NetworkLost: The network is not there.
    """
    with inside(network, socket.socket) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
