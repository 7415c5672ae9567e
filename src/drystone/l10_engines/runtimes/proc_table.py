"""Read the kernel's process table: who belongs to an instance, what it uses, where it listens.

Everything comes from proc(5). One scan costs about 10 µs a process of the host; a process that ends
while it is read is left out.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.namespaces import NetworkLost, inside
from drystone.l10_engines.processes.identity import PROC, stat_fields
from drystone.l10_engines.processes.proc_files import content
from drystone.l10_engines.runtimes import sockets
from drystone.l10_engines.runtimes.port import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_GONE = (FileNotFoundError, ProcessLookupError)
_LISTENING = b" 0A "
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = timedelta(seconds=1) / os.sysconf("SC_CLK_TCK")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One process or thread group that is no zombie.

    Attributes:
        pid: Its number on the host.
        parent: Its parent's.
        session: Its session's.
        cpu: Clock ticks, with those of children that it has waited for.
        resident: Pages.
        started: Clock ticks after boot at which it started.
    """

    pid: int
    parent: int
    session: int
    cpu: int
    resident: int
    started: int


def row(pid: int) -> Row | None:
    """Read one process; None when it is gone or a zombie."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    cpu = sum(int(fields[place]) for place in range(11, 15))
    return Row(pid, int(fields[1]), int(fields[3]), cpu, int(fields[21]), int(fields[19]))


def table() -> dict[int, Row]:
    """Read all processes of the host."""
    pids = (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdecimal())
    return {found.pid: found for pid in pids if (found := row(pid))}


def environment(pid: int) -> dict[str, str]:
    """Return the environment with which a process was started; empty when it may not be read."""
    entries = os.fsdecode(_environ(pid)).split("\0")
    pairs = (entry.partition("=") for entry in entries if "=" in entry)
    return {name: value for name, _, value in pairs}


def carrying(rows: Mapping[int, Row], cookie: Mapping[str, str], *, since: int = 0) -> set[int]:
    """Return the processes whose environment at start held all of these variables.

    Args:
        rows: Those to look at.
        cookie: The variables.
        since: Clock ticks after boot before which none of them started; older ones are not looked at.
    """
    needles = [f"\0{name}={value}\0".encode() for name, value in cookie.items()]
    found = set()
    for pid, entry in rows.items():
        if entry.started >= since:
            environ = b"\0" + _environ(pid)
            if all(needle in environ for needle in needles):
                found.add(pid)
    return found


def _environ(pid: int) -> bytes:
    try:
        return content(pid, "environ") or b""
    except PermissionError:
        return b""


def with_relatives(rows: Mapping[int, Row], members: Iterable[int]) -> set[int]:
    """Add the descendants of some processes, and the sessions that one of them leads."""
    found = {pid for pid in members if pid in rows}
    while True:
        more = {
            pid
            for pid, entry in rows.items()
            if pid not in found and (entry.parent in found or entry.session in found)
        }
        if not more:
            return found
        found |= more


def program(pid: int) -> str | None:
    """Return the path of the program that a process executes; None when it is gone or may not be read."""
    return _link(PROC / str(pid) / "exe")


def pid_namespace(pid: int) -> str | None:
    """Name the pid namespace of a process; None when it is gone or may not be read."""
    return _link(PROC / str(pid) / "ns/pid")


def in_pid_namespace(rows: Iterable[int], namespace: str) -> set[int]:
    """Return those processes that live in this pid namespace."""
    return {pid for pid in rows if pid_namespace(pid) == namespace}


def network_of(pid: int) -> Path | None:
    """Return the way into the network of a process; None where it is this process's own, or nobody can tell."""
    way = PROC / str(pid) / "ns/net"
    named = _link(way)
    return None if named is None or named == _link(PROC / "self/ns/net") else way


def number_inside(pid: int) -> int | None:
    """Return the number that a process has in its own pid namespace (``NSpid``); None when it is gone."""
    lines = (content(pid, "status") or b"").splitlines()
    return next((int(line.split()[-1]) for line in lines if line.startswith(b"NSpid:")), None)


def knows_filters() -> bool:
    """Tell whether this kernel filters system calls (CONFIG_SECCOMP_FILTER; proc_pid_status(5))."""
    return "\nSeccomp:" in Path(PROC, "self/status").read_text(errors="replace")


def usage(pids: Iterable[int]) -> Usage:
    """Add up what these processes use now."""
    rows = [found for pid in pids if (found := row(pid))]
    return Usage(
        memory=sum(entry.resident for entry in rows) * _PAGE,
        cpu=_TICK * sum(entry.cpu for entry in rows),
        processes=len(rows),
    )


def listening_ports(pids: Iterable[int]) -> list[int]:
    """Return the TCP ports, ascending, on which one of these processes holds a listening socket."""
    pids = list(pids)
    held = {inode for pid in pids for inode in _sockets(pid)}
    ports: dict[int, int] = {}
    seen = set()
    for pid in pids:
        namespace = _link(PROC / str(pid) / "ns/net")
        if namespace is None or namespace in seen:
            continue
        seen.add(namespace)
        ports |= _listeners(pid, namespace)
    return sorted({port for inode, port in ports.items() if inode in held})


def _sockets(pid: int) -> set[int]:
    """Return the inodes of the sockets that a process holds."""
    folder = PROC / str(pid) / "fd"
    try:
        links = [_link(entry) for entry in folder.iterdir()]
    except (*_GONE, PermissionError):
        return set()
    return {int(link[8:-1]) for link in links if link is not None and link.startswith("socket:[")}


def _link(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except (*_GONE, PermissionError):
        return None


def _listeners(pid: int, network: str) -> dict[int, int]:
    """Return the listening sockets of the network that a process is in: inode to port."""
    way = None if network == _link(PROC / "self/ns/net") else PROC / str(pid) / "ns/net"
    with suppress(OSError, NetworkLost):  # then the slow way
        return inside(way, sockets.listeners)
    found = {}
    for name in ("tcp", "tcp6"):
        for line in (content(pid, f"net/{name}") or b"").splitlines():
            # Most lines are connections: they are told apart before they are taken apart.
            if _LISTENING in line and (fields := line.split())[3] == _LISTENING.strip():
                found[int(fields[9])] = int(fields[1].rpartition(b":")[2], 16)
    return found
