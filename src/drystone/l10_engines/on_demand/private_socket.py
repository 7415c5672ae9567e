"""Sockets in the file system that only their user can open."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from drystone.l00_kernel.shortage import in_words
from drystone.l10_engines.on_demand.errors import SocketUnusable

WAITING = 512
"""Connections that the kernel holds until somebody takes them; listen(2) cuts that to the system's own limit."""


def listener_at(place: Path) -> socket.socket:
    """Listen on a socket that only this user can open, from its first moment on.

    Args:
        place: Its path, whose folder exists; what was there before is removed.

    Raises:
        SocketUnusable: Nobody can listen there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        place.unlink(missing_ok=True)
        listener.bind(str(place))
        listener.listen(WAITING)
    except OSError as e:
        listener.close()
        raise SocketUnusable(f"{place} cannot be listened on: {in_words(e)}") from e
    finally:
        os.umask(before)
    return listener
