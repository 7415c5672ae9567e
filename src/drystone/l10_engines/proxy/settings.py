"""How an Envoy is started and how long it is waited for."""

from __future__ import annotations

import resource
from datetime import timedelta
from pathlib import Path

import msgspec

MOST_CLIENTS = 20_000
"""How many clients may be connected at once, where the system lets a process open three times as many files."""


class StatsD(msgspec.Struct, frozen=True):
    """Where to send numbers as they come to be.

    Attributes:
        address: IP address of a server of StatsD.
        port: Its UDP port.
        wanted: Regular expressions of RE2 of the names of statistics; no others are counted then.
    """

    address: str
    port: int
    wanted: tuple[str, ...]


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
        gives_back: Bytes of memory that it has freed and gives back to the system within a second at most; for itself it does
            so when its heap is half full, which is what 0 leaves it at.
    """

    port: int | None
    access_log: Path
    memory: int = 256 << 20
    connections: int = MOST_CLIENTS
    access_log_limit: int = 64 << 20
    shares_logs: bool = False
    patience: timedelta = timedelta(seconds=15)
    linger: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=5)
    statsd: StatsD | None = None
    gives_back: int = 0


def connections_here(most: int) -> int:
    """Return how many connections leave enough open files for everything else: a third of them, ``most`` at most.

    A client takes one file, its request another one for the connection to an instance, and services that call each other the
    last third.
    """
    return min(most, files_here() // 3)


def files_here() -> int:
    """Return how many files a process may open here; beyond every number of connections where nobody bounds it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1 << 62 if hard == resource.RLIM_INFINITY else hard


def bound_by(files: int) -> str | None:
    """Say how many clients may be connected where that is fewer than the platform holds; None where it is not.

    Args:
        files: How many a process may open.
    """
    held = files // 3
    if held >= MOST_CLIENTS:
        return None
    return (
        f"{held:,} clients at once in place of {MOST_CLIENTS:,}: a third of the {files:,} files that a process may open here;"
        " raise the hard limit where it is set (`ulimit -Hn`, LimitNOFILE= of a systemd unit, --ulimit nofile= of a container)"
    )
