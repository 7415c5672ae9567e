"""How an Envoy is started and how long it is waited for."""

from __future__ import annotations

import resource
from datetime import timedelta
from pathlib import Path

import msgspec


class StatsD(msgspec.Struct, frozen=True):
    """Where to send numbers as they come to be.

    Attributes:
        address: IP address of a server of StatsD.
        port: Its UDP port.
        wanted: A regular expression of RE2 of the names of statistics; no others are counted then.
    """

    address: str
    port: int
    wanted: str


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an Envoy is started with.

    Attributes:
        port: Where its edge listens; the snapshots that are published must say the same. None for an Envoy without an edge.
        access_log: Its access log, which the snapshots name; moved away when it has grown.
        memory: Bytes of heap at which it begins to refuse requests.
        connections: How many clients may be connected; fewer where the system allows fewer open files.
        access_log_limit: Bytes after which the access log is moved to ``<name>.1``.
        shares_logs: Whether another group of Envoys writes the same logs, and moves them away.
        patience: How long a start may take, and a new configuration until it is accepted.
        linger: How long streams of clients may hold up the end of an Envoy that was replaced.
        grace: The same when the proxy is stopped.
        statsd: Where to send numbers; nowhere when None.
    """

    port: int | None
    access_log: Path
    memory: int = 256 << 20
    connections: int = 20_000
    access_log_limit: int = 64 << 20
    shares_logs: bool = False
    patience: timedelta = timedelta(seconds=15)
    linger: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=5)
    statsd: StatsD | None = None


def connections_here(most: int) -> int:
    """Return how many connections leave enough open files for everything else: a third of them, ``most`` at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return most if hard == resource.RLIM_INFINITY else min(most, hard // 3)
