"""Ports of the loopback address that the platform hands out.

They lie below 32768: above, Linux takes ports for outgoing connections (``ip_local_port_range``), and a
server that wants such a port after a restart may find it gone.

Between the moment in which a port is found free and the one in which somebody listens there, others look too: agents of
other homes, that is other processes. So who finds one promises it: it binds a name in the abstract namespace of unix(7),
which is as wide as the network that the port is of, and which nobody else can bind until it is let go or its owner ends.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from collections import deque
from datetime import timedelta
from pathlib import Path

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.namespaces import inside

FIRST, LAST = 20000, 32767

PROMISED = timedelta(seconds=60)
"""How long a port is promised to who found it; by then somebody listens there."""

_MOST = 256
"""Promises of this process, each of which is an open file."""

_promises: deque[tuple[float, int]] = deque()


def free_port(*, taken: frozenset[int] | set[int] = frozenset()) -> int:
    """Return a port on which nothing listens at 127.0.0.1, and which nobody else is given for :data:`PROMISED`.

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
        if port not in taken and is_free(port) and _promise(port):
            return port
    raise Unavailable(f"every port from {FIRST} to {LAST} of 127.0.0.1 is in use; stop something")


def _promise(port: int) -> bool:
    """Promise a port to the one who asks; False when it is promised already."""
    now = time.monotonic()
    while _promises and (_promises[0][0] < now or len(_promises) >= _MOST):
        os.close(_promises.popleft()[1])
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0drystone/port/{port}")
    except OSError as e:
        name.close()
        if e.errno == errno.EADDRINUSE:
            return False
        raise
    _promises.append((now + PROMISED.total_seconds(), name.detach()))
    return True


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
