"""Ports of this machine that somebody else has."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_S = 10.0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Have another program listen on a loopback port.

    A port that has just been left may be the near end of somebody's connection for a moment, which goes away;
    if it does not within ten seconds, a lasting stranger has it, which is what was wanted.
    """
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until = time.monotonic() + _PATIENCE_S
        while not _binds(stranger, port) and time.monotonic() < until:
            time.sleep(0.05)
        yield


def _binds(stranger: socket.socket, port: int) -> bool:
    try:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
    except OSError:
        return False
    return True
